/**
 * How pending sources are shown: as a table, which on a narrow terminal leaves out what matters least and is never wider
 * than that; below it what there is to know of changelogs that were not read.
 */
import type { PendingAnswer, PendingEntry } from './api-pending-types.ts'
import { type Column, leastWidth, renderTable } from './table.ts'
import { formatCount, formatSize, formatSpan, plural, someOf } from './words.ts'

/** What waits, or that nothing does and when there may be more. */
export function pendingLines(answer: PendingAnswer, width: number | undefined): string[] {
  const nothing = nothingLines(answer)
  if (nothing !== undefined) return nothing
  const { pending } = answer
  return [...renderTable(columnsFor(answer, width), pending, width), ...pendingNotes(answer)]
}

/** That nothing waits, or nothing of what was asked for; undefined if something does. */
export function nothingLines(answer: PendingAnswer): string[] | undefined {
  const { from, to, pending, total, packages, hasMore, nextRefreshAt, at } = answer
  if (pending.length > 0) return undefined
  if (total > 0) {
    const wait =
      total === 1 ? 'The 1 source that waits is not' : `None of the ${total} that wait is`
    return [`${wait} what was asked for`, ...pendingNotes(answer)]
  }
  if (hasMore) {
    return [
      `No package waits, but ${from.channel} has more besides (source packages, descriptions or other files):`,
      `sluice promote --all --from ${from.channel} --to ${to.channel}`,
    ]
  }
  const next =
    nextRefreshAt === undefined
      ? 'To look upstream: sluice archive refresh'
      : `Next look upstream in ${formatSpan(nextRefreshAt - at)}, or: sluice archive refresh`
  const same = `${to.channel} is what ${from.channel} is (${plural(packages, 'package')})`
  return [`Nothing waits: ${same}. ${next}`]
}

/** What the table does not tell: what was left out, and whose changelog nobody knows. */
export function pendingNotes({ pending, matched, total, changelogs }: PendingAnswer): string[] {
  const { unread = 0, unreadable = 0 } = changelogs
  const absent = changelogs['not here'] ?? 0
  const large = changelogs['too large'] ?? 0
  const shown = pending.length
  return [
    ...(shown > 0 && shown < total
      ? [`${formatCount(shown)} of ${plural(total, 'source')} that wait`]
      : []),
    ...(shown > 0 && shown < matched ? [`${formatCount(matched - shown)} more: --limit`] : []),
    ...countLine(unread, 'still being read', 'ask again'),
    ...countLine(absent, 'not here yet', '--fetch gets a package of each'),
    ...countLine(unreadable + large, 'that cannot be read', '--details tells which'),
  ]
}

function countLine(count: number, which: string, hint: string): string[] {
  return count === 0 ? [] : [`changelogs ${which}: ${formatCount(count)} (${hint})`]
}

type PendingColumn = Column<PendingEntry>

/** All columns, or as many as a terminal has room for. */
function columnsFor(answer: PendingAnswer, width: number | undefined): PendingColumn[] {
  const { pending } = answer
  let columns = allColumns(answer)
  if (width === undefined) return columns
  for (const narrow of narrowings) {
    if (leastWidth(columns, pending) <= width) return columns
    columns = narrow(columns)
  }
  return columns
}

const cveCounts: PendingColumn = {
  title: 'CVES',
  value: (one) => (isKnown(one) ? formatCount(one.cves.length) : '?'),
  align: 'right',
  isWhole: true,
}

function instead(column: PendingColumn): (columns: PendingColumn[]) => PendingColumn[] {
  return (columns) => columns.map((one) => (one.title === column.title ? column : one))
}

function without(title: string): (columns: PendingColumn[]) => PendingColumn[] {
  return (columns) => columns.filter((column) => column.title !== title)
}

/** What a narrow terminal does without, one after the other. */
const narrowings: readonly ((columns: PendingColumn[]) => PendingColumn[])[] = [
  instead(cveCounts),
  without('BINARIES'),
  instead({ title: 'SUITE', value: (one) => one.suite, least: 12 }),
  without('SIZE'),
  without('SUITE'),
  (columns) => columns.map((one) => ({ ...one, least: Math.min(one.least ?? 8, 8) })),
  without('VERDICT'),
  without('NEEDS'),
  without('URGENCY'),
  without('NOTE'),
  without(cveCounts.title),
  (columns) => columns.map((one) => ({ ...one, isWhole: false, least: 4 })),
]

function allColumns({ from, to, pending, at }: PendingAnswer): PendingColumn[] {
  const only = (column: PendingColumn, isTold: (one: PendingEntry) => boolean): PendingColumn[] =>
    pending.some(isTold) ? [column] : []
  return [
    { title: 'SOURCE', value: (one) => one.source, isWhole: true },
    { title: to.channel.toUpperCase(), value: (one) => one.old.join(' ') || '–', least: 14 },
    { title: from.channel.toUpperCase(), value: (one) => one.new.join(' ') || '–', least: 14 },
    { title: 'SUITE', value: (one) => `${one.archive} ${one.suite}`, isWhole: true },
    { title: 'FOR', value: (one) => formatSpan(at - one.since), isWhole: true },
    ...only({ title: 'URGENCY', value: urgencyText, isWhole: true }, isKnown),
    ...only({ title: cveCounts.title, value: cveText, isWhole: true }, isKnown),
    { title: 'BINARIES', value: (one) => formatCount(one.binaries), align: 'right', isWhole: true },
    { title: 'SIZE', value: (one) => formatSize(one.sizeBytes), align: 'right', isWhole: true },
    ...only(
      { title: 'NOTE', value: (one) => one.note ?? '', isWhole: true },
      ({ note }) => note !== undefined,
    ),
    ...only({ title: 'NEEDS', value: needsText, least: 10 }, ({ needs }) => {
      return needs?.words !== undefined
    }),
    ...only({ title: 'VERDICT', value: verdictText, least: 14 }, ({ verdicts }) => {
      return verdicts.length > 0
    }),
  ]
}

/** Whether it is known which entries are new. */
function isKnown({ changelog }: PendingEntry): boolean {
  return changelog === 'read'
}

/** The urgency; `?` where the changelog is not known, `–` where there is none. */
export function urgencyText({ changelog, urgency }: PendingEntry): string {
  if (changelog === 'read') return urgency === 'unknown' ? '–' : urgency
  return changelog === 'none' || changelog === 'gone' ? '–' : '?'
}

function cveText(one: PendingEntry): string {
  if (one.changelog !== 'read') return urgencyText(one)
  return one.cves.length === 0 ? '–' : someOf(one.cves, 2)
}

/** The sources that must come along; `?` where nobody asked the gate. */
function needsText({ needs }: PendingEntry): string {
  if (needs === undefined) return '?'
  if (!needs.isEnough) return 'would break others'
  return needs.words === undefined
    ? ''
    : someOf([...new Set(needs.with.map((one) => one.source))], 3)
}

/** What the policies say: the one that lets it go, else the first whose schedule counts. */
export function verdictText({ verdicts }: Pick<PendingEntry, 'verdicts'>): string {
  const said =
    verdicts.find((one) => one.goes && one.enabled) ??
    verdicts.find((one) => one.enabled) ??
    verdicts[0]
  if (said === undefined) return ''
  return verdicts.length > 1 ? `${said.policy}: ${said.words}` : said.words
}
