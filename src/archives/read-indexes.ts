/**
 * The indexes of a suite state: those that changed are fetched and built, the others are taken from the last state.
 *
 * Of a Translation only those entries are taken that the state's own packages name, so that it is read after them, and
 * again when they name others.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { Release } from '../debian/release.ts'
import type { ArchiveParts } from './archive-parts.ts'
import type { Archive } from './archive-table.ts'
import { descriptionName, namedDescriptions, nameSameDescriptions } from './description-names.ts'
import { type ExtraFiles, isAbsent, takeExtras } from './extra-files.ts'
import { type IndexSource, indexForms, suitePlace } from './fetch-index.ts'
import type { FetchedRelease } from './fetch-release.ts'
import { buildIndex, type SkippedStanza } from './index-build.ts'
import { measure } from './index-tree.ts'
import { type LoadedIndex, loadAhead, loadIndex } from './load-index.ts'
import { findIndex, type IndexState, indexPath, type SuiteState } from './suite-state.ts'
import { type WantedIndex, wantedIndexes } from './wanted-indexes.ts'

/** What a refresh tells while it works. */
export type RefreshEvent =
  | {
      readonly kind: 'suite'
      readonly archive: string
      readonly suite: string
      readonly signers: readonly string[]
      readonly date?: number | undefined
    }
  | {
      /** Bytes of an index on their way. */
      readonly kind: 'fetch'
      readonly archive: string
      readonly suite: string
      readonly path: string
      readonly doneBytes: number
      readonly sizeBytes: number
    }
  | {
      /** Stanzas of an index that are done. */
      readonly kind: 'index'
      readonly archive: string
      readonly suite: string
      readonly path: string
      readonly sizeBytes: number
      readonly done: number
      readonly total: number
    }

/** How to read: whom to tell, when to stop. */
export interface ReadOptions extends Abortable {
  readonly onEvent?: ((event: RefreshEvent) => void) | undefined
}

/** The indexes, the files as fetched (path below the suite -> digest), and files that are taken as they are. */
export interface ReadIndexes {
  readonly indexes: readonly IndexState[]
  readonly files: Readonly<Record<string, Sha256>>
  readonly skipped: readonly SkippedStanza[]
  readonly extras: ExtraFiles
}

/** Reads all of the suite that the archive's settings ask for; `old` is its last state. */
export async function readIndexes(
  parts: ArchiveParts,
  archive: Archive,
  suite: string,
  fetched: FetchedRelease,
  old: SuiteState | undefined,
  input: ReadOptions,
): Promise<ReadIndexes> {
  const { release } = fetched
  const urls = [fetched.url, ...archive.settings.urls.filter((url) => url !== fetched.url)]
  const source: IndexSource = { ...suitePlace(archive.settings, suite), urls, release }
  const where = { archive: archive.name, suite }
  const onBytes = (path: string, doneBytes: number, sizeBytes: number): void =>
    input.onEvent?.({ kind: 'fetch', ...where, path, doneBytes, sizeBytes })
  const { signal } = input
  const signed = fetched.inRelease ?? fetched.releaseText
  const jobs = wantedIndexes(archive, suite, { release, signed }).map((wanted) => ({
    wanted,
    kept: unchangedIndex(wanted, release, old),
  }))
  const loads = loadAhead(jobs, ({ wanted }, { isNow, signal: stop }) =>
    loadIndex(parts, source, wanted, {
      signal: signal === undefined ? stop : AbortSignal.any([signal, stop]),
      onBytes: (done, size) => isNow() && onBytes(indexPath(wanted), done, size),
    }),
  )
  const indexes: IndexState[] = []
  const files: Record<string, Sha256> = {}
  const skipped: SkippedStanza[] = []
  try {
    for (const job of jobs) {
      const { wanted, kept } = job
      const namers = namersOf(indexes, wanted)
      const before = namersOf(old?.indexes ?? [], wanted)
      if (kept !== undefined && (await nameSameDescriptions(parts, before, namers))) {
        indexes.push(kept.index)
        Object.assign(files, kept.files)
        continue
      }
      const loaded = await loads.take(job).catch((error: unknown) => {
        skipped.push(doneWithout(error, archive, wanted))
        return undefined
      })
      loads.startNext(job, ({ kept: other }) => other === undefined)
      if (loaded === undefined) continue
      const made = await readIndex(parts, archive, { ...loaded, suite, wanted, namers }, input)
      indexes.push(made.index)
      Object.assign(files, made.files)
      skipped.push(...made.skipped)
    }
  } finally {
    await loads.close()
  }
  const extras = await takeExtras(parts, archive.settings, source, { onBytes, signal })
  return { indexes, files, skipped: [...skipped, ...extras.skipped], extras }
}

