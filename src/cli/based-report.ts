/**
 * How it is shown what a channel or class is based on, what it keeps of its own, and where upstream has other names by now.
 */
import type {
  BaseAnswer,
  HoldAnswer,
  LostSuite,
  PinAnswer,
  SuiteDifference,
} from './api-based-types.ts'
import { type Column, renderTable } from './table.ts'
import { formatTime, plural, printable } from './words.ts'

/** `approved generation 17`, and what is wrong if the channel is not up to that. */
export function baseText({ channel, serial, isBehind, problem }: BaseAnswer): string {
  const of = serial === undefined ? channel : `${channel} generation ${serial}`
  if (problem !== undefined) {
    return `${of}; CANNOT FOLLOW since ${formatTime(problem.since)}: ${problem.message}`
  }
  return isBehind ? `${of}, and about to follow` : of
}

/** What the channel keeps of its own; nothing where that is nothing. */
export function pinLines(pins: readonly PinAnswer[], width: number | undefined): string[] {
  if (pins.length === 0) return []
  const count = (kind: PinAnswer['kind']): number =>
    new Set(pins.filter((pin) => pin.kind === kind).map((pin) => pin.source)).size
  const parts = [
    ...(count('promotion') > 0 ? [`${plural(count('promotion'), 'promotion')} of its own`] : []),
    ...(count('hold') > 0 ? [`${plural(count('hold'), 'source')} held`] : []),
    ...(count('decline') > 0 ? [`${plural(count('decline'), 'source')} kept by declines`] : []),
  ]
  return [`${parts.join(', ')}:`, ...renderTable<PinAnswer>(pinColumns, tellable(pins), width)]
}

/** Holds of several channels. */
export function holdLines(holds: readonly HoldAnswer[], width: number | undefined): string[] {
  if (holds.length === 0) return ['nothing is held']
  const columns: Column<HoldAnswer>[] = [
    { title: 'CHANNEL', value: (one) => one.channel, isWhole: true },
    ...pinColumns.filter((column) => column.title !== 'KEPT AS'),
  ]
  return renderTable(columns, tellable(holds), width)
}

/** Nothing for what has no end by time. */
function untilText({ until, isOver }: PinAnswer): string {
  if (until === undefined) return ''
  return isOver === true ? `over since ${formatTime(until)}` : formatTime(until)
}

const pinColumns: readonly Column<PinAnswer>[] = [
  { title: 'SOURCE', value: (one) => one.source, isWhole: true },
  { title: 'VERSION', value: (one) => one.new.join(' ') || '(none)' },
  { title: 'KEPT AS', value: (one) => one.kind },
  { title: 'SUITE', value: (one) => `${one.archive} ${one.suite}` },
  { title: 'SINCE', value: (one) => formatTime(one.madeAt), isWhole: true },
  { title: 'UNTIL', value: untilText, isWhole: true },
  { title: 'BY', value: (one) => one.who },
  { title: 'WHY', value: (one) => one.why ?? '' },
]

/** A hold counts in all suites: of those where the source is not, one line tells if it is in none. */
function tellable<P extends PinAnswer>(pins: readonly P[]): P[] {
  const key = (pin: P): string => `${'channel' in pin ? pin.channel : ''} ${pin.source}`
  const told = new Set<string>()
  return pins.filter((pin) => {
    const isEmptyHold = pin.kind === 'hold' && pin.new.length === 0
    const hasOther = pins.some((one) => key(one) === key(pin) && one.new.length > 0)
    if (isEmptyHold && (hasOther || told.has(key(pin)))) return false
    told.add(key(pin))
    return true
  })
}

/** Where upstream calls its suites otherwise than they are published: what to do about it. */
export function differenceLines(
  command: string,
  differences: readonly SuiteDifference[],
): string[] {
  if (differences.length === 0) return []
  return [
    'upstream calls itself otherwise by now; machines get the old names:',
    ...fieldLines(differences),
    `  to take that over: ${command} --dry-run`,
  ]
}

/** A line for each field that differs. */
export function fieldLines(differences: readonly SuiteDifference[]): string[] {
  return differences.flatMap(({ archive, suite, fields }) =>
    fields.map(({ field, published, upstream }) =>
      printable(
        `  ${archive} ${suite}  ${field}: ${published || '(none)'} -> ${upstream || '(none)'}`,
      ),
    ),
  )
}

/** What machines lose by a move. */
export function lostLines(title: string, lost: readonly LostSuite[]): string[] {
  return lost.map(({ archive, suite }) =>
    printable(
      `warning: ${title} has no ${archive} ${suite} any more: machines that have it in their sources get errors`,
    ),
  )
}
