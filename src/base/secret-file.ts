/**
 * Files that hold secrets: mode 0600 from their first byte, whole or not at all, and there after a power cut.
 */
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crashPoint } from './fault.ts'

/** Writes a file that only its owner may read: whole, or not at all; durable when it returns. */
export async function writeSecret(path: string, text: string): Promise<void> {
  const tmp = `${path}.new`
  const handle = await open(tmp, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  crashPoint('secret: written, not in place')
  await rename(tmp, path)
  crashPoint('secret: in place, directory not synced')
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
