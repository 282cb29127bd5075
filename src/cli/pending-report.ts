/**
 * How pending sources are shown.
 */
import type { PendingAnswer, PendingEntry } from './api-pending-types.ts'
import { type Column, renderTable } from './table.ts'
import { formatCount, formatSize, formatSpan, plural } from './words.ts'

/** What waits, or that nothing does and when there may be more. */
export function pendingLines(answer: PendingAnswer, width: number | undefined): string[] {
  const { from, to, pending, packages, hasMore, nextRefreshAt } = answer
  const now = Date.now()
  const next =
    nextRefreshAt === undefined
      ? 'To look upstream: sluice archive refresh'
      : `Next look upstream in ${formatSpan(nextRefreshAt - now)}, or: sluice archive refresh`
  if (pending.length === 0 && hasMore) {
    return [
      `No package waits, but ${from.channel} has more besides (source packages, descriptions or other files):`,
      `sluice promote --all --from ${from.channel} --to ${to.channel}`,
    ]
  }
  if (pending.length === 0) {
    const same = `${to.channel} is what ${from.channel} is (${plural(packages, 'package')})`
    return [`Nothing waits: ${same}. ${next}`]
  }
  const notes = pending.some((one) => one.note !== undefined)
  const columns: Column<PendingEntry>[] = [
    { title: 'SOURCE', value: (one) => one.source, isWhole: true },
    { title: to.channel.toUpperCase(), value: (one) => one.old.join(' ') || '–' },
    { title: from.channel.toUpperCase(), value: (one) => one.new.join(' ') || '–' },
    { title: 'SUITE', value: (one) => one.suite },
    { title: 'FOR', value: (one) => formatSpan(now - one.since), isWhole: true },
    { title: 'BINARIES', value: (one) => formatCount(one.binaries), align: 'right', isWhole: true },
    { title: 'SIZE', value: (one) => formatSize(one.sizeBytes), align: 'right', isWhole: true },
    ...(notes
      ? [{ title: 'NOTE', value: (one: PendingEntry) => one.note ?? '', isWhole: true }]
      : []),
  ]
  return renderTable(columns, pending, width)
}
