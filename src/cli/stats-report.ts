/**
 * How the figures of a server are shown: what it sent and saved, by time and by archive, and what it keeps.
 */
import type { FiguresAnswer, HostAnswer, StatsAnswer, TrafficAnswer } from './api-stats-types.ts'
import { type Column, renderPairs, renderTable } from './table.ts'
import { formatCount, formatDuration, formatSize } from './words.ts'

const times = [
  { name: 'today', title: 'TODAY' },
  { name: 'week', title: '7 DAYS' },
  { name: 'ever', title: 'ALL TIME' },
] as const

/** All of it. */
export function statsLines(stats: StatsAnswer, width: number | undefined): string[] {
  const { traffic, archives, hosts, files: _files, bytes: _bytes, requests, ...others } = stats
  return [
    ...trafficLines(traffic, width),
    '',
    ...archiveLines(archives, width),
    ...hostLines(hosts, width),
    ...renderPairs(flatten({ requests, ...others }, [])),
  ]
}

interface Line {
  readonly what: string
  value(one: TrafficAnswer): string
}

const lines: readonly Line[] = [
  { what: 'files sent', value: (one) => formatCount(filesOf(one)) },
  { what: 'of them from here', value: hitRate },
  { what: 'sent', value: (one) => formatSize(one.sentBytes) },
  { what: 'fetched', value: (one) => formatSize(one.fetchedBytes) },
  { what: 'saved', value: (one) => formatSize(one.savedBytes) },
]

function trafficLines(traffic: StatsAnswer['traffic'], width: number | undefined): string[] {
  const columns: Column<Line>[] = [
    { title: 'WHAT', value: (one) => one.what },
    ...times.map(
      ({ name, title }): Column<Line> => ({
        title,
        value: (one) => one.value(traffic[name]),
        align: 'right',
        isWhole: true,
      }),
    ),
  ]
  return renderTable(columns, lines, width)
}

/** What machines took in the last 7 days, the archive that most was saved of first. */
function archiveLines(archives: StatsAnswer['archives'], width: number | undefined): string[] {
  const rows = Object.entries(archives)
    .flatMap(([name, { week }]) => (week === undefined ? [] : [{ name, week }]))
    .sort((a, b) => b.week.savedBytes - a.week.savedBytes)
  if (rows.length === 0) return []
  type Row = (typeof rows)[number]
  const figure = (title: string, value: (one: TrafficAnswer) => string): Column<Row> => ({
    title,
    value: ({ week }) => value(week),
    align: 'right',
    isWhole: true,
  })
  const columns: Column<Row>[] = [
    { title: 'ARCHIVE, 7 DAYS', value: ({ name }) => (name === '' ? 'others' : name) },
    figure('FILES', (one) => formatCount(filesOf(one))),
    figure('FROM HERE', hitRate),
    figure('SENT', (one) => formatSize(one.sentBytes)),
    figure('FETCHED', (one) => formatSize(one.fetchedBytes)),
    figure('SAVED', (one) => formatSize(one.savedBytes)),
  ]
  return [...renderTable(columns, rows, width), '']
}

/** Hosts that were asked since the start, those in trouble first. */
function hostLines(hosts: StatsAnswer['hosts'], width: number | undefined): string[] {
  if (hosts.length === 0) return []
  const rows = [...hosts].sort((a, b) => Number(a.isUp) - Number(b.isUp))
  const figure = (title: string, value: (one: HostAnswer) => string): Column<HostAnswer> => ({
    title,
    value,
    align: 'right',
    isWhole: true,
  })
  const columns: Column<HostAnswer>[] = [
    { title: 'HOST, SINCE THE START', value: ({ host }) => host },
    { title: 'IS', value: ({ isUp }) => (isUp ? 'up' : 'down'), isWhole: true },
    figure('ANSWERS IN', ({ answerMs }) =>
      answerMs === undefined ? '–' : formatDuration(answerMs),
    ),
    figure('GOOD', ({ good }) => formatCount(good)),
    figure('FAILED', ({ failed }) => formatCount(failed)),
    figure('WRONG FILES', ({ mismatches }) => formatCount(mismatches)),
    figure('FETCHED', ({ bytes }) => formatSize(bytes)),
  ]
  return [...renderTable(columns, rows, width), '']
}

function filesOf({ hits, misses, passes }: TrafficAnswer): number {
  return hits + misses + passes
}

function hitRate(one: TrafficAnswer): string {
  const files = filesOf(one)
  return files === 0 ? '–' : `${((100 * one.hits) / files).toFixed(1)} %`
}

function flatten(figures: FiguresAnswer, path: readonly string[]): (readonly [string, string])[] {
  return Object.entries(figures).flatMap(([name, value]) => {
    const words = [...path, name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`)]
    if (typeof value !== 'number') return flatten(value, words)
    const isSize = words.some((word) => /bytes/.test(word))
    return [[words.join(' '), isSize ? formatSize(value) : formatCount(value)] as const]
  })
}
