/**
 * What a suite's upstream served when its state was made, read from the store.
 */
import type { ArchiveParts } from '../archives/archive-parts.ts'
import { indexForms } from '../archives/fetch-index.ts'
import { readState, type UpstreamFiles } from '../archives/suite-state.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ReleaseFile } from '../debian/release.ts'
import { type ReadRelease, readStored } from './read-release.ts'

/** The files that are known by their digests, and the Release that lists all. */
export interface UpstreamSuite extends ReadRelease {
  readonly files: UpstreamFiles
}

/** The suite of this state; undefined for one that did not come from upstream. */
export async function readUpstream(
  parts: ArchiveParts,
  digest: Sha256,
): Promise<UpstreamSuite | undefined> {
  const { upstream } = await readState(parts.blobs, digest)
  const text = upstream?.inRelease ?? upstream?.release
  if (upstream === undefined || text === undefined) return undefined
  // Verified before it was stored.
  const signed = await parts.blobs.read(text)
  return { files: upstream, ...readStored(signed, upstream.inRelease !== undefined) }
}

/** Whether the refresh fetched this index in another form. */
export function hasStoredForm({ files, release }: UpstreamSuite, file: ReleaseFile): boolean {
  const plain = file.path.replace(/\.(xz|gz|bz2)$/, '')
  return indexForms(release, plain).some(
    (form) => form.path !== file.path && files.files[form.path] === form.sha256,
  )
}
