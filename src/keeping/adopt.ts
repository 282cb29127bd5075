/**
 * Adoption: files that another cache, a machine or an image already has are copied into the store, if a verified index
 * names them. They are told by their SHA-256, whatever they are called; one that no index names stays where it is.
 *
 * Each file is hashed, looked up, copied (never linked: its owner may write to it), hashed again as it is copied, and made
 * durable for itself: after a crash the next run passes over what is here.
 */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { relative } from 'node:path'
import { listArchives } from '../archives/archive-table.ts'
import { originsOf } from '../archives/origins.ts'
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import { createDigestSet, type DigestSet } from '../base/digest-set.ts'
import { toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { mapBounded } from '../base/mutex.ts'
import { type Sha256, sha256Stream } from '../base/sha256.ts'
import type { ChannelParts, Reason } from '../channels/channel-parts.ts'
import { learnedFiles } from '../proxy/learned-roots.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import { assertRoom } from '../store/disk-reserve.ts'
import { type Found, reasonOf, walkPackages } from './adopt-walk.ts'
import type { Amount } from './file-counts.ts'

const AT_ONCE = 4
const BATCH = 32
const READ_BYTES = 1024 * 1024
const NAMED = 1000

export interface AdoptProgress {
  readonly done: number
  readonly total: number
  readonly doneBytes: number
  readonly totalBytes: number
}

export interface AdoptInput extends Reason {
  /** The whole path of a directory of this machine. */
  readonly dir: string
  /** Tells what would be taken, and takes nothing. */
  readonly dryRun?: boolean | undefined
  readonly onProgress?: ((progress: AdoptProgress) => void) | undefined
}

export interface AdoptReport {
  /** Taken, or on a dry run to be taken. */
  readonly adopted: Amount
  /** In the store before, or twice in the directory. */
  readonly held: Amount
  /** Package files that no index of an archive names. */
  readonly unknown: Amount
  /** At most 1000 of them, below the directory. */
  readonly unknownFiles: readonly string[]
  /** `pool/x.deb: EACCES`, at most 1000. */
  readonly unreadable: readonly string[]
  /** Files that are no packages. */
  readonly others: number
  /** Why it ended before all was looked at. */
  readonly problem?: string | undefined
}

type AdoptParts = Pick<ChannelParts, 'db' | 'blobs' | 'clock'>
type PackageFile = Extract<Found, { kind: 'file' }>

interface Run {
  readonly parts: AdoptParts
  readonly input: AdoptInput
  readonly archives: ReadonlySet<number>
  /** What archives name that nobody named, and whose indexes were verified as far as they can be. */
  readonly learned: Pick<DigestSet, 'has'>
  readonly seen: DigestSet
  readonly sums: Record<'adopted' | 'held' | 'unknown', { files: number; bytes: number }>
  readonly unknownFiles: string[]
  readonly unreadable: string[]
  others: number
  problem: string | undefined
}

/** Looks at all files below a directory, and takes in those that are named. */
export async function adoptFiles(
  parts: AdoptParts,
  input: AdoptInput,
  { signal }: Abortable = {},
): Promise<AdoptReport> {
  const run: Run = {
    parts,
    input,
    archives: new Set((await listArchives(parts.db)).map(({ id }) => id)),
    learned: await learnedFiles(parts),
    seen: createDigestSet(),
    sums: { adopted: none(), held: none(), unknown: none() },
    unknownFiles: [],
    unreadable: [],
    others: 0,
    problem: undefined,
  }
  const total = none()
  for await (const found of walkPackages(input.dir, signal)) {
    if (found.kind === 'file') add(total, found.size)
  }
  try {
    await adoptAll(run, total, signal)
  } finally {
    await note(run)
  }
  const { sums, unknownFiles, unreadable, others, problem } = run
  return { ...sums, unknownFiles, unreadable, others, problem }
}

async function adoptAll(run: Run, total: Amount, signal: AbortSignal | undefined): Promise<void> {
  const done = none()
  let batch: PackageFile[] = []
  const flush = async (): Promise<void> => {
    await mapBounded(batch, AT_ONCE, async (file) => {
      signal?.throwIfAborted()
      if (run.problem !== undefined) return
      await adoptOne(run, file, signal)
      add(done, file.size)
      const { files, bytes } = done
      run.input.onProgress?.({
        ...{ done: files, doneBytes: bytes },
        // Some may have come since they were counted.
        ...{ total: Math.max(files, total.files), totalBytes: Math.max(bytes, total.bytes) },
      })
    })
    batch = []
  }
  for await (const found of walkPackages(run.input.dir, signal)) {
    if (found.kind === 'other') run.others++
    if (found.kind === 'unreadable') noteUnreadable(run, found.path, found.reason)
    if (found.kind === 'file') batch.push(found)
    if (batch.length >= BATCH) await flush()
    if (run.problem !== undefined) return
  }
  await flush()
}

async function adoptOne(
  run: Run,
  { path, size }: PackageFile,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { parts, input, sums } = run
  try {
    const sha256 = await hashFile(path, signal)
    if (!(await isNamed(run, sha256, size))) {
      add(sums.unknown, size)
      if (run.unknownFiles.length < NAMED) run.unknownFiles.push(relative(input.dir, path))
      return
    }
    parts.blobs.withdrawn.refuse(sha256)
    if (!run.seen.add(sha256) || (await parts.blobs.has(sha256))) return add(sums.held, size)
    await assertRoom(parts.blobs, size, `to adopt ${relative(input.dir, path)}`)
    if (input.dryRun !== true) {
      const modifiedAt = nowSeconds(parts.clock)
      await parts.blobs.take(path, { sha256, size, modifiedAt })
      crashPoint('adopt: a file taken')
    }
    add(sums.adopted, size)
  } catch (error) {
    if (signal?.aborted) throw error
    const known = toAppError(error)
    const { code, cause } = known
    const isChanged = code === 'ERR_DIGEST_MISMATCH' || code === 'ERR_SIZE_MISMATCH'
    if (code === 'ERR_DISK_FULL') run.problem = known.message
    else if (isChanged) noteUnreadable(run, path, 'it was changed meanwhile')
    else if (code === 'ERR_GONE') noteUnreadable(run, path, known.message)
    else if (code === 'ERR_INTERNAL' || code === 'ERR_STORE') {
      noteUnreadable(run, path, reasonOf(cause))
    } else throw error
  }
}

async function isNamed(run: Run, sha256: Sha256, size: number): Promise<boolean> {
  if (run.learned.has(sha256)) return true
  const origins = await originsOf(run.parts.db, sha256)
  return origins.some(({ archiveId, size: named }) => run.archives.has(archiveId) && named === size)
}

/** Neither a link that took its place nor a pipe nobody writes to is waited for. */
async function hashFile(path: string, signal: AbortSignal | undefined): Promise<Sha256> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const handle = await open(path, flags)
  const hash = sha256Stream()
  for await (const piece of handle.createReadStream({ highWaterMark: READ_BYTES })) {
    signal?.throwIfAborted()
    hash.update(piece as Buffer)
  }
  return hash.digest()
}

function noteUnreadable(run: Run, path: string, reason: string): void {
  if (run.unreadable.length >= NAMED) return
  run.unreadable.push(`${relative(run.input.dir, path)}: ${reason}`)
}

async function note({ parts, input, sums }: Run): Promise<void> {
  if (input.dryRun === true || sums.adopted.files === 0) return
  const { dir, who, why } = input
  const detail = { ...sums.adopted }
  const row = { at: parts.clock.now(), who, why, what: 'adopt', object: dir, detail }
  await inTransaction(parts.db, (trx) => writeAudit(trx, row))
}

function none(): { files: number; bytes: number } {
  return { files: 0, bytes: 0 }
}

function add(sum: { files: number; bytes: number }, bytes: number): void {
  sum.files += 1
  sum.bytes += bytes
}
