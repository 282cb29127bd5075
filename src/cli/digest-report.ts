/**
 * How digests are shown.
 */
import type { DigestAnswer, DigestTroubleAnswer } from './api-digest-types.ts'
import { type Column, renderPairs, renderTable } from './table.ts'
import { formatTime, plural, printable } from './words.ts'

/** All digests, a line for each. */
export function digestTable(digests: readonly DigestAnswer[], width: number | undefined): string[] {
  if (digests.length === 0) return ['there is no digest: sluice digest create NAME --mail ADDRESS']
  const columns: Column<DigestAnswer>[] = [
    { title: 'DIGEST', value: (one) => one.name, isWhole: true },
    { title: 'OF', value: pairText },
    { title: 'GOES TO', value: targetText },
    { title: 'NEXT', value: nextText, isWhole: true },
    { title: 'SENT', value: ({ sentAt }) => (sentAt === undefined ? '' : formatTime(sentAt)) },
    { title: 'PROBLEM', value: problemText },
  ]
  return renderTable(columns, digests, width)
}

/** All of one digest. */
export function digestLines(digest: DigestAnswer): string[] {
  const { name, schedule, timeZone, always, sentAt, trouble, lacks } = digest
  return renderPairs([
    ['digest', name],
    ['of', pairText(digest)],
    ['goes to', targetText(digest)],
    ['schedule', `${schedule} (${timeZone})`],
    ['next', nextText(digest)],
    ['empty ones', always ? 'are sent too' : 'are not sent'],
    ['sent', sentAt === undefined ? 'never' : formatTime(sentAt)],
    ...(trouble === undefined ? [] : troublePairs(trouble)),
    ...(lacks === undefined
      ? []
      : ([['problem', `no mail goes: the server is not told ${lacks}`]] as const)),
  ])
}

function troublePairs(trouble: DigestTroubleAnswer): [string, string][] {
  const { message, hint, due, tries, since, retryAt, isPartly } = trouble
  const what = isPartly === true ? 'not sent to all' : 'not sent'
  const count = `${plural(tries, 'try', 'tries')} since ${formatTime(since)}`
  const next = retryAt === undefined ? 'given up' : `again ${formatTime(retryAt)}`
  return [
    ['problem', printable(`that of ${formatTime(due)} was ${what}: ${message}`)],
    ...(hint === undefined ? [] : [['hint', printable(hint)] as [string, string]]),
    ['tried', isPartly === true ? count : `${count}; ${next}`],
  ]
}

function pairText({ from = '(deleted)', to = '(deleted)' }: DigestAnswer): string {
  return `${from} -> ${to}`
}

function targetText({ recipients = [], webhook }: DigestAnswer): string {
  return webhook ?? recipients.join(', ')
}

function nextText({ enabled, nextAt }: DigestAnswer): string {
  if (!enabled) return 'switched off'
  return nextAt === undefined ? 'never' : formatTime(nextAt)
}

function problemText({ trouble, lacks }: DigestAnswer): string {
  if (trouble !== undefined) return printable(trouble.message)
  return lacks === undefined ? '' : `the server is not told ${lacks}`
}
