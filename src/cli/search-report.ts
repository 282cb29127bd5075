/**
 * How search results are shown: where a package is, and in which generations it was.
 */
import type { PackageRun } from './api-history-types.ts'
import type { FoundAnswer } from './api-types.ts'
import { type Column, renderTable } from './table.ts'
import { formatTime } from './words.ts'

type Found = Omit<FoundAnswer, 'channel' | 'serial' | 'architecture'> & {
  readonly channels: Set<string>
  readonly architectures: Set<string>
}

/** Each version once, with the channels and architectures that have it. */
export function foundTable(found: readonly FoundAnswer[], width: number | undefined): string[] {
  const groups = new Map<string, Found>()
  for (const { channel, serial: _, architecture, ...one } of found) {
    const key = Object.values(one).join(' ')
    const group = groups.get(key) ?? { ...one, channels: new Set(), architectures: new Set() }
    groups.set(key, group)
    group.channels.add(channel)
    group.architectures.add(architecture)
  }
  const columns: Column<Found>[] = [
    ...packageColumns<Found>(),
    { title: 'CHANNELS', value: (one) => [...one.channels].join(' '), isWhole: true },
  ]
  return renderTable(columns, [...groups.values()], width)
}

type Run = Omit<PackageRun, 'architecture'> & { readonly architectures: Set<string> }

/** Each run of generations once, newest first. */
export function runTable(runs: readonly PackageRun[], width: number | undefined): string[] {
  const groups = new Map<string, Run>()
  for (const { architecture, ...one } of runs) {
    const key = JSON.stringify(one)
    const group = groups.get(key) ?? { ...one, architectures: new Set() }
    groups.set(key, group)
    group.architectures.add(architecture)
  }
  const columns: Column<Run>[] = [
    ...packageColumns<Run>(),
    { title: 'CHANNEL', value: (one) => one.channel, isWhole: true },
    {
      title: 'SINCE',
      value: ({ since }) => `${since.serial}  ${formatTime(since.madeAt)}`,
      isWhole: true,
    },
    { title: 'UNTIL', value: untilText, isWhole: true },
  ]
  return renderTable(columns, [...groups.values()], width)
}

function untilText({ until: { serial, replacedAt } }: Run): string {
  return replacedAt === undefined ? 'now' : `${serial}  ${formatTime(replacedAt)}`
}

interface Shown {
  readonly package: string
  readonly version: string
  readonly architectures: ReadonlySet<string>
  readonly source: string
  readonly archive: string
  readonly suite: string
  readonly component: string
}

function packageColumns<Row extends Shown>(): Column<Row>[] {
  return [
    { title: 'PACKAGE', value: (one) => one.package, isWhole: true },
    { title: 'VERSION', value: (one) => one.version, isWhole: true },
    { title: 'ARCH', value: (one) => [...one.architectures].join(' ') },
    { title: 'SOURCE', value: (one) => one.source },
    { title: 'ARCHIVE', value: (one) => one.archive },
    { title: 'SUITE', value: (one) => `${one.suite}/${one.component}` },
  ]
}
