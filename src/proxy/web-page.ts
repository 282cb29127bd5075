/**
 * A web page where a file of an archive should be: what captive portals, and servers that know no 404, answer with 200.
 * Nothing verifies what is handed through, so that it would reach a machine, and be kept for others, under a package's name.
 *
 * Only what says of itself that it is a page, and begins like one, is taken for one; and only where no page can be meant.
 */
import type { UpstreamResponse } from '../archives/upstream.ts'
import { AppError } from '../base/errors.ts'
import { looksLikeWebPage } from '../debian/openpgp-packets.ts'
import { webClassOf } from './web-rules.ts'

/** The same answer, its body still to be read; `ERR_UPSTREAM_PAGE` if it is a page in place of the file of this URL. */
export async function refusePage(
  url: string,
  response: UpstreamResponse,
): Promise<UpstreamResponse> {
  const type = response.headers['content-type'] ?? ''
  const path = URL.parse(url)?.pathname ?? url
  const isOther = !/^(?:text\/html|application\/xhtml)/i.test(type)
  if (response.status !== 200 || isOther || webClassOf(path) === 'volatile') return response
  const pieces = response.body[Symbol.asyncIterator]()
  const first = await pieces.next()
  const isPage = first.done !== true && looksLikeWebPage(first.value)
  if (!isPage) return { ...response, body: joined(first, pieces) }
  await pieces.return?.()
  throw new AppError('ERR_UPSTREAM_PAGE', {
    message: `${response.url}: answered with a web page in place of the file`,
    hint: 'open the URL by hand: a login page of the network, or a server that says so what it has not',
    details: { url: response.url },
  })
}

function joined(
  first: IteratorResult<Buffer>,
  rest: AsyncIterator<Buffer>,
): UpstreamResponse['body'] {
  let next: IteratorResult<Buffer> | undefined = first
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const piece = next ?? (await rest.next())
        next = undefined
        return piece
      },
      return: async () => (await rest.return?.()) ?? { done: true, value: undefined },
    }),
  }
}
