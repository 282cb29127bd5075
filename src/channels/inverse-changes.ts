/**
 * What going back changes, told by what the generations since then changed: no state is compared.
 */
import type { Generation, SourceChange } from './generation-table.ts'

/**
 * The changes from the newest of these generations back to the one before the oldest; undefined if one of them does not
 * tell its changes. In any order.
 */
export function inverseChanges(generations: readonly Generation[]): SourceChange[] | undefined {
  const sources = new Map<string, SourceChange>()
  for (const { changes } of [...generations].sort((a, b) => a.serial - b.serial)) {
    if (changes === undefined) return undefined
    for (const change of changes) {
      const key = `${change.archive} ${change.suite} ${change.source}`
      sources.set(key, { ...change, old: change.new, new: sources.get(key)?.new ?? change.old })
    }
  }
  return [...sources.values()].filter((change) => change.old.join(' ') !== change.new.join(' '))
}
