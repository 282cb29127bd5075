/**
 * What backups and restores tell.
 */
import type {
  BackupReport,
  CheckReport,
  RestoreReport,
  SnapshotInfo,
} from '../server/backup-report.ts'
import { type Column, renderTable } from './table.ts'
import { formatCount, formatSize, formatTime, plural, printable, someOf } from './words.ts'

/** A backup that was made. */
export function backupLines(report: BackupReport): string[] {
  const { dir, snapshot, databaseBytes, keys, files, fresh, linked, leftOut } = report
  const links = linked.count === 0 ? '' : `, ${formatCount(linked.count)} as links`
  const lines = [
    `backup   ${snapshot} in ${dir}`,
    `         database ${formatSize(databaseBytes)}, ${plural(keys, 'key')}`,
    `         ${sized(files)}, ${formatCount(fresh.count)} of them new (${formatSize(fresh.bytes)}${links})`,
  ]
  if (leftOut.count > 0) {
    lines.push(
      `left out ${sized(leftOut)}: fetched again when they are wanted; what upstream has dropped by then is lost`,
    )
  }
  if (report.missing.length > 0) {
    const some = someOf(report.missing, 3)
    lines.push(`missing  ${plural(report.missing.length, 'file')}, gone or damaged: ${some}`)
    lines.push('         sluice verify --deep, then another backup')
  }
  if (report.pruned.length > 0) lines.push(`removed  ${report.pruned.join(', ')}`)
  if (report.notPruned !== undefined) lines.push(`wrong    ${report.notPruned}: nothing is removed`)
  return lines.map(printable)
}

/** The backups of a directory. */
export function snapshotTable(
  snapshots: readonly SnapshotInfo[],
  width: number | undefined,
): string[] {
  if (snapshots.length === 0) return ['no backup yet']
  const columns: Column<SnapshotInfo>[] = [
    { title: 'BACKUP', value: (one) => one.name, isWhole: true },
    { title: 'MADE', value: (one) => (one.madeAt === undefined ? '' : formatTime(one.madeAt)) },
    { title: 'OF', value: (one) => [one.host, one.dataDir].filter(Boolean).join(':') },
    { title: 'DATABASE', value: (one) => sizeOf(one.databaseBytes), align: 'right' },
    { title: 'FILES', value: (one) => countOf(one.files?.count), align: 'right' },
    { title: 'SIZE', value: (one) => sizeOf(one.files?.bytes), align: 'right' },
    { title: 'KEYS', value: (one) => countOf(one.keys), align: 'right' },
    ...(snapshots.some((one) => one.problem !== undefined)
      ? [{ title: 'WRONG', value: (one: SnapshotInfo) => one.problem ?? '' }]
      : []),
  ]
  return renderTable(columns, snapshots, width)
}

/** A backup that was read whole. */
export function checkLines({ snapshot, madeAt, read, problems }: CheckReport): string[] {
  const what = `${snapshot}, made ${formatTime(madeAt)}`
  if (problems.length === 0) return [`all is well: ${what}, ${plural(read, 'file')}`]
  const lines = problems.map(({ file, message }) => printable(`wrong    ${file} ${message}`))
  const remedy = 'take such a file of blobs/ away, and the next backup brings it again'
  return [...lines, `${plural(problems.length, 'problem')} in ${what}; ${remedy}`]
}

/** A backup that was restored. */
export function restoreLines(report: RestoreReport): string[] {
  const { snapshot, madeAt, dataDir, files, keys, leftOut, missing } = report
  const lines = [
    `restored ${snapshot}, made ${formatTime(madeAt)}, into ${dataDir}: ${sized(files)}, ${plural(keys, 'key')}`,
    ...(leftOut > 0
      ? [`left out ${plural(leftOut, 'file')}: fetched again when they are wanted`]
      : []),
    ...missing.map((one) => `lost     ${one}, and nobody is known to have it`),
    'next     the server signs all channels anew when it starts, and makes a new token of the administrator:',
    `         sluice serve --data ${dataDir}`,
  ]
  return lines.map(printable)
}

function sized({ count, bytes }: { readonly count: number; readonly bytes: number }): string {
  return `${plural(count, 'file')} (${formatSize(bytes)})`
}

function sizeOf(bytes: number | undefined): string {
  return bytes === undefined ? '' : formatSize(bytes)
}

function countOf(count: number | undefined): string {
  return count === undefined ? '' : formatCount(count)
}
