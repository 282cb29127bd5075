/**
 * The indexes of a suite state: those that changed are fetched and built, the others are taken from the last state.
 *
 * Where an archive keeps `all` packages in an index of their own, they are put into each architecture's: debootstrap
 * and image builders look only there.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { Release, ReleaseFile } from '../debian/release.ts'
import type { ArchiveParts } from './archive-parts.ts'
import type { Archive } from './archive-table.ts'
import { fetchIndex, type IndexSource, indexForms } from './fetch-index.ts'
import type { FetchedRelease } from './fetch-release.ts'
import { buildIndex, type SkippedStanza } from './index-build.ts'
import { openIndexText } from './index-text.ts'
import { measure } from './index-tree.ts'
import {
  findIndex,
  type IndexName,
  type IndexState,
  indexPath,
  type SuiteState,
} from './suite-state.ts'

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

/** The indexes, and the files as fetched: path below the suite -> digest. */
export interface ReadIndexes {
  readonly indexes: readonly IndexState[]
  readonly files: Readonly<Record<string, Sha256>>
  readonly skipped: readonly SkippedStanza[]
}

/** Reads all indexes of the suite that the archive's settings ask for; `old` is its last state. */
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
  const source: IndexSource = { urls, suite, release }
  const indexes: IndexState[] = []
  const files: Record<string, Sha256> = {}
  const skipped: SkippedStanza[] = []
  for (const wanted of wantedIndexes(archive, suite, release)) {
    const kept = unchangedIndex(wanted, release, old)
    if (kept !== undefined) {
      indexes.push(kept.index)
      Object.assign(files, kept.files)
      continue
    }
    const made = await readIndex(parts, archive, source, wanted, input)
    indexes.push(made.index)
    Object.assign(files, made.files)
    skipped.push(...made.skipped)
  }
  return { indexes, files, skipped }
}

/** An index to take: its own file, and for Packages that of `all` where the archive keeps it apart. */
interface WantedIndex extends IndexName {
  readonly paths: readonly string[]
}

function wantedIndexes(archive: Archive, suite: string, release: Release): WantedIndex[] {
  const { components, architectures, sources } = archive.settings
  // As apt reads it (IsArchitectureAllSupportedFor): Debian's security suite has such a file that nobody is to read.
  const isAllApart =
    release.architectures.includes('all') && release.noSupportForArchitectureAll !== 'Packages'
  const wanted: WantedIndex[] = []
  for (const component of components) {
    const all = indexPath({ kind: 'Packages', component, architecture: 'all' })
    for (const architecture of architectures) {
      const path = indexPath({ kind: 'Packages', component, architecture })
      const own = indexForms(release, path).length > 0 ? [path] : []
      const more = isAllApart && path !== all && indexForms(release, all).length > 0 ? [all] : []
      if (own.length + more.length > 0)
        wanted.push({ kind: 'Packages', component, architecture, paths: [...own, ...more] })
    }
  }
  if (wanted.length > 0)
    return [...wanted, ...(sources === true ? sourceIndexes(components, release) : [])]
  throw new AppError('ERR_FORMAT', {
    message: `${suite}: Release names no Packages for ${components.join(', ')} on ${architectures.join(', ')}`,
    hint: `it has the components ${release.components.join(', ')} and the architectures ${release.architectures.join(', ')}: sluice archive set ${archive.name} …`,
  })
}

/** The indexes of source packages that Release names. */
function sourceIndexes(components: readonly string[], release: Release): WantedIndex[] {
  return components
    .map((component) => ({ kind: 'Sources', component, architecture: 'source' }) as const)
    .map((name) => ({ ...name, paths: [indexPath(name)] }))
    .filter(({ paths }) => paths.some((path) => indexForms(release, path).length > 0))
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

async function readIndex(
  parts: ArchiveParts,
  archive: Archive,
  source: IndexSource,
  { kind, component, architecture, paths }: WantedIndex,
  { onEvent, signal }: ReadOptions,
): Promise<{
  index: IndexState
  files: Record<string, Sha256>
  skipped: readonly SkippedStanza[]
}> {
  const text = await openIndexText(parts.blobs.tempPath())
  try {
    const fetched: ReleaseFile[] = []
    const where = {
      archive: archive.name,
      suite: source.suite,
      path: indexPath({ kind, component, architecture }),
    }
    const onBytes = (doneBytes: number, sizeBytes: number): void =>
      onEvent?.({ kind: 'fetch', ...where, doneBytes, sizeBytes })
    for (const path of paths) {
      fetched.push(await fetchIndex(parts, source, { path, text }, { signal, onBytes }))
    }
    crashPoint('refresh: index fetched')
    const sizeBytes = fetched.reduce((sum, file) => sum + file.size, 0)
    const onProgress = (done: number, total: number): void =>
      onEvent?.({ kind: 'index', ...where, sizeBytes, done, total })
    const built = await buildIndex(parts, text, {
      kind,
      archiveId: archive.id,
      signal,
      onProgress,
    })
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
