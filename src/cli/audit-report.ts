/**
 * How the audit is shown. CSV is that of RFC 4180: CRLF, quotes doubled; a cell that a spreadsheet would take for a formula
 * gets an apostrophe before it, because reasons and names are what somebody typed.
 */
import type { AuditAnswer, AuditCheckAnswer } from './api-types.ts'
import type { Column } from './table.ts'
import { formatTime, plural, printable } from './words.ts'

/** Who changed what. */
export const auditColumns: readonly Column<AuditAnswer>[] = [
  { title: 'WHEN', value: (one) => formatTime(one.at), isWhole: true },
  { title: 'WHO', value: (one) => one.who },
  { title: 'WHAT', value: (one) => one.what, isWhole: true },
  { title: 'OBJECT', value: (one) => one.object, isWhole: true },
  { title: 'WHY', value: (one) => one.why ?? '' },
]

/** The first line of the CSV, with its end. */
export const csvHeading = 'row,at,who,what,object,why,detail,hash\r\n'

/** One row as a line of the CSV, with its end; the time is ISO 8601 in UTC. */
export function csvLine(row: AuditAnswer): string {
  const { id, at, who, what, object, why = '', detail, hash } = row
  const told = detail === undefined ? '' : JSON.stringify(detail)
  const cells = [String(id), isoTime(at), who, what, object, why, told, hash]
  return `${cells.map(csvCell).join(',')}\r\n`
}

/** What a check of the audit found. */
export function auditCheckLines({ rows, hash, problem }: AuditCheckAnswer): string[] {
  if (problem === undefined) return [`all is well: ${plural(rows, 'row')}, the last one is ${hash}`]
  return [printable(`wrong    ${problem.message}`), `${plural(rows, 'row')} before it fit`]
}

/** Also for a time that somebody put there, and that is none. */
function isoTime(at: number): string {
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString()
}

/** Spreadsheets calculate what begins with one of these, in their wide forms too. */
function csvCell(text: string): string {
  const safe = /^[\s\0]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/.test(text) ? `'${text}` : text
  return /[",\r\n;]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
