/**
 * A machine that fetches the whole of the very same package again within a minute may have found its hash wrong: a free
 * sign of a damaged file, which is looked at then (keeping/scrub.ts, at most once an hour for each).
 */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { createLru } from '../base/lru.ts'
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
const REMEMBERED = 5000

/** Nothing was sent yet. */
export function createSecondLooks(news: BlobNews, clock: Clock): SecondLooks {
  const sent = createLru<string, number>(REMEMBERED)
  return {
    note: ({ method, headers }, address, sha256) => {
      if (method !== 'GET' || headers.range !== undefined) return
      if (headers['if-modified-since'] !== undefined) return
      const key = `${address} ${sha256}`
      const now = clock.now()
      const before = sent.get(key)
      sent.set(key, now)
      if (before !== undefined && Math.abs(now - before) < SOON_MS) news.suspect(sha256)
    },
  }
}
