/**
 * Routes of uploads: the files of packages come as bodies, of any size, over as many connections as it takes.
 *
 *   GET  …/packages/FILE?sha256=D          whether it is published already, or how much of it is here
 *   PUT  …/packages/FILE?sha256=D&offset=N the rest of it; without a digest all of it
 *   …/uploads/SESSION/FILE                 the same for the files of a `.changes`, which are published by
 *   POST …/uploads/SESSION                 once all are here: who has the token answers for it, signed or not; but where it is said
 *                                          who may upload, tokens for uploads take only what he signed
 *   POST …/follow                          waits until channels have all that was published
 *   POST …/warnings                        what there is to be said of packages, by what these channels have
 */
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Archive, getArchive } from '../archives/archive-table.ts'
import { assertLocal } from '../archives/change-local.ts'
import { type TakenDeb, takeDeb } from '../archives/take-deb.ts'
import { placeOf } from '../archives/upload-queue.ts'
import { findUploadsOf } from '../archives/upload-table.ts'
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import { type UploadedName, warnOfUploads } from '../channels/upload-warnings.ts'
import type { PartName } from '../store/part-files.ts'
import { type ApiContext, mustBeSigned, whoAsks } from './api-context.ts'
import { boundsOf, inFolder, sessionFolder, takeFileBytes, takeSession } from './upload-session.ts'

interface FileRoute {
  Params: { name: string; file: string }
  Querystring: {
    suite?: string
    component?: string
    sha256?: string
    offset?: number
    reason?: string
  }
}

interface SessionRoute {
  Params: { name: string; session: string; file: string }
  Querystring: { offset?: number }
}

interface SessionBody {
  readonly changes: string
  readonly suite?: string
  readonly component?: string
  readonly reason?: string
}

const word = { type: 'string', minLength: 1, maxLength: 200 }
const schema = {
  querystring: {
    type: 'object',
    properties: {
      suite: word,
      component: word,
      sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      offset: { type: 'integer', minimum: 0 },
      reason: { type: 'string', maxLength: 1000 },
    },
    additionalProperties: false,
  },
}

const config = { isUpload: true }
const warningsSchema = {
  body: {
    type: 'object',
    required: ['packages'],
    properties: {
      packages: {
        type: 'array',
        maxItems: 5000,
        items: {
          type: 'object',
          required: ['name', 'version', 'architecture'],
          properties: { name: word, version: word, architecture: word },
          additionalProperties: false,
        },
      },
    },
    additionalProperties: false,
  },
}
const sessionSchema = {
  params: {
    type: 'object',
    properties: { session: { type: 'string', pattern: '^[0-9a-f]{32,64}$' } },
  },
  querystring: {
    type: 'object',
    properties: { offset: { type: 'integer', minimum: 0 } },
    additionalProperties: false,
  },
}
const endSchema = {
  params: sessionSchema.params,
  body: {
    type: 'object',
    required: ['changes'],
    properties: {
      changes: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9+.~_-]{0,240}\\.changes$' },
      suite: word,
      component: word,
      reason: { type: 'string', maxLength: 1000 },
    },
    additionalProperties: false,
  },
}

/** Adds the routes to the API. */
export function uploadRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  api.register((bodies, _options, done) => {
    bodies.removeAllContentTypeParsers()
    bodies.addContentTypeParser('*', (_request, payload, next) => next(null, payload))
    bodies.put<FileRoute>('/archives/:name/packages/:file', { schema, config }, (request) =>
      takePackage(context, request),
    )
    const options = { schema: sessionSchema, config }
    bodies.put<SessionRoute>('/archives/:name/uploads/:session/:file', options, (request) =>
      takeSessionFile(context, request),
    )
    done()
  })
  api.get<FileRoute>('/archives/:name/packages/:file', { schema, config }, async (request) => {
    const archive = await getArchive(parts.db, request.params.name)
    assertLocal(archive)
    const sha256 = digestOf(request)
    const rows = sha256 === undefined ? [] : await findUploadsOf(parts.db, archive.id, sha256)
    // Nobody sends what is refused, nor takes it for known.
    for (const row of rows) parts.revocations.refuse(row)
    const { suite, component } = placeOf(archive, request.query)
    const published = rows.filter(
      (row) => row.removedAt === undefined && row.suite === suite && row.component === component,
    )
    if (published.length === 0) refuseUnsigned(request, archive)
    return { published, offset: await parts.partFiles.size(partOf(request, sha256)) }
  })
  api.post<{ Params: { name: string } }>('/archives/:name/follow', { config }, async (request) => {
    const archive = request.params.name
    assertLocal(await getArchive(parts.db, archive))
    return { generations: await parts.uploadFollow.settled({ archive }) }
  })
  api.post<{ Params: { name: string }; Body: { packages: UploadedName[] } }>(
    '/archives/:name/warnings',
    { schema: warningsSchema, config },
    async (request) => {
      const { name: archive } = request.params
      assertLocal(await getArchive(parts.db, archive))
      return { warnings: await warnOfUploads(parts, { archive, ...request.body }) }
    },
  )
  sessionRoutes(api, context)
}

function sessionRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  const options = { schema: sessionSchema, config }
  api.get<SessionRoute>('/archives/:name/uploads/:session/:file', options, async (request) => {
    const { file } = request.params
    const folder = folderOf(request)
    const size = await parts.partFiles.size({ folder, file })
    const offset = await parts.partFiles.size({ folder, file: `${file}.part` })
    return { isWhole: (await parts.partFiles.list(folder)).includes(file), size, offset }
  })
  api.post<Pick<SessionRoute, 'Params'> & { Body: SessionBody }>(
    '/archives/:name/uploads/:session',
    { schema: endSchema, config },
    async (request) => {
      const { changes, suite, component, reason } = request.body
      const end = parts.uploadFollow.begin()
      try {
        const folder = folderOf(request)
        const archive = await getArchive(parts.db, request.params.name)
        const input = {
          ...{ archive: archive.name, folder, name: changes, suite, component, why: reason },
          ...{ who: whoAsks(request), mustBeSigned: mustBeSigned(request, archive) },
        }
        return await inFolder(folder, () => takeSession(parts, input))
      } finally {
        end()
      }
    },
  )
}

async function takeSessionFile(
  { parts }: ApiContext,
  request: FastifyRequest<SessionRoute>,
): Promise<{ size: number }> {
  const { params, query, headers } = request
  assertLocal(await getArchive(parts.db, params.name))
  const folder = folderOf(request)
  const { file } = params
  const length = Number(headers['content-length'] ?? 0)
  const end = parts.uploadFollow.begin()
  try {
    const bytes = { folder, file, part: `${file}.part`, offset: query.offset ?? 0, length }
    return await takeFileBytes(parts, bytes, request.body as Readable, async () => ({
      size: await parts.partFiles.size({ folder, file }),
    }))
  } finally {
    end()
  }
}

function folderOf(request: FastifyRequest<Pick<SessionRoute, 'Params'>>): string {
  const { name, session } = request.params
  return sessionFolder('api', whoAsks(request), name, session)
}

async function takePackage(
  { parts }: ApiContext,
  request: FastifyRequest<FileRoute>,
): Promise<TakenDeb> {
  const { params, query, headers } = request
  const archive = await getArchive(parts.db, params.name)
  assertLocal(archive)
  refuseUnsigned(request, archive)
  const sha256 = digestOf(request)
  const part = partOf(request, sha256)
  const length = Number(headers['content-length'] ?? 0)
  const bounds = await boundsOf(parts, part, length)
  const end = parts.uploadFollow.begin()
  try {
    const body = request.body as Readable
    const { offset = 0 } = query
    const input = {
      ...{ archive: params.name, suite: query.suite, component: query.component },
      ...{ part, sha256, fileName: params.file, who: whoAsks(request), why: query.reason },
    }
    const taken = await parts.partFiles.hold(part, async (append) => {
      await append(body, { offset, ...bounds })
      return takeDeb(parts, input)
    })
    if (taken.published.outcome === 'published') parts.uploadFollow.note(params.name)
    return taken
  } finally {
    end()
  }
}

/** A .deb alone has no signature. */
function refuseUnsigned(request: FastifyRequest<FileRoute>, archive: Archive): void {
  if (!mustBeSigned(request, archive)) return
  const { name } = archive
  throw new AppError('ERR_REFUSED', {
    message: `${request.params.file} is not signed, and ${name} takes only what its uploaders have signed`,
    hint: `publish its signed .changes, or with a token of sluice token create NAME --upload ${name} --direct`,
  })
}

function digestOf({ query }: FastifyRequest<FileRoute>): Sha256 | undefined {
  return query.sha256 === undefined ? undefined : parseSha256(query.sha256)
}

/** Where its bytes are kept until all are here: what has no digest is begun anew each time. */
function partOf(request: FastifyRequest<FileRoute>, sha256: Sha256 | undefined): PartName {
  const { params, id } = request
  if (!/^[A-Za-z0-9][A-Za-z0-9+.~_-]{0,254}\.deb$/.test(params.file)) {
    throw new AppError('ERR_USAGE', {
      message: `${JSON.stringify(params.file)} is no name of a package’s file`,
      hint: 'NAME_VERSION_ARCHITECTURE.deb',
    })
  }
  const whose = sessionFolder('deb', whoAsks(request), params.name, sha256 ?? id)
  return { folder: whose, file: params.file }
}
