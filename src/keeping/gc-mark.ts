/**
 * What the garbage collector keeps, told by digest: everything that can be reached from what is named by a generation
 * that is kept, a pin, or a suite of an archive.
 *
 *   state -> extras; root -> leaf -> chunk and its member; the files that a chunk's stanzas name
 *   Release of a generation -> its three files, its pdiffs
 *   older index that the next pdiffs start from -> leaf -> member: its text, but neither its chunks nor their files
 *   newest states of archives -> also upstream's Release files and indexes, all indexes that these Releases name, and the
 *   images of the installer that those list: that is what the proxy serves
 *
 * Cost goes with the distinct leaves and chunks, not with the number of generations; a digest takes 16 bytes of memory.
 * What cannot be read ends the run: nothing is deleted by an incomplete list.
 */
import { readLeaves, readRoot } from '../archives/index-tree.ts'
import { readState, type SuiteState } from '../archives/suite-state.ts'
import { createDigestSet, type DigestSet } from '../base/digest-set.ts'
import { breathe } from '../base/mutex.ts'
import { type Sha256, sha256In } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { listPdiffRoots, pdiffBlobsOfReleases } from '../channels/pdiff-table.ts'
import { imagesNamed } from '../proxy/installer-files.ts'
import { filesOfReleases } from '../signing/publication-table.ts'

const LEAVES_AT_ONCE = 16
const RELEASES_AT_ONCE = 25

/** Where a walk begins. */
export interface Roots {
  /** States that generations and pins name. */
  readonly states: Iterable<Sha256>
  /** States that archives have, or had lately. */
  readonly upstream: Iterable<Sha256>
  /** Signed Releases that generations name. */
  readonly releases: readonly number[]
}

/** What is reached; the files that chunks name come in by gc-chunks.ts. */
export interface Marked {
  readonly blobs: DigestSet
  /** By the digests of their texts. */
  readonly chunks: DigestSet
}

/** The same, and what was walked through: told by its bytes, not by what others wrote about it. */
interface Walk extends Marked {
  readonly walked: DigestSet
}

/** Walks from the roots to the chunks. */
export async function mark(
  parts: ChannelParts,
  roots: Roots,
  signal: AbortSignal | undefined,
): Promise<Marked> {
  const walk: Walk = {
    blobs: createDigestSet(),
    chunks: createDigestSet(),
    walked: createDigestSet(),
  }
  for (let at = 0; at < roots.releases.length; at += RELEASES_AT_ONCE) {
    const some = roots.releases.slice(at, at + RELEASES_AT_ONCE)
    for (const digest of await filesOfReleases(parts.db, some)) walk.blobs.add(digest)
    for (const digest of await pdiffBlobsOfReleases(parts.db, some)) walk.blobs.add(digest)
    await breathe()
  }
  for (const digest of roots.states) {
    signal?.throwIfAborted()
    await walkState(parts, walk, digest)
  }
  for (const digest of roots.upstream) {
    signal?.throwIfAborted()
    await walkState(parts, walk, digest)
    await walkUpstream(parts, walk, await readState(parts.blobs, digest))
  }
  await walkPatched(parts, walk)
  return walk
}

/** After all others: what a walk came through before has its blobs. */
async function walkPatched(parts: ChannelParts, { blobs, walked }: Walk): Promise<void> {
  for (const root of await listPdiffRoots(parts.db)) {
    // A root is whole as long as it has been kept; one that a collection took before is no root of a patch any more.
    const isHere = walked.add(root) && (await parts.blobs.has(root))
    const named = isHere ? await readRoot(parts.db, root) : []
    const fresh = named.filter((leaf) => walked.add(leaf))
    const leaves = [...(await parts.blobs.present(fresh))]
    for (const [leaf, chunks] of await readLeaves(parts.db, leaves)) {
      blobs.add(leaf)
      for (const { member } of chunks) blobs.add(member)
    }
    if (isHere) blobs.add(root)
    await breathe()
  }
}

async function walkState(parts: ChannelParts, walk: Walk, digest: Sha256): Promise<void> {
  if (!walk.walked.add(digest)) return
  walk.blobs.add(digest)
  const state = await readState(parts.blobs, digest)
  for (const { sha256 } of Object.values(state.extras ?? {})) walk.blobs.add(sha256)
  for (const { root } of state.indexes) {
    if (!walk.walked.add(root)) continue
    walk.blobs.add(root)
    const leaves = (await readRoot(parts.db, root)).filter((leaf) => walk.walked.add(leaf))
    await walkLeaves(parts, walk, leaves)
  }
  await breathe()
}

async function walkLeaves(parts: ChannelParts, walk: Walk, digests: Sha256[]): Promise<void> {
  for (let at = 0; at < digests.length; at += LEAVES_AT_ONCE) {
    for (const [leaf, chunks] of await readLeaves(
      parts.db,
      digests.slice(at, at + LEAVES_AT_ONCE),
    )) {
      walk.blobs.add(leaf)
      for (const { plain, member } of chunks) {
        walk.chunks.add(plain)
        walk.blobs.add(member)
      }
    }
    await breathe()
  }
}

async function walkUpstream(
  parts: ChannelParts,
  { blobs }: Walk,
  { upstream }: SuiteState,
): Promise<void> {
  if (upstream === undefined) return
  const { inRelease, release, releaseGpg, files } = upstream
  for (const digest of [inRelease, release, releaseGpg, ...Object.values(files)]) {
    if (digest !== undefined) blobs.add(digest)
  }
  const signed = inRelease ?? release
  if (signed === undefined) return
  const text = await parts.blobs.read(signed)
  for (const digest of sha256In(text)) blobs.add(digest)
  for (const digest of await imagesNamed(parts.blobs, text)) blobs.add(digest)
  await breathe()
}
