/**
 * Which packages of two generations are to be compared: the sources that are meant by what was asked for, and of these the
 * binary packages that stand for each other.
 */
import { readState, type SuiteState } from '../archives/suite-state.ts'
import { AppError } from '../base/errors.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { entryPairs } from '../channels/compare.ts'
import { changesOf, diffStates } from '../channels/diff.ts'
import type { SourceChange } from '../channels/generation-table.ts'
import { newestSource } from '../channels/search.ts'
import type { GenerationView } from '../channels/views.ts'
import { type PackagePair, pairPackages } from './pair-packages.ts'

export interface ContentsPlan {
  readonly architectures: readonly string[]
  readonly sources: readonly PlannedSource[]
  /** Sources that do not differ. */
  readonly same: readonly string[]
}

/** A source package of one suite. */
export interface PlannedSource {
  readonly change: SourceChange
  readonly pairs: readonly PackagePair[]
}

/** What to compare; `ERR_NOT_FOUND` for a name, or an architecture, that neither has. */
export async function planContents(
  parts: ChannelParts,
  { from, to }: { readonly from: GenerationView; readonly to: GenerationView },
  wanted: {
    readonly sources: readonly string[]
    readonly architectures?: readonly string[] | undefined
  },
): Promise<ContentsPlan> {
  const suites = await readSuites(parts, from, to)
  const architectures = chooseArchitectures(suites, wanted.architectures)
  const { names, same } = await sourcesOf(parts, { from, to, suites }, wanted.sources)
  const sources = await planPairs(parts, suites, { names, architectures })
  return { architectures, sources, same }
}

/** A suite in both generations, or in one of them. */
interface SuitePair {
  readonly from: SuiteState | undefined
  readonly to: SuiteState | undefined
}

async function readSuites(
  { blobs }: ChannelParts,
  from: GenerationView,
  to: GenerationView,
): Promise<SuitePair[]> {
  const names = new Map(
    [...from.suites, ...to.suites].map((one) => [`${one.archive} ${one.suite}`, one]),
  )
  const pairs: SuitePair[] = []
  for (const { archive, suite } of names.values()) {
    const read = async (view: GenerationView): Promise<SuiteState | undefined> => {
      const found = view.suites.find((one) => one.archive === archive && one.suite === suite)
      return found && readState(blobs, found.state)
    }
    pairs.push({ from: await read(from), to: await read(to) })
  }
  return pairs
}

/** Those that are wanted; else amd64, else the first that there is. */
function chooseArchitectures(
  suites: readonly SuitePair[],
  wanted: readonly string[] | undefined,
): readonly string[] {
  const indexes = suites.flatMap(({ from, to }) => [
    ...(from?.indexes ?? []),
    ...(to?.indexes ?? []),
  ])
  const known = new Set(
    indexes.flatMap(({ kind, architecture }) => (kind === 'Packages' ? [architecture] : [])),
  )
  if (wanted === undefined) return known.has('amd64') ? ['amd64'] : [...known].sort().slice(0, 1)
  const unknown = wanted.find((one) => !known.has(one) && one !== 'all')
  if (unknown === undefined) return wanted
  throw new AppError('ERR_NOT_FOUND', {
    message: `neither has packages of the architecture ${unknown}`,
    hint: `there are: ${[...known].sort().join(' ')}`,
  })
}

interface Sides {
  readonly from: GenerationView
  readonly to: GenerationView
  readonly suites: readonly SuitePair[]
}

/** The sources that these names mean, apart those that do not differ. */
async function sourcesOf(
  parts: ChannelParts,
  { from, to, suites }: Sides,
  wanted: readonly string[],
): Promise<{ names: Set<string>; same: string[] }> {
  const names = new Set<string>()
  const same: string[] = []
  for (const name of new Set(wanted)) {
    const differs = await differsIn(parts, suites, name)
    if (differs) {
      names.add(name)
      continue
    }
    const found = (await newestSource(parts, to, name)) ?? (await newestSource(parts, from, name))
    if (found === undefined) {
      throw new AppError('ERR_NOT_FOUND', {
        message: `neither ${titleOf(from)} nor ${titleOf(to)} holds a source or binary package ${name}`,
        hint: `sluice search '${name}*'`,
      })
    }
    if (found.source !== name && (await differsIn(parts, suites, found.source))) {
      names.add(found.source)
    } else same.push(found.source)
  }
  return { names, same: [...new Set(same)] }
}

async function differsIn(
  parts: ChannelParts,
  suites: readonly SuitePair[],
  source: string,
): Promise<boolean> {
  for (const { from, to } of suites) {
    if ((await diffStates(parts, from, to, new Set([source]), 'ignored')).length > 0) return true
  }
  return false
}

function titleOf({ channel, serial }: GenerationView): string {
  return `${channel}@${serial}`
}

async function planPairs(
  parts: ChannelParts,
  suites: readonly SuitePair[],
  { names, architectures }: { names: ReadonlySet<string>; architectures: readonly string[] },
): Promise<PlannedSource[]> {
  const planned: PlannedSource[] = []
  for (const { from, to } of suites) {
    const named = to ?? from
    if (named === undefined || names.size === 0) continue
    const diffs = await diffStates(parts, from, to, names, 'ignored')
    const all = entryPairs(diffs.filter(({ kind }) => kind === 'Packages'))
    for (const change of changesOf(named, diffs)) {
      const pairs = pairPackages(all.get(change.source) ?? [], architectures)
      planned.push({ change, pairs })
    }
  }
  return planned
}
