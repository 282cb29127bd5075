/**
 * Figures and the table that sets them side by side. A system that has no such step has no figure: `–`.
 */

export interface Figure {
  readonly value: number
  readonly unit: 'ms' | 'bytes' | 'count'
  /** Processor time that the measured processes took meanwhile: unlike the value, it does not grow with others' work. */
  readonly processorMs?: number
  /** What must be known to read the figure, if anything. */
  readonly note?: string
}

/** What one step took; 0 for processor time that was not looked at. */
export interface Timing {
  readonly wallMs: number
  readonly processorMs: number
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

/** A row for p50, one for p95; the processor time is the mean of all runs. */
export function setPercentiles(column: Column, label: string, timings: readonly Timing[]): void {
  const walls = timings.map(({ wallMs }) => wallMs)
  const sumMs = timings.reduce((sum, { processorMs }) => sum + processorMs, 0)
  const common = {
    unit: 'ms' as const,
    note: `${timings.length} runs`,
    ...(sumMs === 0 ? {} : { processorMs: sumMs / timings.length }),
  }
  column.set(`${label}, p50`, { ...common, value: percentile(walls, 0.5) })
  column.set(`${label}, p95`, { ...common, value: percentile(walls, 0.95) })
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
  const notes: string[] = []
  if (figure.processorMs !== undefined) notes.push(`CPU ${formatTime(figure.processorMs)}`)
  if (figure.note !== undefined) notes.push(figure.note)
  return `${formatValue(figure)}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`
}

function formatValue({ value, unit }: Figure): string {
  if (unit === 'count') return String(value)
  if (unit === 'ms') return formatTime(value)
  if (value < 1e6) return `${(value / 1e3).toFixed(1)} kB`
  return `${(value / 1e6).toFixed(1)} MB`
}

function formatRatio(peer: Figure | undefined, own: Figure | undefined): string {
  if (peer === undefined || own === undefined || own.value === 0) return '–'
  const ratio = peer.value / own.value
  return `${ratio.toFixed(ratio < 10 ? 1 : 0)}x`
}

function formatTime(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(2)} s`
}
