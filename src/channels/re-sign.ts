/**
 * Signing anew before Valid-Until comes near.
 */
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import type { ChannelParts } from './channel-parts.ts'
import { getChannel } from './channel-table.ts'
import type { Generation } from './generation-table.ts'
import { publishGeneration } from './publish.ts'

/** A Release is signed again when half of its life is over. */
const RESIGN_AFTER_S = 7 * 24 * 3600

/** Signs a channel's suites anew when half of their life is over, so that no client sees one expire. */
export function resignIfDue(
  parts: ChannelParts,
  name: string,
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  return parts.channelLock(name)(async () => {
    const channel = await getChannel(parts.db, name)
    const head = parts.views.head(name)
    const oldest = Math.min(...(head?.suites ?? []).map((suite) => suite.date))
    if (head === undefined || oldest > nowSeconds(parts.clock) - RESIGN_AFTER_S) return undefined
    const why = 'half of the time to Valid-Until is over'
    return publishGeneration(
      parts,
      {
        channel,
        kind: 're-sign',
        entries: head.suites,
        changes: [],
        who: 'system',
        why,
        resign: true,
      },
      { signal },
    )
  })
}
