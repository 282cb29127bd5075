/**
 * What all routes of the API share: the context they work in, and who asks.
 */
import type { FastifyRequest } from 'fastify'
import type { Archive } from '../archives/archive-table.ts'
import { takesSignedOnly } from '../archives/read-changes.ts'
import type { Doors } from './doors.ts'
import type { Jobs } from './jobs.ts'
import type { ServerParts } from './parts.ts'
import type { Token } from './tokens.ts'

/** What routes know besides the parts. */
export interface ApiContext {
  readonly parts: ServerParts
  readonly jobs: () => Jobs | undefined
  readonly startedAt: number
  /** What clients call this server. */
  readonly publicUrl: () => string
  readonly url: () => string
  /** Source files of this machine that a first start imported. */
  readonly oldFiles: readonly string[]
  /** Files of channels are served from then on; rejects if they never are. */
  readonly opened: Promise<void>
  readonly doors: Doors
}

const tokens = new WeakMap<FastifyRequest, Token>()

/** Remembers with a request which token it came with. */
export function noteWhoAsks(request: FastifyRequest, token: Token): void {
  tokens.set(request, token)
}

/** The name of the token that the request was made with. */
export function whoAsks(request: FastifyRequest): string {
  return tokens.get(request)?.name ?? 'nobody'
}

/** Whether the request was made with a token that is for uploads alone. */
export function isUploader(request: FastifyRequest): boolean {
  return tokens.get(request)?.uploads !== undefined
}

/** Whether what is uploaded with the request has to be signed by one of the archive's uploaders. */
export function mustBeSigned(request: FastifyRequest, archive: Archive): boolean {
  return takesSignedOnly(archive) && isUploader(request) && tokens.get(request)?.direct !== true
}

const forwarded = ['forwarded', 'x-forwarded-for', 'via', 'x-real-ip']

/** Whether who asks is on this machine, as far as that can be seen: not a proxy that stands in front, and tells. */
export function isOnThisMachine({ socket, headers }: FastifyRequest): boolean {
  const address = socket.remoteAddress ?? ''
  const isLoopback = ['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(address)
  return isLoopback && forwarded.every((name) => headers[name] === undefined)
}

/** Who asks, and the reason in the body if there is one. */
export function reasonOf(request: FastifyRequest): { who: string; why: string | undefined } {
  const body: unknown = request.body
  const why: unknown =
    typeof body === 'object' && body !== null ? Reflect.get(body, 'reason') : undefined
  return { who: whoAsks(request), why: typeof why === 'string' ? why : undefined }
}
