/**
 * What the changelog of a source package says, out of those of its packages that can be opened: small ones first, until one
 * has a changelog. Each is read once, and what it says is written down by its digest (changelog-table.ts).
 */
import {
  beginningOf,
  type DebPackage,
  findChangelog,
  type PackedChangelog,
} from '../archives/deb-changelog.ts'
import type { Abortable } from '../base/abortable.ts'
import { isAppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import { absentBlobs } from '../store/blob-removal.ts'
import type { OpenBlob } from '../store/blobs.ts'
import type { Db } from '../store/database.ts'
import { type ChangelogDigest, digestChangelog } from './changelog-digest.ts'
import { type DebChangelog, findChangelogs, putChangelog } from './changelog-table.ts'

/** A binary package of a source package, by its file. */
export interface SourceDeb extends DebPackage {
  readonly sha256: Sha256
  /** Bytes. */
  readonly size: number
}

/**
 * What is known of a source. `none`: its packages have no changelog; `unreadable`, `too large`: nor can it be read in one of
 * them; `not here`: those that may have one are not here; `unread`: they are, and were not read in time.
 */
export type KnownChangelog = DebChangelog | 'not here' | 'unread'

/** What is known of packages. */
export interface DebsKnown {
  readonly known: Map<Sha256, DebChangelog>
  readonly absent: Set<Sha256>
}

/** Packages without a changelog that are looked into before it is given up. */
const MAX_TRIES = 4
/** Of a text, what may hold the newest entries. */
const READ_BYTES = 512 * 1024

/** What rows tell of packages. */
export async function lookUp(db: Db, debs: readonly SourceDeb[]): Promise<DebsKnown> {
  const digests = debs.map((deb) => deb.sha256)
  const known = await findChangelogs(db, digests)
  const unknown = digests.filter((one) => !known.has(one))
  const absent = new Set<Sha256>()
  for (let at = 0; at < unknown.length; at += 1000) {
    for (const one of await absentBlobs(db, unknown.slice(at, at + 1000))) absent.add(one)
  }
  return { known, absent }
}

/** What is settled of a source by that, without reading anything; `unread` if something is to be read. */
export function settledBy(
  debs: readonly SourceDeb[],
  { known, absent }: DebsKnown,
): KnownChangelog {
  let tried = 0
  let isHere = false
  let worst: 'none' | 'unreadable' | 'too large' = 'none'
  for (const { sha256 } of debs) {
    const one = known.get(sha256)
    if (typeof one === 'object') return one
    if (one !== undefined) {
      tried += 1
      if (one !== 'none') worst = one
    } else if (!absent.has(sha256)) isHere = true
  }
  if (tried === debs.length || tried >= MAX_TRIES) return worst
  return isHere ? 'unread' : 'not here'
}

export interface Reading extends Abortable {
  readonly db: Db
  /** The file of a package, which is closed when it was read; undefined if it is not to be had. */
  open(deb: SourceDeb): Promise<OpenBlob | undefined>
  /** Whether `open` may have packages that the store has not. */
  readonly canFetch: boolean
}

/** Reads packages of one source until one has a changelog. */
export async function readSource(
  reading: Reading,
  debs: readonly SourceDeb[],
): Promise<KnownChangelog> {
  const { db, signal, canFetch } = reading
  const facts = await lookUp(db, debs)
  // What is here before what is not, small ones first.
  const order = [...debs].sort(
    (a, b) =>
      Number(facts.absent.has(a.sha256)) - Number(facts.absent.has(b.sha256)) || a.size - b.size,
  )
  if (canFetch) facts.absent.clear()
  for (const deb of order) {
    signal?.throwIfAborted()
    const settled = settledBy(debs, facts)
    if (settled !== 'unread') return settled
    if (facts.known.has(deb.sha256) || facts.absent.has(deb.sha256)) continue
    const read = await readDeb(reading, debs, deb)
    if (read === 'not here') {
      facts.absent.add(deb.sha256)
      continue
    }
    facts.known.set(deb.sha256, read)
    await putChangelog(db, deb.sha256, read)
  }
  return settledBy(debs, facts)
}

/** A package that cannot be read cannot be installed either: that is told of it. */
async function readDeb(
  { open, signal }: Reading,
  debs: readonly SourceDeb[],
  deb: SourceDeb,
): Promise<DebChangelog | 'not here'> {
  try {
    const found = await findChangelog({ debs, open, signal }, deb)
    return typeof found === 'string' ? found : await digestOf(found, { signal })
  } catch (error) {
    if (isAppError(error, 'ERR_FORMAT')) return 'unreadable'
    if (isAppError(error, 'ERR_TOO_LARGE')) return 'too large'
    throw error
  }
}

async function digestOf(found: PackedChangelog, abortable: Abortable): Promise<ChangelogDigest> {
  const bytes = await beginningOf(found, READ_BYTES, abortable)
  return digestChangelog(bytes, bytes.length < READ_BYTES)
}
