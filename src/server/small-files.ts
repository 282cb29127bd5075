/**
 * What a data directory has besides the database and the blobs, on its way into a backup and out of it: the files of
 * `keys/`, which are packed as they are under a passphrase, and the settings.
 */
import { chmod, mkdir, open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { sha256Of } from '../base/sha256.ts'
import { canSeal, type SecretFile, sealFiles } from '../debian/sealed-files.ts'
import { snapshotFiles, syncDir } from '../store/backup-dir.ts'
import type { Sum } from '../store/backup-sums.ts'

/** Those that are as they are, by the same name. */
export const plainFiles = [snapshotFiles.settings, snapshotFiles.imported] as const

/** The files of `keys/`; `ERR_STORE` for one that cannot be packed. */
export async function readKeys(dataDir: string): Promise<SecretFile[]> {
  const dir = join(dataDir, 'keys')
  const files: SecretFile[] = []
  for (const name of await namesIn(dir)) {
    // Half a key, from before a crash.
    if (name.endsWith('.new')) continue
    const data = await readIfThere(join(dir, name))
    if (data === undefined) continue
    const file = { name, data }
    if (!canSeal(file)) {
      throw new AppError('ERR_STORE', {
        message: `${join(dir, name)} is no key: it cannot be backed up`,
        hint: 'put it elsewhere',
      })
    }
    files.push(file)
  }
  return files
}

/** All keys that were there before or after; `after` as they are now. */
export function mergeKeys(
  before: readonly SecretFile[],
  after: readonly SecretFile[],
): SecretFile[] {
  const now = new Set(after.map(({ name }) => name))
  return [...before.filter(({ name }) => !now.has(name)), ...after]
}

/** Writes keys and settings into the backup at `path`, durable but for its directory; what was written. */
export async function packSmallFiles(
  dataDir: string,
  path: string,
  { keys, passphrase, at }: { keys: readonly SecretFile[]; passphrase: string; at: number },
): Promise<Sum[]> {
  const sums: Sum[] = []
  const put = async (name: Sum['name'], data: Buffer): Promise<void> => {
    await writeSynced(join(path, name), data, 0o600)
    sums.push({ sha256: sha256Of(data), name })
  }
  if (keys.length > 0) {
    await put(snapshotFiles.keys, await sealFiles(keys, passphrase, Math.floor(at / 1000)))
    crashPoint('backup: keys written')
  }
  for (const name of plainFiles) {
    const data = await readIfThere(join(dataDir, name))
    if (data !== undefined) await put(name, data)
  }
  return sums
}

/** Writes keys and settings into a data directory, durable when it returns. */
export async function unpackSmallFiles(
  dataDir: string,
  { keys, plain }: { keys: readonly SecretFile[]; plain: ReadonlyMap<string, Buffer> },
): Promise<void> {
  const dir = join(dataDir, 'keys')
  await mkdir(dir, { recursive: true })
  await chmod(dir, 0o700)
  for (const { name, data } of keys) {
    await writeSynced(join(dir, name), data, 0o600)
    crashPoint('restore: a key written')
  }
  await syncDir(dir)
  for (const [name, data] of plain) await writeSynced(join(dataDir, name), data, 0o644)
}

async function writeSynced(path: string, data: Buffer, mode: number): Promise<void> {
  const handle = await open(path, 'wx', mode)
  try {
    await handle.writeFile(data)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