/** Of what an archive lists and does not have, apt too does without descriptions; throws for all else. */
function doneWithout(error: unknown, { name }: Archive, wanted: WantedIndex): SkippedStanza {
  if (!isAbsent(error)) throw error
  const path = indexPath(wanted)
  if (wanted.kind === 'Translation') return { package: path, reason: error.message }
  const { code, message, details } = error
  const hint = `its Release lists ${path}: where the archive never has it, take less: sluice archive set ${name} --arch … --component …`
  throw new AppError(code, { message, hint, details, cause: error })
}

/** The `Packages` indexes that say which entries of a Translation are taken; none for other kinds. */
function namersOf(indexes: readonly IndexState[], { kind, component }: WantedIndex): Sha256[] {
  if (kind !== 'Translation') return []
  return indexes
    .filter((index) => index.kind === 'Packages' && index.component === component)
    .map((index) => index.root)
}

/** The index of the last state, if upstream still names the files that it was made of. */
function unchangedIndex(
  wanted: WantedIndex,
  release: Release,
  old: SuiteState | undefined,
): { index: IndexState; files: Record<string, Sha256> } | undefined {
  const index = findIndex(old, wanted)
  if (index === undefined) return undefined
  const files: Record<string, Sha256> = {}
  for (const path of wanted.paths) {
    const same = indexForms(release, path).find(
      (file) => old?.upstream?.files[file.path] === file.sha256,
    )
    if (same === undefined) return undefined
    files[same.path] = same.sha256
  }
  return { index, files }
}

interface ReadInput extends LoadedIndex {
  readonly suite: string
  readonly wanted: WantedIndex
  /** See `namersOf`. */
  readonly namers: readonly Sha256[]
}

async function readIndex(
  parts: ArchiveParts,
  archive: Archive,
  { text, fetched, suite, wanted, namers }: ReadInput,
  { onEvent, signal }: ReadOptions,
): Promise<{
  index: IndexState
  files: Record<string, Sha256>
  skipped: readonly SkippedStanza[]
}> {
  try {
    const { kind, component, architecture, only } = wanted
    const where = { archive: archive.name, suite, path: indexPath(wanted) }
    const sizeBytes = fetched.reduce((sum, file) => sum + file.size, 0)
    const onProgress = (done: number, total: number): void =>
      onEvent?.({ kind: 'index', ...where, sizeBytes, done, total })
    const named = kind === 'Translation' ? await namedDescriptions(parts, namers) : undefined
    const isTaken =
      (named && ((name: string, md5: string) => named.has(descriptionName(name, md5)))) ??
      (only && ((_name: string, its: string) => only.includes(its)))
    const how = { kind, archiveId: archive.id, isTaken, signal, onProgress }
    const built = await buildIndex(parts, text, how)
    const files = Object.fromEntries(fetched.map((file) => [file.path, file.sha256]))
    const { stanzas, plainSize } = measure(built.chunks)
    return {
      index: { kind, component, architecture, root: built.root, stanzas, plainSize },
      files,
      skipped: built.skipped,
    }
  } finally {
    await text.close()
  }
}
