/**
 * What is too much for one collection that nobody asked to force: more than a fifth of all generations or bytes, unless that
 * is little anyway. A store shrinks slowly; a fifth at once is a mistake in the settings, or a channel that was deleted.
 */
import type { GcPlan } from './gc-plan.ts'

const PART = 0.2
const FEW_GENERATIONS = 20
const FEW_BYTES = 256 * 1024 * 1024

/** Why this plan is too much, if it is. */
export function brakeOf({ due, totals }: Pick<GcPlan, 'due' | 'totals'>): string | undefined {
  const reasons: string[] = []
  const { generations } = due
  if (generations > FEW_GENERATIONS && generations > totals.generations * PART) {
    const part = percent(generations, totals.generations)
    reasons.push(`${generations} of ${totals.generations} generations (${part})`)
  }
  const bytes = due.rowBytes + due.fileBytes
  const allBytes = totals.rowBytes + totals.fileBytes
  if (bytes > FEW_BYTES && bytes > allBytes * PART) {
    reasons.push(`${megabytes(bytes)} of ${megabytes(allBytes)} (${percent(bytes, allBytes)})`)
  }
  if (reasons.length === 0) return undefined
  return `it would delete ${reasons.join(' and ')}, more than a fifth at once`
}

function percent(part: number, whole: number): string {
  return `${Math.round((part / whole) * 100)} %`
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}
