/**
 * Routes of what is in local archives: listing it, taking it out, and saying until when it is to be there.
 */
import type { FastifyInstance } from 'fastify'
import { getArchive } from '../archives/archive-table.ts'
import { assertLocal } from '../archives/change-local.ts'
import { setEnds, unpublish } from '../archives/unpublish.ts'
import { listEnds, placeKey } from '../archives/upload-ends.ts'
import { listUploads, type UploadRow } from '../archives/upload-table.ts'
import { AppError } from '../base/errors.ts'
import { type Channel, listChannels } from '../channels/channel-table.ts'
import { searchPackages } from '../channels/search.ts'
import { type ApiContext, isUploader, reasonOf, whoAsks } from './api-context.ts'
import type { ServerParts } from './parts.ts'

const word = { type: 'string', minLength: 1, maxLength: 200 }
const reason = { type: 'string', maxLength: 1000 }
const config = { isUpload: true }
const schema = {
  body: {
    type: 'object',
    required: ['package'],
    properties: { package: word, version: word, suite: word, dryRun: { type: 'boolean' }, reason },
    additionalProperties: false,
  },
}
const places = ['name', 'version', 'architecture', 'suite', 'component'] as const
const endSchema = {
  body: {
    type: 'object',
    required: ['packages', 'endsAt'],
    properties: {
      packages: {
        type: 'array',
        minItems: 1,
        maxItems: 5000,
        items: {
          type: 'object',
          required: places,
          properties: Object.fromEntries(places.map((one) => [one, word])),
          additionalProperties: false,
        },
      },
      endsAt: { type: ['integer', 'null'], minimum: 0 },
      reason,
    },
    additionalProperties: false,
  },
}

type Named = { Params: { name: string } }
interface Unpublish extends Named {
  Body: { package: string; version?: string; suite?: string; dryRun?: boolean }
}
interface Ends extends Named {
  Body: { packages: Parameters<typeof setEnds>[1]['packages']; endsAt: number | null }
}

/** Adds the routes to the API. */
export function unpublishRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  api.get<Named>('/archives/:name/packages', { config }, async ({ params }) => {
    const archive = await getArchive(parts.db, params.name)
    assertLocal(archive)
    const ends = await listEnds(parts.db, archive.id)
    const rows = await listUploads(parts.db, archive.id)
    return rows.map((row) => ({ ...row, endsAt: ends.get(placeKey(row)) }))
  })
  api.post<Unpublish>('/archives/:name/unpublish', { schema }, async (request) => {
    const { package: name, version, suite, dryRun = false } = request.body
    const archive = request.params.name
    const input = { archive, name, version, suite, dryRun, ...reasonOf(request) }
    const removed = await unpublish(parts, input)
    const channels = await offering(parts, archive, removed)
    if (dryRun) return { removed, channels, generations: [] }
    parts.uploadFollow.note(archive)
    return { removed, channels, generations: await parts.uploadFollow.settled({ archive }) }
  })
  api.put<Ends>('/archives/:name/ends', { schema: endSchema, config }, async (request) => {
    const { packages, endsAt } = request.body
    if (endsAt !== null && endsAt <= parts.clock.now()) {
      const message = 'that time is over already'
      throw new AppError('ERR_USAGE', { message, hint: 'sluice unpublish takes it out now' })
    }
    const archive = request.params.name
    const owner = isUploader(request) ? whoAsks(request) : undefined
    const input = { archive, packages, endsAt: endsAt ?? undefined, owner, ...reasonOf(request) }
    await setEnds(parts, input)
    parts.uploadFollow.endsChanged()
    return { packages, endsAt }
  })
}

/** The channels that offer something of it now, and whether they go on to when the archive has it no more. */
async function offering(
  parts: ServerParts,
  archive: string,
  rows: readonly UploadRow[],
): Promise<{ channel: string; keeps: boolean }[]> {
  const all = await listChannels(parts.db)
  const byId = new Map(all.map((one) => [one.id, one]))
  const keyOf = (row: Pick<UploadRow, 'version' | 'architecture' | 'suite'>, name: string) =>
    [archive, row.suite, name, row.version, row.architecture].join(' ')
  const wanted = new Set(rows.map((row) => keyOf(row, row.name)))
  const having = new Set<string>()
  const heads = [...parts.views.heads()].filter((view) => view.archives.has(archive))
  for (const name of new Set(rows.map((row) => row.name))) {
    for (const found of await searchPackages(parts, heads, name))
      if (found.archive === archive && wanted.has(keyOf(found, found.package)))
        having.add(found.channel)
  }
  return all
    .filter((one) => having.has(one.name))
    .map((one) => ({ channel: one.name, keeps: isCurated(byId, one) }))
}

/** Itself, or what it is based on in the end. */
function isCurated(all: ReadonlyMap<number, Channel>, channel: Channel): boolean {
  const base = channel.baseId === undefined ? undefined : all.get(channel.baseId)
  return base === undefined ? channel.kind === 'curated' : isCurated(all, base)
}
