/**
 * Who takes an update first is what the stages of Sluice are for: a promotion takes `Phased-Update-Percentage` off, so that
 * all machines of a channel get what was promoted, unless the channel keeps phasing. A channel that follows archives has
 * their phasing; a copy has what it was copied from, and what a derived channel has by its base is as its base has it.
 *
 * A stanza without the field stands for one with any percentage, so that what was promoted does not wait for ever, and a
 * percentage that upstream raises is no change. Where a copy has the field and upstream has ended the phasing, that waits.
 */
import { isPhased, withoutPhasing } from '../debian/phasing.ts'
import type { Channel } from './channel-table.ts'

/**
 * `kept`: stanzas are compared, and taken, as they are. `dropped`: the second state is taken without phasing. `ignored`: a
 * stanza is the same with any phasing, and with none.
 */
export type Phasing = 'kept' | 'dropped' | 'ignored'

/** How the channel takes promotions. */
export function phasingOf({ kind, keepsPhasing }: Pick<Channel, 'kind' | 'keepsPhasing'>): Phasing {
  return kind === 'following' || keepsPhasing ? 'kept' : 'dropped'
}

/** Whether nothing has to be done for the one stanza to stand for the other. */
export function isAlike(old: Buffer, fresh: Buffer, phasing: Phasing): boolean {
  if (old.equals(fresh)) return true
  if (phasing === 'kept') return false
  const isEnded = isPhased(old) && !isPhased(fresh)
  if (phasing === 'dropped' && isEnded) return false
  return withoutPhasing(old).equals(withoutPhasing(fresh))
}

/** The stanza as it is taken. */
export function taken(stanza: Buffer, phasing: Phasing): Buffer {
  return phasing === 'dropped' ? withoutPhasing(stanza) : stanza
}
