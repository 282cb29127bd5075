/**
 * A backup that is read: which there are in a directory, what one of them has, and whether its files are as they were.
 */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { AppError, systemCode } from '../base/errors.ts'
import { type Sha256, sha256Of, sha256Stream } from '../base/sha256.ts'
import { backupPaths, listSnapshots } from './backup-dir.ts'
import { type Manifest, readManifest } from './backup-manifest.ts'
import { readSums } from './backup-sums.ts'

export interface Backup {
  readonly name: string
  readonly manifest: Manifest
  /** Files of its own that it has, with their digests. */
  readonly own: ReadonlyMap<string, Sha256>
  /** Where a file of its own is. */
  pathOf(name: string): string
  blobPath(sha256: Sha256): string
  /** Digests of the blobs that it has, some at a time. */
  blobs(): AsyncGenerator<Sha256[]>
}

/** A file of a backup that is not as it was. */
export interface Flaw {
  /** Below the directory of backups. */
  readonly file: string
  readonly message: string
  readonly isBlob: boolean
}

/** The backup of this name, or the newest; its manifest and its list are right. `ERR_NOT_FOUND`, `ERR_DIGEST_MISMATCH`. */
export async function openBackup(dir: string, wanted: string | undefined): Promise<Backup> {
  const names = await listSnapshots(dir)
  const name = wanted ?? names.at(-1)
  if (name === undefined || !names.includes(name)) {
    throw new AppError('ERR_NOT_FOUND', {
      message:
        wanted === undefined ? `there is no backup in ${dir}` : `there is no backup ${wanted}`,
      hint: wanted === undefined ? 'sluice backup DIR makes one' : `sluice restore ${dir} --list`,
    })
  }
  const paths = backupPaths(dir)
  const path = paths.snapshot(name)
  const manifest = await readManifest(path)
  const own = new Map<string, Sha256>()
  for await (const lines of readSums(path, manifest.sums)) {
    for (const one of lines) if (one.name !== 'blob') own.set(one.name, one.sha256)
  }
  return {
    name,
    manifest,
    own,
    pathOf: (file) => join(path, file),
    blobPath: (sha256) => join(paths.blobs, sha256.slice(0, 2), sha256.slice(2)),
    blobs: async function* () {
      for await (const lines of readSums(path, manifest.sums)) {
        yield lines.filter((one) => one.name === 'blob').map((one) => one.sha256)
      }
    },
  }
}

/** A small file of the backup's own, compared with its digest; undefined if the backup has none of this name. */
export async function readOwnFile(
  dir: string,
  backup: Backup,
  name: string,
): Promise<Buffer | undefined> {
  const expected = backup.own.get(name)
  if (expected === undefined) return undefined
  const path = backup.pathOf(name)
  const data = await readFile(path).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error
  })
  if (data !== undefined && sha256Of(data) === expected) return data
  throw damagedBackup(dir, [flawOf(dir, path, data === undefined, false)])
}

/** Reads a file of a backup whole; what is wrong with it. */
export async function findFlaw(
  dir: string,
  path: string,
  expected: Sha256,
  isBlob: boolean,
): Promise<Flaw | undefined> {
  const hash = sha256Stream()
  try {
    const pieces: AsyncIterable<Buffer> = createReadStream(path, { highWaterMark: 256 * 1024 })
    for await (const piece of pieces) hash.update(piece)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return flawOf(dir, path, true, isBlob)
    // A disk that cannot be read is what one looks for here.
    if (systemCode(error) !== 'EIO') throw error
    return flawOf(dir, path, false, isBlob)
  }
  return hash.digest() === expected ? undefined : flawOf(dir, path, false, isBlob)
}

/** What is wrong with a file: it is not there, or holds other bytes. */
export function flawOf(dir: string, path: string, isMissing: boolean, isBlob: boolean): Flaw {
  const message = isMissing ? 'is missing' : 'is damaged'
  return { file: relative(dir, path), message, isBlob }
}

/** That a backup cannot be restored for these. */
export function damagedBackup(dir: string, flaws: readonly Flaw[]): AppError {
  const [first] = flaws
  const more = flaws.length > 1 ? `, and ${flaws.length - 1} more` : ''
  const blobsOnly = flaws.every((flaw) => flaw.isBlob)
  return new AppError('ERR_DIGEST_MISMATCH', {
    message: `the backup is damaged: ${first?.file} ${first?.message}${more}`,
    hint: blobsOnly
      ? 'all but the packages: sluice restore --no-files; what archives have is fetched again when it is wanted'
      : `take another backup: sluice restore ${dir} --list`,
    details: { files: flaws.map(({ file }) => file).slice(0, 100) },
  })
}
