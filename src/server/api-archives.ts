/**
 * Routes of archives: list, add, change, refresh, remove.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type ArchiveSettings, getArchive, listArchives } from '../archives/archive-table.ts'
import { addArchive, removeArchive, setArchive } from '../archives/change-archive.ts'
import { routeArchive } from '../archives/routed-upstream.ts'
import { AppError } from '../base/errors.ts'
import { listChannels } from '../channels/channel-table.ts'
import { parseUploader } from '../debian/uploader-lines.ts'
import type { UploaderRule } from '../debian/uploaders.ts'
import { type ApiContext, reasonOf, whoAsks } from './api-context.ts'
import { addKeyGauge } from './archive-keys.ts'
import { show } from './archive-summary.ts'
import { listLosses } from './channel-files.ts'
import { finishImport } from './import-sources.ts'
import { refreshAndFollow } from './jobs.ts'
import { rescuedSince } from './rescued.ts'
import { replyWithTask } from './task.ts'

type Named = { Params: { name: string } }
type ArchiveBody = Partial<Omit<ArchiveSettings, 'uploaders'>> & {
  /** Lines of debian/uploader-lines.ts. */
  readonly uploaders?: readonly string[]
  readonly name?: string
  readonly keyring?: string
  readonly keyringBase64?: string
  /** Lines of apt's auth.conf. */
  readonly auth?: string
  readonly reason?: string
}

const texts = {
  type: 'array',
  items: { type: 'string', minLength: 1, maxLength: 2048 },
  maxItems: 200,
}
const properties = {
  name: { type: 'string' },
  kind: { const: 'local' },
  uploaders: texts,
  urls: texts,
  fallbacks: texts,
  suites: texts,
  components: texts,
  keepVersions: { type: 'integer', minimum: 0, maximum: 10_000 },
  architectures: texts,
  sources: { type: 'boolean' },
  languages: texts,
  extras: texts,
  proxy: { type: 'string' },
  allowExpired: { type: 'boolean' },
  allowOtherSuite: { type: 'boolean' },
  rescue: { type: 'boolean' },
  keyring: { type: 'string' },
  keyringBase64: { type: 'string' },
  auth: { type: 'string', maxLength: 65_536 },
  reason: { type: 'string', maxLength: 1000 },
}
const changeSchema = { body: { type: 'object', properties, additionalProperties: false } }
const addSchema = {
  body: {
    ...changeSchema.body,
    required: ['name', 'suites', 'components', 'architectures'],
  },
}
const namesSchema = {
  body: { type: ['object', 'null'], properties: { archives: texts }, additionalProperties: false },
}

/** Adds the routes to the API. */
export function archiveRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  addKeyGauge(parts)
  api.get('/archives', async () =>
    Promise.all((await listArchives(parts.db)).map((one) => show(context, one))),
  )
  api.get<Named>('/archives/:name', async ({ params }) =>
    show(context, await getArchive(parts.db, params.name)),
  )
  api.post<{ Body: ArchiveBody }>('/archives', { schema: addSchema }, async (request) => {
    const { body } = request
    const settings = {
      urls: [],
      suites: [],
      components: [],
      architectures: [],
      ...settingsOf(body),
    }
    const keyring = keyringOf(body) ?? Buffer.alloc(0)
    const { name = '', auth } = body
    const input = { name, settings, keyring, auth }
    const archive = await addArchive(parts, input, reasonOf(request))
    routeArchive(parts.upstream, archive)
    return show(context, archive)
  })
  api.patch<Named & { Body: ArchiveBody }>(
    '/archives/:name',
    { schema: changeSchema },
    async (request) => {
      const { body } = request
      const change = { settings: settingsOf(body), keyring: keyringOf(body), auth: body.auth }
      const archive = await setArchive(parts, request.params.name, change, reasonOf(request))
      routeArchive(parts.upstream, archive)
      // One of ours may have other indexes now.
      if (archive.settings.kind === 'local') parts.uploadFollow.note(archive.name)
      // What no URL had may be at one of these.
      parts.rescue.wake({ retryLost: true })
      return show(context, archive)
    },
  )
  api.delete<Named>('/archives/:name', async (request) => {
    const { name } = request.params
    const followers = (await listChannels(parts.db)).filter((channel) =>
      channel.follows.includes(name),
    )
    if (followers.length > 0) {
      throw new AppError('ERR_REFUSED', {
        message: `archive ${name} is followed by ${followers.map((one) => one.name).join(', ')}`,
        hint: 'delete those channels first',
      })
    }
    await removeArchive(parts, name, reasonOf(request))
    parts.rescue.wake()
    return { removed: name, lost: await listLosses(parts) }
  })
  refreshRoutes(api, context)
}

function refreshRoutes(api: FastifyInstance, { parts, jobs }: ApiContext): void {
  const refresh = async (
    request: FastifyRequest,
    reply: Parameters<typeof replyWithTask>[1],
    names: readonly string[],
  ): Promise<unknown> => {
    for (const name of names) await getArchive(parts.db, name)
    return replyWithTask(request, reply, async (emit, signal) => {
      const task = {
        archives: names,
        who: whoAsks(request),
        onEvent: emit,
        onOutcome: (outcome: unknown) => emit({ kind: 'outcome', outcome }),
      }
      const before = parts.rescue.totals
      const { outcomes, generations } = await refreshAndFollow(parts, task, signal)
      // While the first start itself imports, it is not for us to say that this is all.
      const made = jobs() === undefined ? [] : await finishImport(parts, signal)
      return {
        outcomes,
        generations: [
          ...generations.map(({ channel, generation }) => ({
            channel,
            serial: generation.serial,
            changes: generation.changes,
            changed: generation.changes?.length ?? 0,
          })),
          ...made.map(({ name, head }) => ({ channel: name, serial: head, changed: 0 })),
        ],
        rescue: await rescuedSince(parts, before, signal),
      }
    })
  }
  api.post<{ Body: { archives?: string[] } | null }>(
    '/archives/refresh',
    { schema: namesSchema },
    async (request, reply) => {
      const all = (await listArchives(parts.db)).map((archive) => archive.name)
      return refresh(request, reply, request.body?.archives ?? all)
    },
  )
  api.post<Named>('/archives/:name/refresh', async (request, reply) =>
    refresh(request, reply, [request.params.name]),
  )
}

function settingsOf(body: ArchiveBody): Partial<ArchiveSettings> {
  const { name: _, keyring: __, keyringBase64: ___, auth: ____, reason: _____, ...settings } = body
  const uploaders = settings.uploaders?.map(readUploader)
  const told = Object.entries({ ...settings, uploaders })
  return Object.fromEntries(told.filter(([, value]) => value !== undefined))
}

function readUploader(line: string): UploaderRule {
  const rule = parseUploader(line)
  if (!('fault' in rule)) return rule
  throw new AppError('ERR_USAGE', {
    message: `the uploader ${JSON.stringify(line)}: ${rule.fault}`,
    hint: 'a fingerprint, then patterns of sources: 9F3C…E1 acme-*',
  })
}

function keyringOf({ keyring, keyringBase64 }: ArchiveBody): Buffer | undefined {
  if (keyring !== undefined) return Buffer.from(keyring)
  return keyringBase64 === undefined ? undefined : Buffer.from(keyringBase64, 'base64')
}
