/**
 * A machine that fetches the whole of the very same package again within a minute may have found its hash wrong: a free
 * sign of a damaged file, which is looked at then (keeping/scrub.ts, at most once an hour for each).
 */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../base/clock.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { BlobNews } from '../store/blob-news.ts'

export interface SecondLooks {
  /** A blob that never changes is sent in answer to this request of a client at `address`. */
  note(
    request: Pick<IncomingMessage, 'method' | 'headers'>,
    address: string | undefined,
    sha256: Sha256,
  ): void
}

const SOON_MS = 60_000
/** Pairs of client and file that are remembered, twice so many at the most. */
const REMEMBERED = 5000

/** Epoch milliseconds by file and client. */
type Sent = Map<Sha256, Map<string | undefined, number>>

/** Nothing was sent yet. */
export function createSecondLooks(news: BlobNews, clock: Clock): SecondLooks {
  // The younger ones, and those before them. A busy client costs no more than looking up a name.
  let [recent, older]: [Sent, Sent] = [new Map(), new Map()]
  let count = 0
  const remember = (address: string | undefined, sha256: Sha256, now: number): void => {
    const clients = recent.get(sha256)
    if (clients === undefined) recent.set(sha256, new Map([[address, now]]))
    else clients.set(address, now)
    count += 1
    if (count < REMEMBERED) return
    older = recent
    recent = new Map()
    count = 0
  }
  return {
    note: ({ method, headers }, address, sha256) => {
      if (method !== 'GET' || headers.range !== undefined) return
      if (headers['if-modified-since'] !== undefined) return
      const now = clock.now()
      const before = recent.get(sha256)?.get(address) ?? older.get(sha256)?.get(address)
      const isSoon = before !== undefined && Math.abs(now - before) < SOON_MS
      if (isSoon) news.suspect(sha256)
      else remember(address, sha256, now)
    },
  }
}
