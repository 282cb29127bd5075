/**
 * What a plain GET of a package's file comes to, found for a connection that has no request of Node's http server: so that it
 * need not go over to that for a file that is here and was not asked for lately. It is what that server would answer, and is
 * remembered as it would be; everything else, and what fails, is left to it.
 */
import type { Answer } from '../archives/answer.ts'
import { resolvePublishedPath } from '../channels/resolve.ts'
import { decodeUrlPath } from '../debian/archive-path.ts'
import { parseAbsoluteUri, parseHostPath } from '../proxy/request-target.ts'
import type { FileFront } from './own-files.ts'
import type { ReadyAnswers } from './ready-answers.ts'

export type PackageFront = Pick<FileFront, 'parts' | 'opened'>

/** Files of sources may have to be looked for upstream. */
const deb = /\.[ud]?deb$/

/** What is known of this URL, or found now. */
export async function knownOrFound(
  front: PackageFront,
  url: string,
): Promise<ReturnType<ReadyAnswers['known']>> {
  const { ready, blobs } = front.parts
  const known = ready.known(url)
  if (known !== undefined || !deb.test(url)) return known
  const answer = await find(front, url).catch(() => undefined)
  const isForAll = typeof answer === 'object' && answer.kind === 'blob' && answer.holds?.() === true
  if (!isForAll || blobs.withdrawn.has(answer.sha256)) return undefined
  ready.remember(url, answer)
  return ready.known(url)
}

async function find(
  { parts, opened }: PackageFront,
  url: string,
): Promise<Answer | string | undefined> {
  if (/^[a-z]+:\/\//i.test(url)) return findProxied(parts, parseAbsoluteUri(url))
  if (!/^\/(?:channels|class)\//.test(url)) return findProxied(parts, parseHostPath(url))
  await opened
  const path = decodeUrlPath(url)
  return path === undefined ? undefined : resolvePublishedPath(parts, path)
}

async function findProxied(
  { proxy }: PackageFront['parts'],
  target: ReturnType<typeof parseHostPath>,
): Promise<Answer | string | undefined> {
  return target && proxy.resolve(target)
}
