/**
 * A suite state: what one suite of one archive holds at one time. Immutable, a blob named by its digest.
 *
 * JSON with its keys in a fixed order, so that equal states have equal names. A state of a remote archive also says
 * what upstream served (`upstream`), which proxy mode serves byte for byte; one that came of a promotion has none.
 */
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256, sha256Of } from '../base/sha256.ts'
import type { BlobStore } from '../store/blobs.ts'

/** The fields of a Release that clients hold on to, as upstream gives them. */
export interface ReleaseIdentity {
  readonly origin?: string | undefined
  readonly label?: string | undefined
  readonly suite?: string | undefined
  readonly codename?: string | undefined
  readonly version?: string | undefined
  readonly description?: string | undefined
  readonly notAutomatic: boolean
  readonly butAutomaticUpgrades: boolean
}

/** What the stanzas of an index are: binary packages, source packages, or descriptions in one language. */
export type IndexKind = 'Packages' | 'Sources' | 'Translation'

/** Which index of a suite. */
export interface IndexName {
  readonly kind: IndexKind
  readonly component: string
  /** `amd64`; `source` for Sources; the language (`en`) for a Translation. */
  readonly architecture: string
}

/** One index that is kept as chunks: what it is, and the root of its chunk list. */
export interface IndexState extends IndexName {
  readonly root: Sha256
  readonly stanzas: number
  readonly plainSize: number
}

/** What upstream served when the state was made: digests of blobs. */
export interface UpstreamFiles {
  readonly date?: number | undefined
  readonly inRelease?: Sha256 | undefined
  readonly release?: Sha256 | undefined
  readonly releaseGpg?: Sha256 | undefined
  /** Index files as fetched: path below the suite -> digest. */
  readonly files: Readonly<Record<string, Sha256>>
}

/** Length and digest of a blob. */
export interface FileDigest {
  readonly sha256: Sha256
  readonly size: number
}

export interface SuiteState {
  readonly archive: string
  readonly suite: string
  readonly identity: ReleaseIdentity
  /** Sorted by their paths. */
  readonly indexes: readonly IndexState[]
  /** Files that are listed as they are (Contents, dep11): path below the suite -> blob. Absent where there are none. */
  readonly extras?: Readonly<Record<string, FileDigest>> | undefined
  /** The uncompressed forms of extras that are kept compressed: apt wants them listed, and nobody fetches them. */
  readonly plainForms?: Readonly<Record<string, FileDigest>> | undefined
  /** Contents of just these packages are to be made here, or are made and among the extras: see own-contents.ts. */
  readonly ownContents?: 'wanted' | 'made' | undefined
  readonly upstream?: UpstreamFiles | undefined
}

/** How the bytes of every state begin, and those of no other small blob. */
export const STATE_BEGIN = Buffer.from('{"format":1,"archive":')

/** The state as a blob, and its digest. */
export function encodeState(state: SuiteState): { digest: Sha256; blob: Buffer } {
  const { identity: id } = state
  const indexes = [...state.indexes].sort((a, b) => (indexPath(a) < indexPath(b) ? -1 : 1))
  const blob = Buffer.from(
    JSON.stringify({
      format: 1,
      archive: state.archive,
      suite: state.suite,
      identity: {
        origin: id.origin,
        label: id.label,
        suite: id.suite,
        codename: id.codename,
        version: id.version,
        description: id.description,
        notAutomatic: id.notAutomatic,
        butAutomaticUpgrades: id.butAutomaticUpgrades,
      },
      indexes: indexes.map(({ kind, component, architecture, root, stanzas, plainSize }) => ({
        // Absent for Packages: states written before there were others keep their names.
        kind: kind === 'Packages' ? undefined : kind,
        component,
        architecture,
        root,
        stanzas,
        plainSize,
      })),
      extras: sortedFiles(state.extras),
      plainForms: sortedFiles(state.plainForms),
      ownContents: state.ownContents,
      upstream: state.upstream,
    }),
  )
  return { digest: sha256Of(blob), blob }
}

/** Reads a state; `ERR_BLOB_MISSING`, or `ERR_STORE` if it is none. */
export async function readState(blobs: BlobStore, digest: Sha256): Promise<SuiteState> {
  const state: StoredState = JSON.parse((await blobs.read(digest)).toString())
  const isSound =
    state.format === 1 && state.indexes.every((one) => parseSha256(one.root) !== undefined)
  if (!isSound) {
    throw new AppError('ERR_STORE', {
      message: `suite state ${digest} is damaged`,
      hint: 'sluice verify',
    })
  }
  return {
    ...state,
    indexes: state.indexes.map((index) => ({ ...index, kind: index.kind ?? 'Packages' })),
  }
}

/** As JSON holds it. */
type StoredState = Omit<SuiteState, 'indexes'> & {
  readonly format: number
  readonly indexes: readonly (Omit<IndexState, 'kind'> & Partial<Pick<IndexState, 'kind'>>)[]
}

function sortedFiles(files: SuiteState['extras']): SuiteState['extras'] {
  const entries = Object.entries(files ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** Where an index stands below its suite: `main/binary-amd64/Packages`, `main/source/Sources`, `main/i18n/Translation-en`. */
export function indexPath({ kind, component, architecture }: IndexName): string {
  if (kind === 'Sources') return `${component}/source/Sources`
  if (kind === 'Translation') return `${component}/i18n/Translation-${architecture}`
  return `${component}/binary-${architecture}/Packages`
}

/** Whether it is an index of the installer's packages (udebs), which stand below a component: `main/debian-installer`. */
export function isForInstaller({ component }: Pick<IndexName, 'component'>): boolean {
  return component.endsWith('/debian-installer')
}

/** The indexes of binary packages that apt reads; those of the installer are none of an architecture's own. */
export function binaryIndexes({ indexes }: SuiteState): IndexState[] {
  return indexes.filter((index) => index.kind === 'Packages' && !isForInstaller(index))
}

/** The languages in which the state has descriptions. */
export function languagesOf({ indexes }: SuiteState): string[] {
  const own = indexes.filter((index) => index.kind === 'Translation')
  return [...new Set(own.map((index) => index.architecture))]
}

/** The index of this name, if the state has it. */
export function findIndex(
  state: SuiteState | undefined,
  wanted: IndexName,
): IndexState | undefined {
  return state?.indexes.find((one) => isSameIndex(one, wanted))
}

/** Whether two names mean the same index. */
export function isSameIndex(a: IndexName, b: IndexName): boolean {
  return a.kind === b.kind && a.component === b.component && a.architecture === b.architecture
}

/** Whether two states offer the same packages under the same identity, wherever they came from. */
export function offersSame(a: SuiteState, b: SuiteState): boolean {
  const bare = (state: SuiteState): Sha256 => encodeState({ ...state, upstream: undefined }).digest
  return bare(a) === bare(b)
}
