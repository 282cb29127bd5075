/**
 * Versions that are revoked, in memory, for whoever makes indexes or hands out files. A name means all of these:
 *
 *   a source package of that name and version, with every binary package that was built from it
 *   a binary package of that name and version
 *
 * in whatever archive. What is revoked stands in no index that is published from then on (channels/without-revoked.ts asks
 * here for each generation), and its files are withdrawn from the store by their digests, which `noteFiles` is told of. The
 * indexes that upstream signed, and those of earlier generations, go on naming it.
 */
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { createMutex, type Mutex } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { withoutEpoch } from '../debian/version.ts'
import type { BlobStore } from '../store/blobs.ts'
import { type Db, inTransaction } from '../store/database.ts'
import type { StanzaFacts } from './index-kinds.ts'
import {
  addRevokedFiles,
  dropRevocation,
  listRevocations,
  listRevokedFiles,
  noteRevoked,
  putRevocation,
  type Revocation,
  type RevokedFile,
  type RevokedVersion,
} from './revocation-table.ts'

export type { Revocation, RevokedFile, RevokedVersion } from './revocation-table.ts'

/** What of a package says whether it is revoked. */
export type PackageIdentity = Pick<StanzaFacts, 'name' | 'version' | 'source' | 'sourceVersion'>

/** A package of an index, with its files. */
export type RevokedStanza = PackageIdentity & Pick<StanzaFacts, 'kind' | 'files'>

export interface Revocations {
  /** Another number whenever something was revoked, or is not any more. */
  readonly count: number
  /** By name and version. */
  list(): readonly Revocation[]
  /** The revocation of just this name and version. */
  find(version: RevokedVersion): Revocation | undefined
  /** By what a package is revoked. */
  of(entry: PackageIdentity): Revocation | undefined
  /** By what a version of a source package is revoked as a whole. */
  ofSource(source: string, version: string): Revocation | undefined
  /** Throws `ERR_REFUSED` if the package is revoked. */
  refuse(entry: PackageIdentity): void
  /** One change of these at a time. */
  readonly lock: Mutex
  /** Revokes in the database, with what else is to be written; seen here before anybody can see it there. */
  add(revocation: Revocation, also: (trx: Db) => Promise<void>): Promise<void>
  /** It is out of all channels now. */
  finish(version: RevokedVersion, doneAt: number): Promise<void>
  /** Takes it back; what no other revocation names is given back to the store, as far as it was kept. */
  drop(version: RevokedVersion, also: (trx: Db) => Promise<void>): Promise<void>
  /** Withdraws the files of these packages; each that is revoked. How many were new. */
  noteFiles(stanzas: readonly RevokedStanza[]): Promise<number>
  /** How many files of it are known. */
  filesOf(version: RevokedVersion): number
}

interface Known {
  readonly db: Db
  readonly blobs: BlobStore
  readonly byKey: Map<string, Revocation>
  /** File -> keys of what it is revoked by. */
  readonly files: Map<Sha256, Set<string>>
  count: number
}

/** What is revoked by the database; files that a crash left in the store are put aside. */
export async function openRevocations(db: Db, blobs: BlobStore): Promise<Revocations> {
  const known: Known = { db, blobs, byKey: new Map(), files: new Map(), count: 0 }
  for (const one of await listRevocations(db)) known.byKey.set(keyOf(one), one)
  const files = await listRevokedFiles(db)
  for (const file of files) remember(known, file)
  const here = await blobs.present(files.map(({ sha256 }) => sha256))
  for (const sha256 of here) await blobs.putAside(sha256)
  return {
    get count() {
      return known.count
    },
    list: () => [...known.byKey.values()],
    find: (version) => known.byKey.get(keyOf(version)),
    of: (entry) => revocationOf(known, entry),
    ofSource: (name, version) => known.byKey.get(keyOf({ name, version })),
    refuse: (entry) => {
      const found = revocationOf(known, entry)
      if (found !== undefined) throw refusalOf(found)
    },
    lock: createMutex(),
    add: (revocation, also) => add(known, revocation, also),
    finish: async (version, doneAt) => {
      await noteRevoked(db, version, doneAt)
      const own = known.byKey.get(keyOf(version))
      if (own !== undefined) known.byKey.set(keyOf(version), { ...own, doneAt })
    },
    drop: (version, also) => drop(known, version, also),
    noteFiles: (stanzas) => noteFiles(known, stanzas),
    filesOf: (version) => {
      const key = keyOf(version)
      return [...known.files.values()].filter((keys) => keys.has(key)).length
    },
  }
}

/** `hello 2 was revoked: it eats disks` */
export function revokedWords({ name, version, why }: Revocation): string {
  return `${name} ${version} was revoked: ${why}`
}

