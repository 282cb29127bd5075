/**
 * The files of ours that clients are served: those of channels and classes, and changelogs. Every path that has none is
 * told why.
 */
import type { Answer } from '../archives/answer.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { explainPath } from '../channels/explain-path.ts'
import { isPublishedPath, resolvePublishedPath } from '../channels/resolve.ts'
import { changelogAnswer } from './changelog-answer.ts'
import type { Doors } from './doors.ts'
import type { Exchange } from './exchange.ts'
import type { ServerParts } from './parts.ts'
import { sendAnswer } from './send.ts'

export interface FileFront {
  readonly parts: ServerParts
  /** Files are served from then on. */
  readonly opened: Promise<void>
  readonly doors: Pick<Doors, 'fronts'>
}

/** Whether the path, without its first slash, is one of the files that clients are served. */
export function isOfFiles(path: string): boolean {
  return isPublishedPath(path) || path.startsWith('changelogs/')
}

/**
 * Sends the file at this path of ours, decoded and without its first slash; `url` is what was asked for, if the answer
 * depends on nothing else.
 */
export async function sendFile(
  { parts, opened, doors }: FileFront,
  exchange: Exchange,
  path: string | undefined,
  url?: string,
): Promise<void> {
  await opened
  const answer = path === undefined ? undefined : await findFile(parts, path, exchange)
  if (answer === undefined) throw await whyNot(parts, path)
  if (url !== undefined) parts.ready.remember(url, answer)
  const address = doors.fronts.clientOf(exchange.request)
  await sendAnswer(parts, exchange, answer)
  noteClient(parts, exchange, address, answer)
}

/** A client that was sent a Release, or told that it has it. */
function noteClient(
  { clientLog }: ServerParts,
  { request, response }: Exchange,
  address: string | undefined,
  answer: Answer,
): void {
  if (answer.kind !== 'bytes' || answer.release === undefined || address === undefined) return
  if (request.method !== 'GET' || ![200, 304].includes(response.statusCode)) return
  clientLog.note(address, answer.release, request.headers['user-agent'])
}

async function whyNot(parts: ServerParts, path: string | undefined): Promise<AppError> {
  if (path !== undefined && isPublishedPath(`${path}/`)) return explainPath(parts, path)
  const message =
    path === undefined ? 'that is no path of an archive' : 'that is no path of a changelog'
  return new AppError('ERR_NOT_FOUND', { message })
}

async function findFile(
  parts: ServerParts,
  path: string,
  { signal }: Abortable,
): Promise<Answer | undefined> {
  return path.startsWith('changelogs/')
    ? changelogAnswer(parts, path.slice('changelogs/'.length), { signal })
    : resolvePublishedPath(parts, path, { signal })
}
