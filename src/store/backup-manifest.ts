/**
 * What a backup says of itself: `manifest.json`, with the digest of its list `SHA256SUMS` and one of its own, so that each
 * byte of a backup is vouched for by the one before it.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurable } from '../base/durable-file.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { parseSha256, type Sha256, sha256Of } from '../base/sha256.ts'
import { snapshotFiles } from './backup-dir.ts'

export interface Manifest {
  /** Of the layout of a backup. */
  readonly format: 1
  /** Of Sluice. */
  readonly version: string
  /** Epoch milliseconds. */
  readonly madeAt: number
  readonly host: string
  readonly dataDir: string
  readonly databaseBytes: number
  /** File blobs in it. */
  readonly files: { readonly count: number; readonly bytes: number }
  /** Those that can be fetched again, and were not wanted. */
  readonly leftOut: { readonly count: number; readonly bytes: number }
  /** File blobs that the store should have had, and had not, or not as they were. */
  readonly missing: number
  /** Private keys in it. */
  readonly keys: number
  /** Digest of SHA256SUMS. */
  readonly sums: Sha256
}

/** Writes it, durable when it returns. */
export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  const whole = { ...manifest, digest: sha256Of(JSON.stringify(manifest)) }
  const text = `${JSON.stringify(whole, undefined, 2)}\n`
  await writeDurable(join(path, snapshotFiles.manifest), text, 0o600)
}

/** That of the backup at `path`; `ERR_DIGEST_MISMATCH` if it is not as it was written, `ERR_NOT_FOUND` if there is none. */
export async function readManifest(path: string): Promise<Manifest> {
  const file = join(path, snapshotFiles.manifest)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    throw new AppError('ERR_NOT_FOUND', { message: `${file} is missing: this is no backup` })
  }
  const manifest = parse(text)
  if (manifest === undefined) {
    throw new AppError('ERR_DIGEST_MISMATCH', {
      message: `${file} is damaged`,
      hint: 'take another backup of the same directory: sluice restore DIR --list',
    })
  }
  if (manifest.format !== 1) {
    throw new AppError('ERR_STORE', {
      message: `${file} was written by a newer Sluice (${manifest.version})`,
      hint: 'restore it with that version',
    })
  }
  return manifest
}

function parse(text: string): Manifest | undefined {
  try {
    const { digest, ...manifest }: Manifest & { digest: string } = JSON.parse(text)
    const isWhole = parseSha256(digest) === sha256Of(JSON.stringify(manifest))
    return isWhole ? manifest : undefined
  } catch {
    return undefined
  }
}
