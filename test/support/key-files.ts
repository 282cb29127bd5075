/**
 * Public keys as a machine has them, and what the judges say of a channel's signatures with them.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { armorPublicKeys, readPublicKeys } from '../../src/debian/public-keys.ts'
import { askGpgv, askSqv } from '../debian/openpgp-judges.ts'

/** The fingerprints of the keys at a URL. */
export async function keysAt(url: string): Promise<string[]> {
  return (await readPublicKeys(await bytesOf(url))).map((key) => key.fingerprint)
}

/** Writes one of the keys at a URL into a file. */
export async function writeOneKey(url: string, fingerprint: string, file: string): Promise<void> {
  const key = (await readPublicKeys(await bytesOf(url))).find(
    (one) => one.fingerprint === fingerprint,
  )
  if (key === undefined) throw new Error(`${url} has no key ${fingerprint}`)
  await writeFile(file, file.endsWith('.asc') ? armorPublicKeys([key.bytes]) : key.bytes)
}

/** Whether gpgv and sqv take the Release files below a URL with a binary keyring. */
export async function judgeSuite(
  dir: string,
  url: string,
  keyring: string,
): Promise<{ gpgv: string[]; sqv: boolean }> {
  const path = (name: string): string => join(dir, `judged-${name}`)
  for (const name of ['InRelease', 'Release', 'Release.gpg']) {
    await writeFile(path(name), await bytesOf(`${url}/${name}`))
  }
  const clear = await askGpgv(keyring, path('InRelease'))
  const detached = await askGpgv(keyring, path('Release.gpg'), path('Release'))
  return {
    gpgv: [...clear, ...detached],
    sqv: await askSqv(keyring, path('Release.gpg'), path('Release')),
  }
}

async function bytesOf(url: string): Promise<Buffer> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return Buffer.from(await response.arrayBuffer())
}
