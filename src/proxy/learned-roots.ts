/**
 * What learned suites need of the store, for who deletes from it: their Releases, the indexes that clients asked for, and
 * the tables of what those name stay; so do packages, as long as an index names them, unless room is needed.
 */
import { listNewestStates } from '../archives/archive-table.ts'
import { readState } from '../archives/suite-state.ts'
import { createDigestSet, type DigestSet } from '../base/digest-set.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { Db } from '../store/database.ts'
import { imagesNamed } from './installer-files.ts'
import { type LearnedState, listLearned } from './learned-table.ts'
import { digestsIn } from './path-table.ts'

interface RootParts {
  readonly db: Db
  readonly blobs: BlobStore
}

/** Adds all that learned suites name. */
export async function markLearned(parts: RootParts, marked: Pick<DigestSet, 'add'>): Promise<void> {
  for (const { inRelease, release, releaseGpg, files, tables } of await statesOf(parts)) {
    const own = [inRelease, release, releaseGpg, ...Object.values(files), ...Object.values(tables)]
    for (const digest of own) if (digest !== undefined) marked.add(digest)
  }
  await addNamed(parts, marked)
  await addImages(parts, marked)
}

/**
 * Files that can be had again, though no origin tells where: packages that learned indexes name, and images of the
 * installer, of archives of this server too.
 */
export async function learnedFiles(parts: RootParts): Promise<Pick<DigestSet, 'has'>> {
  const files = createDigestSet()
  await addNamed(parts, files)
  await addImages(parts, files)
  for (const digest of await listNewestStates(parts.db)) {
    const { upstream } = await readState(parts.blobs, digest)
    await addImagesOf(parts, upstream?.inRelease ?? upstream?.release, files)
  }
  return files
}

async function addImages(parts: RootParts, files: Pick<DigestSet, 'add'>): Promise<void> {
  for (const { inRelease, release } of await statesOf(parts)) {
    await addImagesOf(parts, inRelease ?? release, files)
  }
}

/** What the lists of images name that this Release names. */
async function addImagesOf(
  { blobs }: RootParts,
  release: Sha256 | undefined,
  files: Pick<DigestSet, 'add'>,
): Promise<void> {
  if (release === undefined || !(await blobs.has(release))) return
  for (const digest of await imagesNamed(blobs, await blobs.read(release))) files.add(digest)
  await breathe()
}

async function addNamed(parts: RootParts, files: Pick<DigestSet, 'add'>): Promise<void> {
  const tables = new Set((await statesOf(parts)).flatMap(({ tables }) => Object.values(tables)))
  for (const table of tables) {
    for await (const digests of digestsIn(parts.blobs, table)) {
      for (const digest of digests) files.add(digest)
      await breathe()
    }
  }
}

async function statesOf({ db }: RootParts): Promise<readonly LearnedState[]> {
  return (await listLearned(db)).flatMap(({ states }) => states)
}
