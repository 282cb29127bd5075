/**
 * Small files that are written whole or not at all, and are there after a power cut.
 */
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crashPoint } from './fault.ts'

/** Writes a file in place of what was there; durable when it returns. `mode` holds from its first byte. */
export async function writeDurable(path: string, text: string, mode = 0o644): Promise<void> {
  const tmp = `${path}.new`
  const handle = await open(tmp, 'w', mode)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  crashPoint('file: written, not in place')
  await rename(tmp, path)
  crashPoint('file: in place, directory not synced')
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** The same for what only its owner may read. */
export function writeSecret(path: string, text: string): Promise<void> {
  return writeDurable(path, text, 0o600)
}
