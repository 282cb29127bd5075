/**
 * How all that is known of pending sources is shown: a block for each, with what its changelog says is new.
 */
import type { PendingAnswer, PendingEntry } from './api-pending-types.ts'
import { nothingLines, pendingNotes } from './pending-report.ts'
import { cut, renderPairs } from './table.ts'
import { formatChange, formatSize, formatSpan, formatTime, plural, printable } from './words.ts'

type Pair = readonly [string, string]

/** A block for each, cut to the width of a terminal. */
export function pendingBlocks(answer: PendingAnswer, width: number | undefined): string[] {
  const nothing = nothingLines(answer)
  if (nothing !== undefined) return nothing
  const lines = [
    ...answer.pending.flatMap((one) => [...blockOf(one, answer.at), '']),
    ...pendingNotes(answer),
  ]
  return width === undefined ? lines : lines.map((line) => cut(line, width))
}

function blockOf(one: PendingEntry, now: number): string[] {
  const { archive, suite, isSecurity } = one
  const title = `${formatChange(one)}  ${archive} ${suite}${isSecurity ? '  SECURITY' : ''}`
  return [printable(title), ...indented(renderPairs(pairsOf(one, now))), ...entryLines(one)]
}

function pairsOf(one: PendingEntry, now: number): Pair[] {
  const { binaries, sizeBytes, hold, decline, verdicts, cves } = one
  return [
    ['waits', waitText(one, now)],
    ['brings', `${plural(binaries, 'binary', 'binaries')}, ${formatSize(sizeBytes)}`],
    ['changelog', changelogText(one)],
    ...(cves.length > 0 ? [['CVEs', cves.join(' ')] as const] : []),
    ...(hold === undefined ? [] : [['held', holdText(hold)] as const]),
    ...(decline === undefined ? [] : [['declined', holdText(decline)] as const]),
    ...(decline === undefined ? [] : [['declined', holdText(decline)] as const]),
    ...needsPairs(one),
    ...verdicts.map(({ policy, words, goes, goesAt, enabled }): Pair => {
      const off = enabled ? '' : ' (switched off)'
      const when = goes || goesAt === undefined ? '' : `; goes ${formatTime(goesAt)} as things are`
      return ['policy', `${policy}${off}: ${words}${when}`]
    }),
  ]
}

function waitText({ since, old, arrival }: PendingEntry, now: number): string {
  const { replaced, isAtLeast } = arrival
  const least = isAtLeast ? ' at least' : ''
  const isAnew = replaced.length > 0 && replaced.join(' ') !== old.join(' ')
  const anew = isAnew ? `, when it took the place of ${replaced.join(' ')}` : ''
  return `${formatSpan(now - since)}${least}, since ${formatTime(since)}${anew}`
}

function needsPairs({ needs }: PendingEntry): Pair[] {
  if (needs === undefined) return [['needs', 'not known yet: --needs asks the gate']]
  const { words, isEnough, with: others } = needs
  if (words === undefined) return []
  const names = others.map((one) => formatChange(one)).join(', ')
  const what = isEnough ? names : 'nothing that waits is enough'
  return [
    ['needs', what],
    ['alone', `would break: ${words}`],
  ]
}

function holdText({ who, why, madeAt, until }: NonNullable<PendingEntry['hold']>): string {
  const end = until === undefined ? '' : ` until ${formatTime(until)}`
  return `by ${who} since ${formatTime(madeAt)}${end}${why === undefined ? '' : `: ${why}`}`
}

function changelogText(one: PendingEntry): string {
  const { changelog, entryCount, isCut, urgency, isOdd } = one
  if (changelog !== 'read') return states[changelog]
  if (entryCount === 0) return 'nothing new in it'
  const count = plural(entryCount, 'new entry', 'new entries')
  const known = isCut ? `at least ${count}` : count
  const odd = isOdd === true ? '; some of it is not UTF-8' : ''
  return `${known}, urgency ${urgency}${odd}`
}

const states: Readonly<Record<Exclude<PendingEntry['changelog'], 'read'>, string>> = {
  none: 'its packages have none',
  gone: 'none: it would go',
  unreadable: 'its packages cannot be read',
  'too large': 'too large to be read',
  'not here': 'not known, as none of its packages is here yet: --fetch gets one',
  unread: 'still being read: ask again',
}

function entryLines({ entries, entryCount }: PendingEntry): string[] {
  const lines = entries.flatMap(({ version, urgency, date, maintainer, lines: text }) => [
    [version, `urgency=${urgency}`, date, maintainer].filter(Boolean).join('  '),
    ...indented(text),
  ])
  const more = entryCount - entries.length
  return indented([
    ...lines.map(printable),
    ...(more > 0 ? [`and ${plural(more, 'older entry', 'older entries')}`] : []),
  ])
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}
