/**
 * What a request for a file of an archive comes to, before it is HTTP: channels and the proxy make answers, the server
 * sends them.
 *
 * Whatever is called by name can change and is `mutable`: it is never sent in parts, and 304 needs the very same
 * Last-Modified (rule 2 of apt-on-the-wire.md). What is called by its digest never changes.
 */
import type { Sha256 } from '../base/sha256.ts'
import type { Located } from './locate.ts'

/** A signed Release as it is served: of which generation of which channel (`class/web`: a class). */
export interface ServedRelease {
  readonly channel: string
  readonly serial: number
  readonly archive: string
  /** By its path, whatever the client calls it. */
  readonly suite: string
  /** Asked for by the name of a generation. */
  readonly isPinned: boolean
}

/** What may be remembered for the URL that it was the answer to. */
export interface Lasting {
  /**
   * Whether the same request would come to the same answer now; asks no database. Absent where that is to be found out
   * anew each time, and where the answer is for one client alone.
   */
  readonly holds?: (() => boolean) | undefined
  /** Whose file it is, for figures. */
  readonly archive?: string | undefined
  /** Epoch milliseconds: when upstream last said that this is what it has. Of what can change. */
  readonly confirmedAt?: number | undefined
}

export type Answer =
  | (Lasting & {
      readonly kind: 'bytes'
      readonly data: Buffer
      readonly type: string
      /** Epoch seconds. */
      readonly modifiedAt: number
      readonly isMutable: boolean
      /** Of InRelease and Release. */
      readonly release?: ServedRelease | undefined
    })
  | (Lasting & {
      readonly kind: 'pieces'
      readonly size: number
      readonly type: string
      readonly modifiedAt: number
      readonly isMutable: boolean
      /** Opens it; what it gives puts bytes from `at` on into the buffer, one at the least, and says how many. */
      open(): Promise<{ read(buffer: Buffer, at: number, length: number): Promise<number> }>
    })
  | (Lasting & {
      /** A blob kept as a file, or to be fetched from where `locate` says. */
      readonly kind: 'blob'
      readonly sha256: Sha256
      readonly type: string
      /** Given for what is called by name; else the file's own time is Last-Modified. */
      readonly modifiedAt?: number | undefined
      readonly isMutable: boolean
      /** The client can do with another form of this file, which is here: if this one cannot be had, 404 says so. */
      readonly hasOtherForm?: boolean | undefined
      locate(): Promise<Located>
    })
  | {
      /** Handed through from upstream: not verified, not kept. */
      readonly kind: 'pass'
      readonly urls: readonly string[]
      /** The client's own, in base64, to be presented there: what comes is for that client alone. */
      readonly login?: string | undefined
    }

/** Content-Type by the ending of a file's name; apt does not look at it. */
export function contentType(path: string): string {
  if (path.endsWith('.deb') || path.endsWith('.udeb'))
    return 'application/vnd.debian.binary-package'
  if (path.endsWith('.gz')) return 'application/gzip'
  if (path.endsWith('.xz')) return 'application/x-xz'
  if (path.endsWith('.asc')) return 'application/pgp-keys'
  return path.includes('Release') ? 'text/plain; charset=utf-8' : 'application/octet-stream'
}

/** A Last-Modified (epoch seconds) for what never changes: the same for the same bytes, everywhere. */
export function digestTime(digest: Sha256): number {
  return 1_000_000_000 + (Number.parseInt(digest.slice(0, 7), 16) % 500_000_000)
}
