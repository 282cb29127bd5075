/**
 * What a plain GET of a package's file comes to, found for a connection that has no request of Node's http server: so that it
 * need not go over to that for a file that is here and was not asked for lately. It is what that server would answer, and is
 * remembered as it would be; everything else, and what fails, is left to it.
 */
import type { Answer } from '../archives/answer.ts'
import { isPublishedPath, resolvePublishedPath } from '../channels/resolve.ts'
import { decodeUrlPath } from '../debian/archive-path.ts'
import { parseAbsoluteUri, parseHostPath } from '../proxy/request-target.ts'
import type { FileFront } from './own-files.ts'
import { isOfOthers } from './proxied.ts'
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
  let known = ready.known(url)
  if (known === undefined && deb.test(url)) {
    const answer = await find(front, url).catch(() => undefined)
    if (typeof answer !== 'object' || answer.kind !== 'blob') return undefined
    if (answer.holds?.() === true) ready.remember(url, answer)
    known = ready.known(url)
  }
  const isWithdrawn = known?.kind === 'blob' && blobs.withdrawn.has(known.sha256)
  return isWithdrawn ? undefined : known
}

async function find(
  { parts, opened }: PackageFront,
  url: string,
): Promise<Answer | string | undefined> {
  if (/^[a-z]+:\/\//i.test(url)) return findProxied(parts, parseAbsoluteUri(url))
  if (!isPublishedPath(url.slice(1))) {
    return (await isOfOthers({ parts }, url)) ? findProxied(parts, parseHostPath(url)) : undefined
  }
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
