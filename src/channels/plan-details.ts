/**
 * What a plan costs, source by source: binary packages, the bytes of all files, and those that are still to be fetched.
 */
import type { Sha256 } from '../base/sha256.ts'
import type { SourceChange } from './generation-table.ts'
import type { PromotionPlan, SuitePlan } from './plan.ts'

export interface PlannedChange extends SourceChange {
  /** Distinct binary packages that come, of whatever architecture. */
  readonly binaries: number
  readonly sizeBytes: number
  readonly fetchBytes: number
}

/** The changes of a plan, by archive and suite, where `missing` are the files that are not here. */
export function plannedChanges(
  plan: Pick<PromotionPlan, 'suites'>,
  missing: ReadonlySet<Sha256>,
): PlannedChange[] {
  return plan.suites.flatMap((suite) => changesIn(suite, missing))
}

function changesIn({ changes, diffs }: SuitePlan, missing: ReadonlySet<Sha256>): PlannedChange[] {
  const binaries = new Map<string, Set<string>>()
  const files = new Map<string, Map<Sha256, number>>()
  for (const { source, kind, name, files: named } of diffs.flatMap(({ added }) => added)) {
    const own = files.get(source) ?? new Map<Sha256, number>()
    files.set(source, own)
    // A package of all architectures stands in the index of each, with one file.
    for (const { sha256, size } of named) own.set(sha256, size)
    if (kind === 'Packages') binaries.set(source, (binaries.get(source) ?? new Set()).add(name))
  }
  return changes.map((change) => {
    const own = [...(files.get(change.source) ?? [])]
    const sum = (some: readonly (readonly [Sha256, number])[]): number =>
      some.reduce((bytes, [, size]) => bytes + size, 0)
    return {
      ...change,
      binaries: binaries.get(change.source)?.size ?? 0,
      sizeBytes: sum(own),
      fetchBytes: sum(own.filter(([sha256]) => missing.has(sha256))),
    }
  })
}
