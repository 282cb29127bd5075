import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Names of files that lie half done in a data directory. Folders are not among them: the keyrings of a new channel are judged
 * in one, two seconds after it was made.
 */
export async function scratchFiles(dataDir: string): Promise<string[]> {
  const entries = await readdir(join(dataDir, 'tmp'), { withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
}
