/**
 * Which source packages a promotion is of: by name and pattern, or all that differ; narrowed to those of security suites, to
 * those that the first channel has had for a while, and to all but some.
 *
 * What is named must be there and must go, else the promotion is refused; of what a pattern or a rule chooses, that goes
 * which can.
 */
import { hasSourceLike } from '../archives/chunk-table.ts'
import { AppError } from '../base/errors.ts'
import { findArrivals } from './arrivals.ts'
import type { ChannelParts } from './channel-parts.ts'
import { getChannel } from './channel-table.ts'
import type { SourceFilter } from './diff.ts'
import type { SourceChange } from './generation-table.ts'
import { parsePattern } from './package-pattern.ts'
import { isSecuritySuite } from './pending.ts'
import type { GenerationView, SuiteView } from './views.ts'

/** What of the selected is not taken. */
export interface Narrowing {
  /** Only what is of suites of security updates. */
  readonly security?: boolean | undefined
  /** Only what the first channel has had for so long. */
  readonly olderThanMs?: number | undefined
  /** Names and patterns (`linux*`) of sources that stay. */
  readonly except?: readonly string[] | undefined
}

/** Which source packages to promote; a version, if given, must be the one that the first channel has. */
export type Selection = Narrowing &
  (
    | { readonly kind: 'all' }
    | {
        readonly kind: 'sources'
        readonly sources: readonly WantedSource[]
        /** `linux*`: all such that differ. */
        readonly patterns?: readonly string[] | undefined
      }
  )

export interface WantedSource {
  readonly name: string
  readonly version?: string | undefined
  /** Only what this suite of this archive has of it; all suites unless told. */
  readonly in?: { readonly archive: string; readonly suite: string } | undefined
}

/** Why a selected source stays: it is not of a security suite, it came too lately, or it was excepted. */
export type NarrowedReason = 'not security' | 'too young' | 'excepted'

/** Whether it is the selection itself that leaves something out. */
export function isNarrowed(reason: string): reason is NarrowedReason {
  return reason === 'not security' || reason === 'too young' || reason === 'excepted'
}

export interface Narrowed extends SourceChange {
  readonly reason: NarrowedReason
}

/** A selection, ready to be asked. */
export interface Selector {
  /** The sources that differences are looked for in. */
  readonly filter: SourceFilter
  /** Whether the selection means the source of this change. */
  means(change: SourceChange): boolean
  /** Those of these changes, all of one suite, that the selection leaves where they are. */
  narrowed(changes: readonly SourceChange[], suite: SuiteView): Promise<Narrowed[]>
}

/** Whether all that the first channel has is meant, also what is no package. */
export function isWhole({ kind, security, olderThanMs }: Selection): boolean {
  return kind === 'all' && security !== true && olderThanMs === undefined
}

/** The sources that are named: not those that a pattern or a rule chooses. */
export function namedSources(selection: Selection): Set<string> {
  return new Set(selection.kind === 'all' ? [] : selection.sources.map(({ name }) => name))
}

/** Reads a selection from this generation; `ERR_USAGE` for a malformed pattern, `ERR_NOT_FOUND` for one that no source matches. */
export async function createSelector(
  parts: ChannelParts,
  from: GenerationView,
  selection: Selection,
): Promise<Selector> {
  const excepted = matcher(selection.except ?? [])
  const youngOf = youngIn(parts, from, selection.olderThanMs)
  const narrowed: Selector['narrowed'] = async (changes, suite) => {
    const isSecurity = isSecuritySuite(suite.suite, suite.release)
    const young = await youngOf(changes)
    return changes.flatMap((change) => {
      let reason: NarrowedReason | undefined
      if (excepted(change.source)) reason = 'excepted'
      else if (selection.security === true && !isSecurity) reason = 'not security'
      else if (young.has(change)) reason = 'too young'
      return reason === undefined ? [] : [{ ...change, reason }]
    })
  }
  if (selection.kind === 'all') {
    return { filter: 'all', means: () => true, narrowed }
  }
  const sources = Map.groupBy(selection.sources, ({ name }) => name)
  const patterns = selection.patterns ?? []
  const matches = matcher(patterns)
  await assertSome(parts, patterns)
  return {
    filter: patterns.length > 0 ? 'all' : new Set(sources.keys()),
    means: ({ source, archive, suite }) =>
      matches(source) ||
      (sources.get(source) ?? []).some(
        ({ in: where }) =>
          where === undefined || (where.archive === archive && where.suite === suite),
      ),
    narrowed,
  }
}

function matcher(patterns: readonly string[]): (source: string) => boolean {
  const all = patterns.map(parsePattern)
  return (source) => all.some((pattern) => pattern.matches(source))
}

/** A pattern that nothing ever matched is a slip. */
async function assertSome(parts: ChannelParts, patterns: readonly string[]): Promise<void> {
  for (const text of patterns) {
    if (await hasSourceLike(parts.db, parsePattern(text))) continue
    throw new AppError('ERR_NOT_FOUND', {
      message: `no archive has a source package that matches ${text}`,
      hint: `promotion goes by source package: sluice search ${JSON.stringify(text)}`,
    })
  }
}

/** Picks of changes those that the channel has not had for so long. */
function youngIn(
  parts: ChannelParts,
  from: GenerationView,
  olderThanMs: number | undefined,
): (changes: readonly SourceChange[]) => Promise<ReadonlySet<SourceChange>> {
  return async (changes) => {
    if (olderThanMs === undefined || changes.length === 0) return new Set()
    const channel = await getChannel(parts.db, from.channel)
    const arrivals = await findArrivals(parts, { channel, serial: from.serial }, changes)
    const latest = parts.clock.now() - olderThanMs
    return new Set(changes.filter((change) => arrivals(change).since > latest))
  }
}
