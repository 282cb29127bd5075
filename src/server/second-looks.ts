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

const SOON_S = 60
/** Pairs of client and file that are remembered, twice so many at the most. */
const REMEMBERED = 5000

/** Who was sent a file, and when (epoch seconds): most have one client in that time, and nothing is made for others. */
interface Sent {
  readonly address: string | undefined
  at: number
  others: Map<string | undefined, number> | undefined
}

/** Nothing was sent yet. */
export function createSecondLooks(news: BlobNews, clock: Clock): SecondLooks {
  // The younger ones, and those before them. A busy client costs no more than looking up a name.
  let [recent, older]: [Map<Sha256, Sent>, Map<Sha256, Sent>] = [new Map(), new Map()]
  let count = 0
  const remember = (sha256: Sha256, address: string | undefined, now: number): void => {
    const sent = recent.get(sha256)
    if (sent === undefined) recent.set(sha256, { address, at: now, others: undefined })
    else if (sent.address === address) sent.at = now
    else {
      sent.others ??= new Map()
      sent.others.set(address, now)
    }
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
      const now = Math.floor(clock.now() / 1000)
      const before = timeOf(recent.get(sha256), address) ?? timeOf(older.get(sha256), address)
      const isSoon = before !== undefined && Math.abs(now - before) < SOON_S
      if (isSoon) news.suspect(sha256)
      else remember(sha256, address, now)
    },
  }
}

function timeOf(sent: Sent | undefined, address: string | undefined): number | undefined {
  return sent?.address === address ? sent?.at : sent?.others?.get(address)
}
