/**
 * From a digest to the index of an archive that has it: files that a Release names itself have no origin, and are found in
 * the Releases of the newest states.
 */
import type { Sha256 } from '../base/sha256.ts'
import { splitClearSigned } from '../debian/clear-signed.ts'
import { parseRelease } from '../debian/release.ts'
import type { ArchiveParts } from './archive-parts.ts'
import { listArchives, listSuites } from './archive-table.ts'
import { fileUrls, suitePlace } from './fetch-index.ts'
import type { Located } from './locate.ts'
import { readState } from './suite-state.ts'

/** Where these can be had, of those that are indexes. */
export async function locateIndexes(
  { db, blobs }: Pick<ArchiveParts, 'db' | 'blobs'>,
  wanted: ReadonlySet<Sha256>,
): Promise<Map<Sha256, Located>> {
  const found = new Map<Sha256, Located>()
  for (const archive of await listArchives(db)) {
    for (const { suite, state } of await listSuites(db, archive)) {
      const upstream = state && (await readState(blobs, state)).upstream
      const text = upstream?.inRelease ?? upstream?.release
      if (text === undefined) continue
      const signed = await blobs.read(text)
      const isInline = upstream?.inRelease !== undefined
      const plain = isInline ? splitClearSigned(signed).lines.join('\n') : signed.toString('latin1')
      const release = parseRelease(Buffer.from(plain, 'latin1').toString())
      const place = suitePlace(archive.settings, suite)
      for (const file of release.files.values()) {
        const { sha256, size, path } = file
        if (!wanted.has(sha256)) continue
        found.set(sha256, {
          wanted: { sha256, size, label: `${suite} ${path}` },
          source: { urls: fileUrls({ ...place, release }, file) },
          archive: archive.name,
        })
      }
    }
  }
  return found
}
