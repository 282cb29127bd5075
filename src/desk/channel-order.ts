/**
 * In which order channels come to be: each after what it is based on, and after what it is first copied from.
 */
import { MAX_DEPTH } from '../channels/channel-base.ts'
import type { ChannelThen } from './config-section.ts'

type Channels = ReadonlyMap<string, Pick<ChannelThen, 'base' | 'from'>>

/** The names in such an order, otherwise by name; what a circle has none of comes where it was met. */
export function orderChannels(channels: Channels): string[] {
  const ordered: string[] = []
  const met = new Set<string>()
  const visit = (name: string): void => {
    const channel = channels.get(name)
    if (met.has(name) || channel === undefined) return
    met.add(name)
    for (const below of belowOf(channel)) visit(below)
    ordered.push(name)
  }
  for (const name of [...channels.keys()].sort()) visit(name)
  return ordered
}

/** The circle that a channel is in: `web, then approved, then web`; undefined if it is in none. */
export function circleOf(channels: Channels, name: string): string | undefined {
  const search = (at: string, path: readonly string[]): string | undefined => {
    const channel = channels.get(at)
    for (const below of channel === undefined ? [] : belowOf(channel)) {
      if (below === name) return [...path, at, name].join(', then ')
      if (path.includes(below) || below === at) continue
      const found = search(below, [...path, at])
      if (found !== undefined) return found
    }
    return undefined
  }
  return search(name, [])
}

/** Whether more channels stand below one than may; undefined or how many. */
export function tooDeep(channels: Channels, name: string): number | undefined {
  let depth = 0
  let at = channels.get(name)
  while (at?.base !== undefined && depth <= channels.size) {
    at = channels.get(at.base)
    depth++
  }
  return depth > MAX_DEPTH ? depth : undefined
}

function belowOf({ base, from }: Pick<ChannelThen, 'base' | 'from'>): string[] {
  return [base, from].flatMap((one) => one ?? [])
}
