/**
 * How checks and tokens are shown.
 */
import type { TokenAnswer, VerifyAnswer } from './api-types.ts'
import { type Column, renderTable } from './table.ts'
import { formatAgo, formatTime, plural, printable } from './words.ts'

/** What a check of the store found. */
export function verifyLines(report: VerifyAnswer): string[] {
  const { generations, states, chunks, blobs, problems } = report
  const read = [
    plural(generations, 'generation'),
    plural(states, 'suite state'),
    plural(chunks, 'chunk'),
    ...(blobs > 0 ? [plural(blobs, 'file')] : []),
  ].join(', ')
  if (problems.length === 0) return [`all is well: ${read}`]
  const lines = problems.flatMap((one, at) => {
    // What to do is mostly the same for all that follow.
    const isTold = one.hint === undefined || problems[at + 1]?.hint === one.hint
    const wrong = printable(`wrong    ${one.what}: ${one.message}`)
    return isTold ? [wrong] : [wrong, `         ${one.hint}`]
  })
  const { fetched, waiting, lost } = report.files
  const became = [
    ...(fetched > 0 ? [`${plural(fetched, 'file')} fetched again`] : []),
    ...(waiting > 0 ? [`${plural(waiting, 'file')} to be fetched when wanted`] : []),
    ...(lost > 0 ? [`${plural(lost, 'file')} lost`] : []),
  ]
  return [...lines, [`${plural(problems.length, 'problem')} in ${read}`, ...became].join('; ')]
}

/** Who may use the API. */
export function tokenTable(tokens: readonly TokenAnswer[], width: number | undefined): string[] {
  const columns: Column<TokenAnswer>[] = [
    { title: 'TOKEN', value: (one) => one.name, isWhole: true },
    { title: 'MADE', value: (one) => formatTime(one.madeAt) },
    ...(tokens.some((one) => one.uploads !== undefined) ? [{ title: 'FOR', value: purpose }] : []),
    ...(tokens.some((one) => one.lastUsedAt !== undefined)
      ? [{ title: 'LAST USED', value: lastUsed }]
      : []),
  ]
  return renderTable(columns, tokens, width)
}

function purpose({ uploads, direct }: TokenAnswer): string {
  if (uploads === undefined) return 'everything'
  return `uploads to ${uploads.join(', ')}${direct === true ? ', unsigned too' : ''}`
}

function lastUsed({ lastUsedAt }: TokenAnswer): string {
  return lastUsedAt === undefined ? 'never' : formatAgo(Date.now() - lastUsedAt)
}
