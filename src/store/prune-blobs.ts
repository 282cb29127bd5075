/**
 * Takes the files of blobs out of a directory of backups that no backup in it names any more. Lists and folders are both
 * in the order of digests, and gone through side by side.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Abortable } from '../base/abortable.ts'
import { crashPoint } from '../base/fault.ts'
import type { Sha256 } from '../base/sha256.ts'
import { backupPaths, listSnapshots } from './backup-dir.ts'
import { readManifest } from './backup-manifest.ts'
import { readSums } from './backup-sums.ts'
import { filesBelow } from './save-blobs.ts'

/** How many files went. Throws, and nothing goes, if one of the backups cannot say which blobs it has. */
export async function pruneBlobs(dir: string, { signal }: Abortable = {}): Promise<number> {
  const paths = backupPaths(dir)
  const lists: { path: string; sums: Sha256 }[] = []
  for (const name of await listSnapshots(dir)) {
    const path = paths.snapshot(name)
    const { sums } = await readManifest(path)
    // To its end, where its digest is compared: half a list must not cost the other half its blobs.
    for await (const _ of readSums(path, sums)) signal?.throwIfAborted()
    lists.push({ path, sums })
  }
  const readers = lists.map(({ path, sums }) => readerOf(blobsOf(path, sums)))
  let gone = 0
  for (let at = 0; at < 256; at++) {
    signal?.throwIfAborted()
    const prefix = at.toString(16).padStart(2, '0')
    const named = new Set<string>()
    for (const reader of readers) await reader.take(prefix, named)
    for (const digest of await filesBelow(paths.blobs, prefix)) {
      if (named.has(digest)) continue
      await rm(join(paths.blobs, prefix, digest.slice(2)), { force: true })
      gone++
      crashPoint('backup: a file removed')
    }
  }
  return gone
}

async function* blobsOf(path: string, sums: Sha256): AsyncGenerator<Sha256> {
  for await (const lines of readSums(path, sums)) {
    for (const { sha256, name } of lines) if (name === 'blob') yield sha256
  }
}

/** Hands out a list in parts: all that begins so is put into `named`. */
function readerOf(digests: AsyncGenerator<Sha256>): {
  take(prefix: string, named: Set<string>): Promise<void>
} {
  let next: Sha256 | undefined
  return {
    take: async (prefix, named) => {
      for (;;) {
        next ??= (await digests.next()).value
        if (next === undefined || next.slice(0, 2) > prefix) return
        if (next.startsWith(prefix)) named.add(next)
        next = undefined
      }
    },
  }
}
