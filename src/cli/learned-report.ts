/**
 * How suites are shown that the server learned from what machines asked for.
 */
import type { LearnedAnswer } from './api-learned-types.ts'
import { type Column, renderTable } from './table.ts'
import { formatAgo, printable } from './words.ts'

/** A line for each suite. */
export function learnedTable(
  suites: readonly LearnedAnswer[],
  width: number | undefined,
): string[] {
  if (suites.length === 0)
    return ['nothing was learned: no machine asked for an archive that is not here']
  const now = Date.now()
  const columns: Column<LearnedAnswer>[] = [
    { title: 'URL', value: ({ url }) => printable(url) },
    { title: 'SUITE', value: ({ suite }) => (suite === '' ? './' : printable(suite)) },
    { title: 'SIGNED BY', value: ({ signers }) => signedBy(signers) },
    { title: 'CHECKED', value: ({ checkedAt }) => formatAgo(now - checkedAt), isWhole: true },
    { title: 'USED', value: ({ usedAt }) => formatAgo(now - usedAt), isWhole: true },
    { title: 'STATE', value: ({ problem }) => (problem === undefined ? 'ok' : problem.message) },
  ]
  return renderTable(columns, suites, width)
}

function signedBy([first, ...others]: readonly string[]): string {
  if (first === undefined) return 'not known here'
  const key = first.slice(-16)
  return others.length === 0 ? key : `${key} and ${others.length} more`
}
