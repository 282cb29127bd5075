/**
 * Files that hold secrets: mode 0600 from their first byte, whole or not at all.
 */
import { open, rename } from 'node:fs/promises'

/** Writes a file that only its owner may read: whole, or not at all. */
export async function writeSecret(path: string, text: string): Promise<void> {
  const tmp = `${path}.new`
  const handle = await open(tmp, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(tmp, path)
}
