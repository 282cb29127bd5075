/**
 * Watches whether upstreams still call themselves what is published of them, and says so in the log, once for each change,
 * and in the metrics: machines see nothing of it until an administrator adopts the new names.
 */
import type { Log } from '../base/log.ts'
import { findDifferences } from '../channels/adopt-release.ts'
import { listChannels, titleOf } from '../channels/channel-table.ts'
import type { ServerParts } from './parts.ts'

/** Adds the gauges; the function returned looks, and logs what it had not seen before. */
export function watchUpstreamNames(parts: ServerParts, log: Log): () => Promise<void> {
  parts.metrics.addGauge({
    name: 'release_differences',
    help: 'Fields of a published Release that upstream has otherwise by now',
    label: ['channel', 'archive', 'suite'],
    read: async () => {
      const values: [string[], number][] = []
      for (const { name } of await listChannels(parts.db)) {
        for (const { archive, suite, fields } of await findDifferences(parts, name)) {
          values.push([[name, archive, suite], fields.length])
        }
      }
      return values
    },
  })
  const told = new Set<string>()
  return async () => {
    for (const { name } of await listChannels(parts.db)) {
      for (const difference of await findDifferences(parts, name)) {
        const key = JSON.stringify([name, difference])
        if (told.has(key)) continue
        told.add(key)
        const hint = `sluice ${titleOf(name).replace(' ', ' adopt-release ')} --dry-run`
        log.warn({ channel: name, ...difference, hint }, 'upstream has other names by now')
      }
    }
  }
}