/** What is told to whoever wants to bring it all the same. */
export function refusalOf(revocation: Revocation): AppError {
  const { name, version } = revocation
  return new AppError('ERR_REFUSED', {
    message: revokedWords(revocation),
    hint: `raise the version; or, if it was revoked by mistake: sluice revoke --undo ${name}=${version} --reason TEXT`,
    details: { revocation },
  })
}

/** An epoch of 0 is no epoch. */
function keyOf({ name, version }: RevokedVersion): string {
  return `${name} ${/^0+:/.test(version) ? withoutEpoch(version) : version}`
}

function revocationOf(known: Known, entry: PackageIdentity): Revocation | undefined {
  return known.byKey.size === 0 ? undefined : revocationsOf(known, entry)[0]
}

/** As a binary package, and with its source. */
function revocationsOf({ byKey }: Known, entry: PackageIdentity): Revocation[] {
  const { source: name, sourceVersion: version } = entry
  const keys = new Set([keyOf(entry), keyOf({ name, version })])
  return [...keys].flatMap((key) => byKey.get(key) ?? [])
}

/** In memory first: what is published meanwhile looks here, in its own transaction. */
async function add(
  known: Known,
  revocation: Revocation,
  also: (trx: Db) => Promise<void>,
): Promise<void> {
  const { byKey, db } = known
  const before = byKey.get(keyOf(revocation))
  byKey.set(keyOf(revocation), revocation)
  known.count++
  try {
    await inTransaction(db, async (trx) => {
      await putRevocation(trx, revocation)
      await also(trx)
    })
  } catch (error) {
    if (before === undefined) byKey.delete(keyOf(revocation))
    else byKey.set(keyOf(revocation), before)
    known.count++
    throw error
  }
}

/**
 * Files come back first: what a crash leaves is revoked still, and put aside by the next start. What cannot be written down
 * puts them aside again.
 */
async function drop(
  known: Known,
  version: RevokedVersion,
  also: (trx: Db) => Promise<void>,
): Promise<void> {
  const key = keyOf(version)
  const { db, blobs, byKey, files } = known
  const revocation = byKey.get(key)
  const given: Sha256[] = []
  try {
    for (const [sha256, keys] of files) {
      if (!keys.has(key) || keys.size > 1) continue
      blobs.withdrawn.delete(sha256)
      given.push(sha256)
      await blobs.giveBack(sha256)
    }
    crashPoint('revoke: files given back')
    await inTransaction(db, async (trx) => {
      await dropRevocation(trx, revocation ?? version)
      await also(trx)
    })
  } catch (error) {
    for (const sha256 of given)
      if (revocation !== undefined) blobs.withdrawn.add(sha256, revokedWords(revocation))
    // One that stays where it was is not given to anybody, and the next start puts it aside.
    for (const sha256 of given) await blobs.putAside(sha256).catch(() => undefined)
    throw error
  }
  byKey.delete(key)
  known.count++
  for (const [sha256, keys] of files) if (keys.delete(key) && keys.size === 0) files.delete(sha256)
}

function remember({ byKey, files, blobs }: Known, file: RevokedFile): boolean {
  const key = keyOf(file)
  const revocation = byKey.get(key)
  const keys = files.get(file.sha256) ?? new Set()
  if (revocation === undefined || keys.has(key)) return false
  files.set(file.sha256, keys.add(key))
  blobs.withdrawn.add(file.sha256, revokedWords(revocation))
  return true
}

async function noteFiles(known: Known, stanzas: readonly RevokedStanza[]): Promise<number> {
  const fresh: RevokedFile[] = []
  for (const stanza of stanzas) {
    for (const { name, version } of revocationsOf(known, stanza)) {
      for (const { sha256 } of ownFiles(stanza)) {
        const file = { sha256, name, version }
        if (remember(known, file)) fresh.push(file)
      }
    }
  }
  if (fresh.length === 0) return 0
  await addRevokedFiles(known.db, fresh)
  for (const { sha256 } of fresh) await known.blobs.putAside(sha256)
  return fresh.length
}

/**
 * The files that this version has to itself: of a source package its .dsc and what its whole version is in the name of, since
 * the archive of what upstream released goes with other versions too.
 */
function ownFiles({ kind, files, source, sourceVersion }: RevokedStanza): RevokedStanza['files'] {
  if (kind !== 'Sources') return files
  const begin = `${source}_${withoutEpoch(sourceVersion)}.`
  return files.filter(({ path }, at) => {
    const name = path.slice(path.lastIndexOf('/') + 1)
    return at === 0 || (name.startsWith(begin) && !name.slice(begin.length).startsWith('orig'))
  })
}
