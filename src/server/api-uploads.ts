/**
 * Routes of uploads: the files of packages come as bodies, of any size, over as many connections as it takes.
 *
 *   GET  …/packages/FILE?sha256=D          whether it is published already, or how much of it is here
 *   PUT  …/packages/FILE?sha256=D&offset=N the rest of it; without a digest all of it
 *   POST …/follow                          waits until channels have all that was published
 */
import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { getArchive } from '../archives/archive-table.ts'
import { assertLocal } from '../archives/change-local.ts'
import { type TakenDeb, takeDeb } from '../archives/take-deb.ts'
import { findUploadsOf } from '../archives/upload-table.ts'
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256, sha256Of } from '../base/sha256.ts'
import { assertRoom } from '../store/disk-reserve.ts'
import type { PartName } from '../store/part-files.ts'
import { type ApiContext, whoAsks } from './api-context.ts'

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

const MOST_BYTES = 20 * 1024 ** 3
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

/** Adds the routes to the API. */
export function uploadRoutes(api: FastifyInstance, context: ApiContext): void {
  const { parts } = context
  api.register((bodies, _options, done) => {
    bodies.removeAllContentTypeParsers()
    bodies.addContentTypeParser('*', (_request, payload, next) => next(null, payload))
    bodies.put<FileRoute>('/archives/:name/packages/:file', { schema }, (request) =>
      takePackage(context, request),
    )
    done()
  })
  api.get<FileRoute>('/archives/:name/packages/:file', { schema }, async (request) => {
    const archive = await getArchive(parts.db, request.params.name)
    assertLocal(archive)
    const sha256 = digestOf(request)
    const rows = sha256 === undefined ? [] : await findUploadsOf(parts.db, archive.id, sha256)
    const { suite, component } = request.query
    const published = rows.filter(
      (row) =>
        row.removedAt === undefined &&
        [undefined, row.suite].includes(suite) &&
        [undefined, row.component].includes(component),
    )
    return { published, offset: await parts.partFiles.size(partOf(request, sha256)) }
  })
  api.post<{ Params: { name: string } }>('/archives/:name/follow', async ({ params }) => {
    assertLocal(await getArchive(parts.db, params.name))
    return { generations: await parts.uploadFollow.settled() }
  })
}

async function takePackage(
  { parts }: ApiContext,
  request: FastifyRequest<FileRoute>,
): Promise<TakenDeb> {
  const { params, query, headers } = request
  const archive = await getArchive(parts.db, params.name)
  assertLocal(archive)
  const sha256 = digestOf(request)
  const part = partOf(request, sha256)
  const length = Number(headers['content-length'] ?? 0)
  // Its bytes are here twice for a moment.
  await assertRoom(parts.blobs, 2 * length, params.file)
  const end = parts.uploadFollow.begin()
  try {
    const body = request.body as Readable
    const { offset = 0 } = query
    await parts.partFiles.append(part, body, { offset, maxBytes: MOST_BYTES })
    const taken = await takeDeb(parts, {
      archive: params.name,
      suite: query.suite,
      component: query.component,
      ...{ part, sha256, fileName: params.file },
      who: whoAsks(request),
      why: query.reason,
    })
    if (taken.published.outcome === 'published') parts.uploadFollow.note(params.name)
    return taken
  } finally {
    end()
  }
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
  const whose = sha256Of(`${params.name} ${whoAsks(request)} ${sha256 ?? id}`).slice(0, 32)
  return { folder: whose, file: params.file }
}
