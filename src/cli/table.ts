/**
 * Tables for people: aligned columns with two blanks between them, no lines, no trailing blanks.
 *
 * On a terminal a table that is too wide is made to fit by cutting its widest cells with `…`; piped output is never
 * cut, so that a program that reads it gets all.
 */
import { formatCount, printable } from './words.ts'

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string
  readonly align?: 'right'
  /** Never cut to fit: figures, names that one pastes. */
  readonly isWhole?: boolean
  /** Characters that a cut leaves; 8 unless told. */
  readonly least?: number
}

const GAP = '  '
const NARROWEST = 8

/** A column of counts, if any row has one to show. */
export function countColumn<Row>(
  title: string,
  rows: readonly Row[],
  count: (row: Row) => number,
): Column<Row>[] {
  const value = (row: Row): string => formatCount(count(row))
  return rows.some((row) => count(row) > 0) ? [{ title, value, align: 'right' }] : []
}

/** The lines of a table, its heading first; `width` undefined cuts nothing. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number | undefined,
): string[] {
  return startTable(columns, width)(rows)
}

/**
 * A table that is too long to be held whole: told rows, it says their lines, the heading before the first ones. Columns
 * are as wide as those first rows want them; a longer cell that is not cut pushes what follows it to the right.
 */
export function startTable<Row>(
  columns: readonly Column<Row>[],
  width: number | undefined,
): (rows: readonly Row[]) => string[] {
  let widths: number[] | undefined
  return (rows) => {
    const cells = rows.map((row) => columns.map((column) => printable(column.value(row))))
    if (widths === undefined) cells.unshift(columns.map((column) => column.title))
    widths ??= widthsOf(columns, cells, width)
    const wide = widths
    const show = (cell: string, at: number): string => {
      const [column, room] = [columns[at], wide[at] ?? 0]
      const isCut = width !== undefined && column?.isWhole !== true
      return pad(isCut ? cut(cell, room) : cell, room, column?.align)
    }
    return cells.map((row) => row.map(show).join(GAP).trimEnd())
  }
}

function widthsOf<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  width: number | undefined,
): number[] {
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => length(row[at] ?? ''))))
  if (width !== undefined) fit(columns, widths, width)
  return widths
}

/** The width below which no cut brings the table. */
export function leastWidth<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): number {
  const widths = columns.map((column) => {
    const whole = rows.reduce(
      (most, row) => Math.max(most, length(printable(column.value(row)))),
      length(column.title),
    )
    return column.isWhole === true ? whole : Math.min(whole, column.least ?? NARROWEST)
  })
  return widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1)
}

/** Columns without heading: for lists of a name and what there is to say. */
export function renderPairs(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...pairs.map(([name]) => length(name)))
  return pairs.map(([name, value]) => `${pad(name, width)}${GAP}${printable(value)}`.trimEnd())
}

/** `text` cut to `width`, with `…` as its last character if it was longer. */
export function cut(text: string, width: number): string {
  if (isPlain(text)) return text.length <= width ? text : `${text.slice(0, width - 1)}…`
  const characters = Array.from(text)
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`
}

/** Takes from the widest column that may be cut until all fit, or nothing is left to take. */
function fit<Row>(columns: readonly Column<Row>[], widths: number[], width: number): void {
  const total = (): number =>
    widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1)
  while (total() > width) {
    let widest = -1
    for (const [at, column] of columns.entries()) {
      const one = widths[at] ?? 0
      const least = column.least ?? NARROWEST
      if (column.isWhole !== true && one > least && one > (widths[widest] ?? 0)) widest = at
    }
    if (widest === -1) return
    widths[widest] = (widths[widest] ?? 0) - 1
  }
}

function pad(text: string, width: number, align?: 'right'): string {
  const blanks = ' '.repeat(Math.max(0, width - length(text)))
  return align === 'right' ? blanks + text : text + blanks
}

function length(text: string): number {
  return isPlain(text) ? text.length : Array.from(text).length
}

/** Whether each character is one unit: most cells of a long table are so, and counting them is what a table costs. */
function isPlain(text: string): boolean {
  return !/[^ -\ud7ff]/.test(text)
}
