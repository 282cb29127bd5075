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

/** One `Packages` index: its component, its architecture, and the root of its chunk list. */
export interface IndexState {
  readonly component: string
  readonly architecture: string
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

export interface SuiteState {
  readonly archive: string
  readonly suite: string
  readonly identity: ReleaseIdentity
  /** Sorted by component and architecture. */
  readonly indexes: readonly IndexState[]
  readonly upstream?: UpstreamFiles | undefined
}

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
      indexes: indexes.map(({ component, architecture, root, stanzas, plainSize }) => ({
        component,
        architecture,
        root,
        stanzas,
        plainSize,
      })),
      upstream: state.upstream,
    }),
  )
  return { digest: sha256Of(blob), blob }
}

/** Reads a state; `ERR_BLOB_MISSING`, or `ERR_STORE` if it is none. */
export async function readState(blobs: BlobStore, digest: Sha256): Promise<SuiteState> {
  const state: SuiteState & { format: number } = JSON.parse((await blobs.read(digest)).toString())
  const isSound =
    state.format === 1 && state.indexes.every((one) => parseSha256(one.root) !== undefined)
  if (!isSound) {
    throw new AppError('ERR_STORE', {
      message: `suite state ${digest} is damaged`,
      hint: 'sluice verify',
    })
  }
  return state
}

/** Where an index stands below its suite: `main/binary-amd64/Packages`. */
export function indexPath(index: Pick<IndexState, 'component' | 'architecture'>): string {
  return `${index.component}/binary-${index.architecture}/Packages`
}

/** The index of this component and architecture, if the state has it. */
export function findIndex(
  state: SuiteState | undefined,
  wanted: Pick<IndexState, 'component' | 'architecture'>,
): IndexState | undefined {
  return state?.indexes.find(
    (one) => one.component === wanted.component && one.architecture === wanted.architecture,
  )
}

/** Whether two states offer the same packages under the same identity, wherever they came from. */
export function offersSame(a: SuiteState, b: SuiteState): boolean {
  const bare = (state: SuiteState): Sha256 => encodeState({ ...state, upstream: undefined }).digest
  return bare(a) === bare(b)
}
