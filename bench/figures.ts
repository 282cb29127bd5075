/**
 * Figures and the table that sets them side by side. A system that has no such step has no figure: `–`.
 */

export interface Figure {
  readonly value: number
  readonly unit: 'ms' | 'bytes' | 'count'
  /** What must be known to read the figure, if anything. */
  readonly note?: string
}

/** The figures of one system, by the label of their row. */
export type Column = Map<string, Figure>

/** The value below which `share` (0 to 1) of the values lie, by nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = Math.max(0, Math.ceil(share * sorted.length) - 1)
  const value = sorted[rank]
  if (value === undefined) throw new Error('no values')
  return value
}

/** p50 and p95 as one note, and the middle value as the figure. */
export function setPercentiles(column: Column, label: string, valuesMs: readonly number[]): void {
  const note = `${valuesMs.length} runs`
  column.set(`${label}, p50`, { value: percentile(valuesMs, 0.5), unit: 'ms', note })
  column.set(`${label}, p95`, { value: percentile(valuesMs, 0.95), unit: 'ms', note })
}

/** A Markdown table: one row for each label of the first column and of the others, ratios to the first at the end. */
export function formatTable(columns: ReadonlyMap<string, Column>): string {
  const names = [...columns.keys()]
  const [first = '', ...peers] = names
  const labels = new Set<string>()
  for (const column of columns.values()) for (const label of column.keys()) labels.add(label)
  const ratios = peers.map((peer) => `${peer} / ${first}`)
  const lines = [
    row(['what', ...names, ...ratios]),
    row(['---', ...[...names, ...ratios].map(() => '---')]),
  ]
  for (const label of labels) {
    const own = columns.get(first)?.get(label)
    const cells = names.map((name) => formatFigure(columns.get(name)?.get(label)))
    const shares = peers.map((peer) => formatRatio(columns.get(peer)?.get(label), own))
    lines.push(row([label, ...cells, ...shares]))
  }
  return lines.join('\n')
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** A figure for people, its note in parentheses. */
export function formatFigure(figure: Figure | undefined): string {
  if (figure === undefined) return '–'
  const note = figure.note === undefined ? '' : ` (${figure.note})`
  return `${formatValue(figure)}${note}`
}

function formatValue({ value, unit }: Figure): string {
  if (unit === 'count') return String(value)
  if (unit === 'ms')
    return value < 1000
      ? `${value.toFixed(value < 10 ? 1 : 0)} ms`
      : `${(value / 1000).toFixed(2)} s`
  if (value < 1e6) return `${(value / 1e3).toFixed(1)} kB`
  return `${(value / 1e6).toFixed(1)} MB`
}

function formatRatio(peer: Figure | undefined, own: Figure | undefined): string {
  if (peer === undefined || own === undefined || own.value === 0) return '–'
  const ratio = peer.value / own.value
  return `${ratio.toFixed(ratio < 10 ? 1 : 0)}x`
}
