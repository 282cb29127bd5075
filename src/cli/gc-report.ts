/**
 * How collections are shown.
 */
import type { GcAnswer, GcReport } from './api-gc-types.ts'
import { type Column, renderTable } from './table.ts'
import { formatCount, formatDuration, formatSize, plural, printable } from './words.ts'

interface Row {
  readonly what: string
  readonly count: number
  readonly bytes?: number
  readonly waiting?: number
  readonly waitingBytes?: number
  readonly total?: number
  readonly totalBytes?: number
}

/** What went, or would go; what waits; how much of all that is. */
export function gcLines(
  report: GcReport,
  { isDryRun, width }: { readonly isDryRun: boolean; readonly width: number | undefined },
): string[] {
  const { expired, brake, durationMs } = report
  const rows = rowsOf(report).filter(({ count, waiting = 0 }) => count + waiting > 0)
  const columns: Column<Row>[] = [
    { title: '', value: (row) => row.what, isWhole: true },
    { title: isDryRun ? 'WOULD GO' : 'GONE', value: countOf((row) => row.count), align: 'right' },
    { title: 'BYTES', value: sizeOf((row) => row.bytes), align: 'right' },
    { title: 'IN A DAY', value: countOf((row) => row.waiting), align: 'right' },
    { title: 'BYTES', value: sizeOf((row) => row.waitingBytes), align: 'right' },
    { title: 'OF ALL', value: countOf((row) => row.total), align: 'right' },
    { title: 'BYTES', value: sizeOf((row) => row.totalBytes), align: 'right' },
  ]
  const isNothing = rows.every(({ count }) => count === 0)
  return [
    ...(rows.length === 0 ? [] : renderTable(columns, rows, width)),
    ...expired.map(({ channel, generations, oldest, newest }) => {
      const which = oldest === newest ? `${oldest}` : `${oldest} to ${newest}`
      return `${channel}: ${plural(generations, 'generation')}, ${which}`
    }),
    ...(isNothing ? [`nothing to delete; looked through in ${formatDuration(durationMs)}`] : []),
    ...(isNothing || isDryRun ? [] : [`done in ${formatDuration(durationMs)}`]),
    ...(isDryRun && brake !== undefined ? [`${brake}: that needs --force`] : []),
  ]
}

function rowsOf({ deleted, waiting, totals }: GcReport): Row[] {
  return [
    { what: 'generations', count: deleted.generations, total: totals.generations },
    { what: 'Release files', count: deleted.releases },
    { what: 'suite states', count: deleted.states },
    { what: 'chunks', count: deleted.chunks, waiting: waiting.chunks, total: totals.chunks },
    {
      what: 'small blobs',
      count: deleted.rows,
      bytes: deleted.rowBytes,
      waiting: waiting.rows,
      waitingBytes: waiting.rowBytes,
      total: totals.rows,
      totalBytes: totals.rowBytes,
    },
    {
      what: 'files',
      count: deleted.files,
      bytes: deleted.fileBytes,
      waiting: waiting.files,
      waitingBytes: waiting.fileBytes,
      total: totals.files,
      totalBytes: totals.fileBytes,
    },
    { what: 'origins of files', count: deleted.origins },
  ]
}

function countOf(read: (row: Row) => number | undefined): (row: Row) => string {
  return (row) => shown(read(row), formatCount)
}

function sizeOf(read: (row: Row) => number | undefined): (row: Row) => string {
  return (row) => shown(read(row), formatSize)
}

function shown(value: number | undefined, format: (value: number) => string): string {
  return value === undefined ? '' : format(value)
}

/** What people should know who look at channels: nothing is deleted any more, or not as it should be. */
export function gcWarnings({ last, room }: GcAnswer): string[] {
  return [...runWarnings(last), ...roomWarnings(room)]
}

function roomWarnings(room: GcAnswer['room']): string[] {
  if (room?.problem === undefined) return []
  return [
    `sluice: warning: ${printable(room.problem)}`,
    'sluice: hint: make room or raise max-size; sluice channel set --keep, --keep-days let channels keep less',
  ]
}

function runWarnings(last: GcAnswer['last']): string[] {
  if (last?.brake !== undefined) {
    return [
      `sluice: warning: the last collection deleted nothing: ${last.brake}`,
      'sluice: hint: sluice gc --dry-run tells what; if that is meant: sluice gc --force',
    ]
  }
  if (last?.problem === undefined) return []
  return [
    `sluice: warning: the last collection failed: ${printable(last.problem)}`,
    'sluice: hint: sluice gc tries again',
  ]
}
