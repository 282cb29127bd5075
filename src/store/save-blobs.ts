/**
 * The files of blobs on their way into a directory of backups: linked where both lie on one file system, else copied and
 * hashed while they are. What is there already is left alone.
 *
 * A link costs nothing and is safe as long as nobody writes into it: blobs are 0444 and never changed. A copy gets its
 * name when it is whole and durable.
 */
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/abortable.ts'
import { systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { mapBounded } from '../base/mutex.ts'
import { parseSha256, type Sha256, sha256Stream } from '../base/sha256.ts'
import { syncDir } from './backup-dir.ts'
import { type BlobRow, listBlobs } from './blob-removal.ts'
import type { Db } from './database.ts'

/** Which blobs: those of a database, and where their files are. */
export interface BlobSource {
  readonly db: Db
  /** The folder `blobs` of a data directory. */
  readonly blobs: string
  /** Of these, which are wanted; all if not told. */
  readonly choose?: ((digests: readonly Sha256[]) => Promise<ReadonlySet<Sha256>>) | undefined
}

export interface Tally {
  count: number
  bytes: number
}

/** What there is to do: blobs that are wanted, those of them that are not in the backup yet, and those not wanted. */
export interface BlobPlan {
  readonly wanted: Tally
  readonly fresh: Tally
  readonly leftOut: Tally
}

export interface SavedBlobs extends BlobPlan {
  /** Those whose file is gone, or not what its name says. */
  readonly missing: Sha256[]
  readonly linked: Tally
}

export interface SaveInput {
  readonly source: BlobSource
  /** The folder `blobs` of the directory of backups. */
  readonly to: string
  readonly mayLink: boolean
  /** Told blobs that are in the backup now, in the order of their digests. */
  readonly onSaved: (digests: readonly Sha256[]) => Promise<void>
  /** Told what was brought, of what was not there yet. */
  readonly onProgress: (done: number, doneBytes: number) => void
}

const PAGE = 1000
const FILES_AT_ONCE = 4
const PIECE_BYTES = 256 * 1024
/** Other file systems, those without links, too many links of one file. */
const noLink: readonly (string | undefined)[] = [
  'EXDEV',
  'EPERM',
  'EMLINK',
  'ENOTSUP',
  'EOPNOTSUPP',
]

/** What would be done, without doing it. */
export async function planBlobs(
  source: BlobSource,
  to: string,
  { signal }: Abortable = {},
): Promise<BlobPlan> {
  const plan = { wanted: tally(), fresh: tally(), leftOut: tally() }
  for await (const { files, leftOut, here } of groupsOf(source, to, signal)) {
    for (const { size } of leftOut) add(plan.leftOut, size)
    for (const { sha256, size } of files) {
      add(plan.wanted, size)
      if (!here.has(sha256)) add(plan.fresh, size)
    }
  }
  return plan
}

/** Brings them into the backup; each is durable when it is told. */
export async function saveBlobs(input: SaveInput, { signal }: Abortable = {}): Promise<SavedBlobs> {
  const { source, to, onSaved } = input
  const saved = { wanted: tally(), fresh: tally(), leftOut: tally(), linked: tally() }
  const missing: Sha256[] = []
  for await (const { prefix, files, leftOut, here } of groupsOf(source, to, signal)) {
    for (const { size } of leftOut) add(saved.leftOut, size)
    const fresh = files.filter(({ sha256 }) => !here.has(sha256))
    if (fresh.length > 0) {
      await mkdir(join(to, prefix), { recursive: true, mode: 0o700 })
      await syncDir(to)
    }
    const lost = new Set<Sha256>()
    await mapBounded(fresh, FILES_AT_ONCE, async (blob) => {
      signal?.throwIfAborted()
      const how = await saveOne(input, blob)
      if (how === 'missing') lost.add(blob.sha256)
      else add(saved.fresh, blob.size)
      if (how === 'linked') add(saved.linked, blob.size)
      input.onProgress(saved.fresh.count, saved.fresh.bytes)
      crashPoint('backup: a file saved, directory not synced')
    })
    if (fresh.length > 0) await syncDir(join(to, prefix))
    missing.push(...lost)
    const whole = files.filter(({ sha256 }) => !lost.has(sha256))
    for (const { size } of whole) add(saved.wanted, size)
    await onSaved(whole.map(({ sha256 }) => sha256))
  }
  return { ...saved, missing }
}

/** File blobs with one and the same beginning, and what the backup has of these already. */
interface Group {
  readonly prefix: string
  readonly files: readonly BlobRow[]
  readonly leftOut: readonly BlobRow[]
  readonly here: ReadonlySet<string>
}

async function* groupsOf(
  { db, choose }: BlobSource,
  to: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Group> {
  let here: ReadonlySet<string> = new Set()
  let known: string | undefined
  for (let after: Sha256 | undefined; ; ) {
    signal?.throwIfAborted()
    const page = await listBlobs(db, after, PAGE)
    const last = page.at(-1)
    if (last === undefined) return
    after = last.sha256
    const files = page.filter((blob) => blob.isFile)
    const chosen = await choose?.(files.map(({ sha256 }) => sha256))
    for (const prefix of new Set(files.map(({ sha256 }) => sha256.slice(0, 2)))) {
      if (prefix !== known) here = await filesBelow(to, prefix)
      known = prefix
      const some = files.filter(({ sha256 }) => sha256.startsWith(prefix))
      const isWanted = ({ sha256 }: BlobRow): boolean => chosen?.has(sha256) ?? true
      const leftOut = some.filter((blob) => !isWanted(blob))
      yield { prefix, files: some.filter(isWanted), leftOut, here }
    }
  }
}

/** Digests of the blobs that begin so. */
export async function filesBelow(blobs: string, prefix: string): Promise<ReadonlySet<string>> {
  try {
    const names = (await readdir(join(blobs, prefix))).map((rest) => prefix + rest)
    return new Set(names.filter((name) => parseSha256(name) !== undefined))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return new Set()
    throw error
  }
}

async function saveOne(
  { source, to, mayLink }: SaveInput,
  { sha256, size }: BlobRow,
): Promise<'linked' | 'copied' | 'missing'> {
  const name = join(sha256.slice(0, 2), sha256.slice(2))
  const from = join(source.blobs, name)
  try {
    const found = await stat(from)
    if (found.size !== size) return 'missing'
    const isSafe = (found.mode & 0o222) === 0
    if (mayLink && isSafe && (await linked(from, join(to, name)))) return 'linked'
    const isSame = await copyBlob(from, { tmp: join(to, `.${sha256}`), to: join(to, name) }, sha256)
    return isSame ? 'copied' : 'missing'
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'missing'
    throw error
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (noLink.includes(systemCode(error))) return false
    throw error
  }
}

/**
 * Copies the file of a blob by way of a temp file on the same disk, with its time; durable but for its directory. False,
 * and nothing is there, if its bytes are not those of the digest.
 */
export async function copyBlob(
  from: string,
  { tmp, to }: { readonly tmp: string; readonly to: string },
  sha256: Sha256,
): Promise<boolean> {
  const source = await open(from, 'r')
  try {
    const { mtime } = await source.stat()
    const target = await open(tmp, 'wx', 0o600)
    try {
      if ((await pour(source, target)) !== sha256) {
        await rm(tmp)
        return false
      }
      await target.utimes(mtime, mtime)
      await target.chmod(0o444)
      await target.datasync()
    } finally {
      await target.close()
    }
    crashPoint('copy: durable, not in place')
    await rename(tmp, to)
    return true
  } finally {
    await source.close()
  }
}

async function pour(from: FileHandle, to: FileHandle): Promise<Sha256> {
  const piece = Buffer.allocUnsafe(PIECE_BYTES)
  const hash = sha256Stream()
  for (;;) {
    const { bytesRead } = await from.read(piece, 0, piece.length, null)
    if (bytesRead === 0) return hash.digest()
    const bytes = piece.subarray(0, bytesRead)
    hash.update(bytes)
    await to.writeFile(bytes)
  }
}

function tally(): Tally {
  return { count: 0, bytes: 0 }
}

function add(to: Tally, bytes: number): void {
  to.count++
  to.bytes += bytes
}
