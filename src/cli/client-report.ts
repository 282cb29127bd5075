/**
 * How the machines that took a channel are shown.
 */
import type { ChannelClient, ClientCount, ClientsAnswer } from './api-history-types.ts'
import { type Column, renderTable } from './table.ts'
import { formatAgo, formatCount, formatTime, plural } from './words.ts'

/** How many took it, as a line of what is told of a channel or class. */
export function clientsPair({ clients, behind, pinned }: ClientCount): readonly [string, string] {
  const more = [
    ...(behind > 0 ? [`${formatCount(behind)} behind the head`] : []),
    ...(pinned > 0 ? [`${formatCount(pinned)} on an old generation by its name`] : []),
  ]
  const count = clients === 0 ? 'none' : formatCount(clients)
  return ['clients', [`${count} in the last 7 days`, ...more].join(', ')]
}

/** A line for each suite that a machine took, the last first. */
export function clientTable(
  { channel, head, clients }: ClientsAnswer,
  { onlyBehind }: { readonly onlyBehind: boolean },
  width: number | undefined,
): string[] {
  if (clients.length === 0)
    return [
      onlyBehind
        ? `all machines that took ${channel} in the last 30 days have what it holds now`
        : `no machine took ${channel} in the last 30 days`,
    ]
  const now = Date.now()
  const columns: Column<ChannelClient>[] = [
    { title: 'ADDRESS', value: (one) => one.address, isWhole: true },
    { title: 'ARCHIVE', value: (one) => one.archive },
    { title: 'SUITE', value: (one) => one.suite },
    { title: 'GENERATION', value: (one) => String(one.serial), align: 'right', isWhole: true },
    { title: 'STATE', value: stateText, isWhole: true },
    { title: 'SEEN', value: (one) => formatTime(one.seenAt), isWhole: true },
    { title: 'AGO', value: (one) => formatAgo(now - one.seenAt) },
    { title: 'CLIENT', value: (one) => one.agent },
  ]
  const machines = new Set(clients.map((one) => one.address)).size
  return [
    ...renderTable(columns, clients, width),
    `${plural(machines, 'machine')}; ${channel} is at generation ${head}`,
  ]
}

function stateText({ isBehind, isPinned }: ChannelClient): string {
  return isPinned ? 'by name' : isBehind ? 'behind' : 'ok'
}
