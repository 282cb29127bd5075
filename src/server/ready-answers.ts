/**
 * Answers that are ready: for URLs asked for lately what they came to, so that a hit out of memory is found, and sent, in one
 * turn, with headers made before: no database, no file, no path taken apart. Everything else goes the long way (own-files.ts,
 * proxied.ts), which remembers here what may be.
 *
 * An answer is used only while it `holds` and its bytes are in memory (hot-blobs.ts): what a channel or an archive changed, or
 * the store deleted, is seen by the next request. Parts of files and requests with a login are none of these.
 */
import type { IncomingMessage } from 'node:http'
import type { Answer, Lasting, ServedRelease } from '../archives/answer.ts'
import { createLru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { HotBlobs } from '../store/hot-blobs.ts'
import { httpDate } from './conditions.ts'
import { bodyHeaders, type FileHead, headersOf } from './file-headers.ts'

export interface ReadyAnswers {
  /** What to send for this request, if that is in memory. */
  find(request: IncomingMessage): ReadyAnswer | undefined
  /** Remembers what a GET of this URL came to, if that can be used again. */
  remember(url: string, answer: Answer): void
  /** Bytes of what is remembered, roughly. */
  weight(): number
}

/** A whole file in memory. */
export interface ReadyAnswer {
  readonly data: Buffer
  readonly head: ReadyHead
  /** What it came from. */
  readonly of: Remembered
}

/** Headers as `writeHead` takes them, which leaves them as they are. */
export interface ReadyHead {
  readonly lastModified: string
  /** With status 200. */
  readonly whole: string[]
  /** With 304. */
  readonly unchanged: string[]
}

/** An answer without what only the long way needs. */
interface Remembered extends Lasting {
  readonly holds: () => boolean
  readonly sha256: Sha256 | undefined
  readonly release: ServedRelease | undefined
  readonly isMutable: boolean
  readonly type: string
  /** Epoch seconds; undefined for that of the blob. */
  readonly modifiedAt: number | undefined
  /** Of one that is no blob. */
  readonly data: Buffer | undefined
  head?: KnownHead
}

/** Made of a blob's size and time; the bytes themselves are not kept from leaving. */
interface KnownHead extends ReadyHead {
  readonly size: number
  readonly blobModifiedAt: number | undefined
}

/** Bytes of memory: some thousands of URLs. */
const CAPACITY = 8 * 1024 * 1024
/** What an entry takes beside its URL and bytes. */
const ENTRY_BYTES = 1500
/** Longer ones, and those with a query, are asked for once. */
const URL_CHARS = 1024
const LARGEST_DATA = 1024 * 1024

/** Nothing is remembered yet. */
export function createReadyAnswers(hot: HotBlobs, capacity = CAPACITY): ReadyAnswers {
  const known = createLru<string, Remembered>(capacity)
  return {
    find: ({ url = '', headers }) => {
      const entry = known.get(url)
      if (entry === undefined) return undefined
      if (headers.range !== undefined || headers.authorization !== undefined) return undefined
      if (!entry.holds()) {
        known.delete(url)
        return undefined
      }
      const blob = entry.sha256 === undefined ? undefined : hot.small(entry.sha256)
      const data = entry.data ?? blob?.data
      if (data === undefined) return undefined
      return { data, head: headOf(entry, data.length, blob), of: entry }
    },
    remember: (url, answer) => {
      if (answer.kind !== 'bytes' && answer.kind !== 'blob') return
      const { holds, archive, confirmedAt, type, isMutable, modifiedAt } = answer
      if (holds === undefined || url.length > URL_CHARS || url.includes('?')) return
      const [data, sha256, release] =
        answer.kind === 'bytes'
          ? [answer.data, undefined, answer.release]
          : [undefined, answer.sha256, undefined]
      const size = data?.length ?? 0
      if (size > LARGEST_DATA) return
      const lasting = { holds, archive, confirmedAt }
      const entry = { ...lasting, sha256, release, isMutable, type, modifiedAt, data }
      known.set(url, entry, ENTRY_BYTES + url.length + size)
    },
    weight: known.weight,
  }
}

function headOf(
  entry: Remembered,
  size: number,
  blob: { readonly modifiedAt: number } | undefined,
): KnownHead {
  const { head } = entry
  const blobModifiedAt = blob?.modifiedAt
  if (head !== undefined && head.size === size && head.blobModifiedAt === blobModifiedAt) {
    return head
  }
  const lastModified = httpDate(entry.modifiedAt ?? blobModifiedAt ?? 0)
  const file: FileHead = { size, lastModified, isMutable: entry.isMutable, type: entry.type }
  const unchanged = Object.entries(headersOf(file, 'hit')).flat()
  const whole = [...unchanged, ...Object.entries(bodyHeaders(file)).flat()]
  const made = { size, blobModifiedAt, lastModified, whole, unchanged }
  entry.head = made
  return made
}
