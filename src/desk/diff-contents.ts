/**
 * How the packages of some sources differ between two generations, file by file: each binary package of the one against
 * what stands for it in the other. Files that are not here are fetched first, within a bound, and kept as any other.
 *
 * A package that cannot be read, or whose file is lost, is told with its problem; the others are compared all the same.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError, type ErrorCode, isAppError } from '../base/errors.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type FetchFailure, type FetchProgress, fetchFiles } from '../channels/fetch-files.ts'
import { findGeneration } from '../channels/generation-name.ts'
import type { SourceChange } from '../channels/generation-table.ts'
import type { NamedFile } from '../channels/needed-files.ts'
import type { GenerationView } from '../channels/views.ts'
import type { DebComparisons } from './compare-debs.ts'
import type { ContentsDifference } from './contents-difference.ts'
import { planContents } from './contents-plan.ts'
import type { PackagePair } from './pair-packages.ts'

export interface DiffContentsParts extends ChannelParts {
  readonly comparisons: DebComparisons
}

export interface DiffContentsInput {
  /** `approved`, `approved@17`. */
  readonly from: string
  readonly to: string
  /** Names of source packages, or of binary packages of them. */
  readonly sources: readonly string[]
  /** Those that are told have packages of all architectures besides; one unless told. */
  readonly architectures?: readonly string[] | undefined
  readonly onFile?: ((progress: FetchProgress) => void) | undefined
  readonly onPackage?:
    | ((progress: { readonly done: number; readonly total: number }) => void)
    | undefined
}

/** What stands in the way of comparing a package. */
export interface PackageProblem {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string | undefined
}

/** A binary package; one version is absent where it comes or goes. */
export interface PackageContents {
  readonly package: string
  readonly architecture: string
  readonly old?: string | undefined
  readonly new?: string | undefined
  /** The package that it takes the place of, where that has another name: `libfoo1` of `libfoo2`. */
  readonly renamedFrom?: string | undefined
  /** Absent for one that goes, for one whose file is the same, and where there is a problem. */
  readonly contents?: ContentsDifference | undefined
  readonly problem?: PackageProblem | undefined
}

export interface SourceContents extends SourceChange {
  readonly packages: readonly PackageContents[]
}

export interface ContentsComparison {
  readonly from: GenerationView
  readonly to: GenerationView
  readonly architectures: readonly string[]
  readonly sources: readonly SourceContents[]
  /** Sources that do not differ. */
  readonly same: readonly string[]
}

const MAX_PACKAGES = 500
const MAX_FILE_BYTES = 1024 ** 3
const MAX_FETCHED_BYTES = 2 * 1024 ** 3
/** Of the answer. */
const MAX_ANSWER_CHARS = 32 * 1024 ** 2

/**
 * Compares; `ERR_NOT_FOUND` for a name that neither has, `ERR_TOO_LARGE` if more is asked for than is told at once. Upstream
 * errors that may pass end it.
 */
export async function diffContents(
  parts: DiffContentsParts,
  input: DiffContentsInput,
  { signal }: Abortable = {},
): Promise<ContentsComparison> {
  const from = await findGeneration(parts, input.from)
  const to = await findGeneration(parts, input.to)
  const { architectures, sources: planned, same } = await planContents(parts, { from, to }, input)
  const pairs = planned.flatMap((one) => one.pairs)
  if (pairs.length > MAX_PACKAGES) throw tooMuch(`${pairs.length} packages`)
  const failures = await fetchMissing(parts, pairs, input, { signal })
  const sources: SourceContents[] = []
  let [done, chars] = [0, 0]
  for (const { change, pairs: own } of planned) {
    const packages: PackageContents[] = []
    for (const pair of own) {
      const made = await comparePackage(parts, pair, failures, { signal })
      chars += JSON.stringify(made).length
      if (chars > MAX_ANSWER_CHARS) throw tooMuch('differences')
      packages.push(made)
      done += 1
      input.onPackage?.({ done, total: pairs.length })
    }
    sources.push({ ...change, packages })
  }
  return { from, to, architectures, sources, same }
}

/** The files of packages that are to be read; of one that goes, nothing is. */
function filesOf({ old, new: fresh }: PackagePair): NamedFile[] {
  if (fresh === undefined || old?.sha256 === fresh.sha256) return []
  return old === undefined ? [fresh] : [old, fresh]
}

type Failures = ReadonlyMap<string, FetchFailure<NamedFile>>

/** Fetches what is not here; those that no URL has are told by digest. */
async function fetchMissing(
  parts: ChannelParts,
  pairs: readonly PackagePair[],
  { onFile }: DiffContentsInput,
  { signal }: Abortable,
): Promise<Failures> {
  const files = new Map(pairs.flatMap(filesOf).map((file) => [file.sha256, file]))
  const here = await parts.blobs.present([...files.keys()])
  const missing = [...files.values()].filter(
    ({ sha256, size }) => !here.has(sha256) && size <= MAX_FILE_BYTES,
  )
  const bytes = missing.reduce((sum, { size }) => sum + size, 0)
  if (bytes > MAX_FETCHED_BYTES) throw tooMuch(`${Math.round(bytes / 1e6)} MB to fetch`)
  const options = { onFile, goOn: ({ isGone }: FetchFailure<NamedFile>) => isGone }
  const failures = await fetchFiles(parts, missing, options, { signal })
  const passing = failures.find(({ isGone }) => !isGone)
  if (passing !== undefined) throw passing.error
  return new Map(failures.map((failure) => [failure.file.sha256, failure]))
}

async function comparePackage(
  { comparisons }: DiffContentsParts,
  pair: PackagePair,
  failures: Failures,
  abortable: Abortable,
): Promise<PackageContents> {
  const { old, new: fresh } = pair
  const { package: name = '', architecture = '' } = fresh ?? old ?? {}
  const renamedFrom = old !== undefined && old.package !== name ? old.package : undefined
  const one = { package: name, architecture, old: old?.version, new: fresh?.version, renamedFrom }
  if (fresh === undefined || old?.sha256 === fresh.sha256) return one
  const lost = [old, fresh].find((file) => file !== undefined && failures.has(file.sha256))
  if (lost !== undefined) return { ...one, problem: lostProblem(lost) }
  const large = [old, fresh].find((file) => (file?.size ?? 0) > MAX_FILE_BYTES)
  if (large !== undefined) return { ...one, problem: largeProblem(large) }
  try {
    return {
      ...one,
      contents: await comparisons.compare({ old: old?.sha256, new: fresh.sha256 }, abortable),
    }
  } catch (error) {
    if (!isAppError(error) || error.code === 'ERR_INTERRUPTED') throw error
    return { ...one, problem: { code: error.code, message: error.message, hint: error.hint } }
  }
}

function lostProblem({ package: name, version, architecture }: NamedFile): PackageProblem {
  return {
    code: 'ERR_BLOB_MISSING',
    message: `${name} ${version} ${architecture} is neither here nor at its archive any more`,
    hint: 'if another server still has such files: sluice archive set ARCHIVE --fallback URL',
  }
}

function largeProblem({ package: name, version, size }: NamedFile): PackageProblem {
  const message = `${name} ${version} has ${size} bytes: more than ${MAX_FILE_BYTES} are not read`
  return { code: 'ERR_TOO_LARGE', message }
}

function tooMuch(what: string): AppError {
  return new AppError('ERR_TOO_LARGE', {
    message: `${what}: more than is compared at once`,
    hint: 'name fewer sources, or one architecture (--arch)',
  })
}
