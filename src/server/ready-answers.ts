/**
 * Answers that are ready: for URLs asked for lately what they came to, so that a hit out of memory is found, and sent, in one
 * turn, with headers made before: no database, no file, no path taken apart. Everything else goes the long way (own-files.ts,
 * proxied.ts), which remembers here what may be.
 *
 * An answer is used only while it `holds` and its bytes are in memory (hot-blobs.ts): what a channel or an archive changed, or
 * the store deleted, is seen by the next request. Parts of files and requests with a login are none of these.
 */
import type { IncomingMessage } from 'node:http'
import type { Answer } from '../archives/answer.ts'
import { createLru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { HotBlobs, SmallBlob } from '../store/hot-blobs.ts'
import { httpDate } from './conditions.ts'
import { bodyHeaders, type FileHead, headersOf } from './file-headers.ts'

export interface ReadyAnswers {
  /** What to send for this request, if that is in memory. */
  find(request: Asked): ReadyAnswer | undefined
  /** What to send for a plain GET of this URL, if its file can be read at once. */
  pass(url: string): PassingAnswer | undefined
  /** See hot-blobs.ts. */
  keepPassing(): () => void
  /** The answer for this request, of a blob that may be in its file: it is the same as the long way would find. */
  recall(request: Asked): BlobAnswer | undefined
  /** What a plain GET of this URL came to. */
  known(url: string): Remembered['answer'] | undefined
  /** Remembers what a GET of this URL came to, if that can be used again. */
  remember(url: string, answer: Answer): void
  forget(url: string): void
  /** The headers of what is remembered for this URL, whose blob is this. */
  headFor(url: string, blob: Pick<SmallBlob, 'size' | 'modifiedAt'>): ReadyHead | undefined
  /** Bytes of what is remembered, roughly. */
  weight(): number
}

/** What of a request an answer depends on. */
export type Asked = Pick<IncomingMessage, 'url' | 'headers'>

type BlobAnswer = Extract<Answer, { kind: 'blob' }>

/** A whole file in memory. */
export interface ReadyAnswer {
  readonly data: Buffer
  readonly head: ReadyHead
  readonly answer: Remembered['answer']
  readonly isPassing?: undefined
}

/** One whose bytes are others as soon as the next is read: it is to be sent in this turn, or kept by `keepPassing`. */
export interface PassingAnswer extends Omit<ReadyAnswer, 'isPassing'> {
  readonly isPassing: true
}

/** Headers as `writeHead` takes them, which leaves them as they are. */
export interface ReadyHead {
  readonly lastModified: string
  /** With status 200. */
  readonly whole: string[]
  /** With 304. */
  readonly unchanged: string[]
}

interface Remembered {
  readonly answer: Extract<Answer, { kind: 'bytes' | 'blob' }>
  readonly holds: () => boolean
  head?: KnownHead
}

/** Made of a blob's size and time; the bytes themselves are not kept from leaving. */
interface KnownHead extends ReadyHead {
  readonly size: number
  readonly blobModifiedAt: number | undefined
}

/** Bytes of memory: some ten thousand URLs. */
const CAPACITY = 12 * 1024 * 1024
/** What an entry takes beside its URL and bytes. */
const ENTRY_BYTES = 800
/** Longer ones, and those with a query, are asked for once. */
const URL_CHARS = 1024
const LARGEST_DATA = 1024 * 1024

/** Whether a blob of this length is known to be whole, and one that may be sent. */
type KnownGood = (sha256: Sha256, size: number) => boolean

/** Nothing is remembered yet. */
export function createReadyAnswers(
  hot: HotBlobs,
  isGood: KnownGood,
  capacity = CAPACITY,
): ReadyAnswers {
  const known = createLru<string, Remembered>(capacity)
  const recall = ({ url = '', headers }: Asked): Remembered | undefined => {
    const entry = known.get(url)
    if (entry === undefined || headers.authorization !== undefined) return undefined
    if (entry.holds()) return entry
    known.delete(url)
    return undefined
  }
  return {
    find: (request) => {
      const entry = recall(request)
      if (entry === undefined || request.headers.range !== undefined) return undefined
      const { answer } = entry
      if (answer.kind === 'bytes') {
        const { data } = answer
        return { data, head: headOf(entry, data.length, undefined), answer }
      }
      const blob = hot.small(answer.sha256)
      if (blob === undefined || !isGood(answer.sha256, blob.size)) return undefined
      return { data: blob.data, head: headOf(entry, blob.size, blob.modifiedAt), answer }
    },
    pass: (url) => {
      const entry = recall({ url, headers: {} })
      if (entry?.answer.kind !== 'blob') return undefined
      const { answer } = entry
      const blob = hot.passing(answer.sha256)
      if (blob === undefined || !isGood(answer.sha256, blob.size)) return undefined
      const head = headOf(entry, blob.size, blob.modifiedAt)
      return { data: blob.data, head, answer, isPassing: true }
    },
    keepPassing: hot.keepPassing,
    recall: (request) => {
      const answer = recall(request)?.answer
      return answer?.kind === 'blob' ? answer : undefined
    },
    remember: (url, answer) => {
      if (answer.kind !== 'bytes' && answer.kind !== 'blob') return
      const { holds } = answer
      if (holds === undefined || url.length > URL_CHARS || url.includes('?')) return
      const size = answer.kind === 'bytes' ? answer.data.length : 0
      if (size > LARGEST_DATA) return
      known.set(url, { answer, holds }, ENTRY_BYTES + url.length + size)
    },
    known: (url) => recall({ url, headers: {} })?.answer,
    forget: known.delete,
    headFor: (url, { size, modifiedAt }) => {
      const entry = known.get(url)
      return entry && headOf(entry, size, modifiedAt)
    },
    weight: known.weight,
  }
}

function headOf(entry: Remembered, size: number, blobModifiedAt: number | undefined): KnownHead {
  const { head } = entry
  if (head !== undefined && head.size === size && head.blobModifiedAt === blobModifiedAt) {
    return head
  }
  const { modifiedAt = blobModifiedAt ?? 0, isMutable, type } = entry.answer
  const lastModified = httpDate(modifiedAt)
  const file: FileHead = { size, lastModified, isMutable, type }
  const unchanged = Object.entries(headersOf(file, 'hit')).flat()
  const whole = [...unchanged, ...Object.entries(bodyHeaders(file)).flat()]
  const made = { size, blobModifiedAt, lastModified, whole, unchanged }
  entry.head = made
  return made
}
