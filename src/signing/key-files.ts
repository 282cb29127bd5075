/**
 * The private keys of publications: files `keys/<FINGERPRINT>.asc` of the data directory, mode 0600. Only the signing
 * process reads or writes them.
 *
 * Whose key a file is says the database; the user ID in it says for whom it was made. A key that was made just before a
 * crash is in no table: it is found by that user ID and used. Files were called `<kind>-<name>.asc` once; such a file is
 * renamed when its key is looked for.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSecret } from '../base/durable-file.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { generateSigningKey, readSigningKey, type SigningKey } from '../debian/openpgp-sign.ts'

export interface KeyFiles {
  /** A key made for this publication that is not `known`: one left by a crash, or a new one, on disk when it returns. */
  make(publication: string, at: number, known: readonly string[]): Promise<SigningKey>
  /** The key of this fingerprint, if its file is here; `ERR_KEYRING` for a file that holds something else. */
  find(publication: string, fingerprint: string): Promise<SigningKey | undefined>
}

const fileName = /^([0-9A-F]{40})\.asc$/

/** The keys in the folder `dir`, which is made if it is missing. */
export async function openKeyFiles(dir: string): Promise<KeyFiles> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const keys = new Map<string, SigningKey>()
  const pathOf = (fingerprint: string): string => join(dir, `${fingerprint}.asc`)
  const oldPathOf = (publication: string): string =>
    join(dir, `${publication.replace(':', '-')}.asc`)

  const find: KeyFiles['find'] = async (publication, fingerprint) => {
    const known = keys.get(fingerprint)
    if (known !== undefined) return known
    const key = (await readKey(pathOf(fingerprint))) ?? (await takeOver(publication, fingerprint))
    if (key === undefined) return undefined
    if (key.fingerprint !== fingerprint) {
      throw new AppError('ERR_KEYRING', {
        message: `${pathOf(fingerprint)} holds another key: ${key.fingerprint}`,
      })
    }
    keys.set(fingerprint, key)
    return key
  }
  /** The publication's file of the old naming, renamed, if it holds this key (or any). */
  const takeOver = async (
    publication: string,
    fingerprint?: string,
  ): Promise<SigningKey | undefined> => {
    const path = oldPathOf(publication)
    const key = await readKey(path)
    if (key === undefined || key.fingerprint !== (fingerprint ?? key.fingerprint)) return undefined
    await rename(path, pathOf(key.fingerprint))
    crashPoint('keys: renamed, directory not synced')
    await syncDir(dir)
    return key
  }
  /** A key of this publication that nobody knows of: made, and then there was a crash. */
  const findUnknown = async (
    publication: string,
    known: readonly string[],
  ): Promise<SigningKey | undefined> => {
    const old = await takeOver(publication)
    if (old !== undefined && !known.includes(old.fingerprint)) return old
    const name = userName(publication)
    for (const file of await readdir(dir)) {
      // Half a key that was never used.
      if (file.endsWith('.asc.new')) await rm(join(dir, file), { force: true })
      const fingerprint = fileName.exec(file)?.[1]
      if (fingerprint === undefined || known.includes(fingerprint)) continue
      const key = await find(publication, fingerprint)
      if (key?.userIds.includes(name)) return key
    }
    return undefined
  }
  return {
    find,
    make: async (publication, at, known) => {
      const left = await findUnknown(publication, known)
      if (left !== undefined) return left
      const name = userName(publication)
      const { armoredPrivate, fingerprint } = await generateSigningKey({ name }, at)
      await writeSecret(pathOf(fingerprint), armoredPrivate)
      const key = await readSigningKey(armoredPrivate)
      keys.set(fingerprint, key)
      return key
    },
  }
}

function userName(publication: string): string {
  return `Sluice ${publication.replace(':', ' ')}`
}

async function readKey(path: string): Promise<SigningKey | undefined> {
  try {
    return await readSigningKey(await readFile(path, 'utf8'))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

async function syncDir(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
