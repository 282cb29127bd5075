/**
 * The private keys of publications: files `keys/<kind>-<name>.asc` of the data directory, mode 0600, never sent anywhere.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSecret } from '../base/durable-file.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { generateSigningKey, readSigningKey, type SigningKey } from '../debian/openpgp-sign.ts'

export interface SigningKeys {
  /** The key of a publication that has one: `ERR_CONFIG` if its file is gone. */
  get(publication: string): Promise<SigningKey>
  /** The key in the publication's file, made now if there is none. */
  ensure(publication: string, at: number): Promise<SigningKey>
}

/** The keys in the folder `dir`, read once each. */
export async function openSigningKeys(dir: string): Promise<SigningKeys> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const keys = new Map<string, SigningKey>()
  const path = (publication: string): string => join(dir, `${publication.replace(':', '-')}.asc`)
  const find = async (publication: string): Promise<SigningKey | undefined> => {
    const known = keys.get(publication)
    if (known !== undefined) return known
    const armored = await readIfThere(path(publication))
    if (armored === undefined) return undefined
    const key = await readSigningKey(armored)
    keys.set(publication, key)
    return key
  }
  return {
    get: async (publication) => {
      const key = await find(publication)
      if (key !== undefined) return key
      throw new AppError('ERR_CONFIG', {
        message: `the signing key of ${publication} is missing: ${path(publication)}`,
        hint: 'put it back from a backup: clients trust that key and no other',
      })
    },
    ensure: async (publication, at) => {
      const known = await find(publication)
      if (known !== undefined) return known
      const { armoredPrivate } = await generateSigningKey(
        { name: `Sluice ${publication.replace(':', ' ')}` },
        at,
      )
      await writeSecret(path(publication), armoredPrivate)
      const key = await readSigningKey(armoredPrivate)
      keys.set(publication, key)
      return key
    },
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
