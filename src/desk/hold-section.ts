/**
 * The holds of the configuration: `[hold.CHANNEL.SOURCE]` with a `reason`, and `until` for when it ends. A source is held as
 * the channel has it when the file is applied: which version that is is content, and not in the file. What has ended by then
 * is as if it were not in the file.
 */
import { chunksOfSource } from '../archives/chunk-table.ts'
import type { Clock } from '../base/clock.ts'
import { tomlHeader, tomlLines } from '../base/toml.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type Channel, isClass, listChannels } from '../channels/channel-table.ts'
import { hold, unhold } from '../channels/hold.ts'
import { listHolds } from '../channels/hold-end.ts'
import type { Pin } from '../channels/pin-table.ts'
import type { TableReader } from './config-reader.ts'
import {
  type ApplyParts,
  changeOf,
  nothingPlanned,
  type Round,
  type Section,
  type SectionPlan,
  type Step,
} from './config-section.ts'

/** The section. */
export const holdSection: Section = {
  key: 'hold',
  describe: async (parts) => {
    const lines = [
      '# Source packages that channels keep as they have them when this is applied: [hold.CHANNEL.SOURCE]',
      '[hold]',
    ]
    const channels = (await listChannels(parts.db)).sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const channel of channels) {
      const sources = [...(await holdsOf(parts, channel))].sort(([a], [b]) => (a < b ? -1 : 1))
      for (const [source, { why, until }] of sources) {
        lines.push('', tomlHeader(['hold', channel.name, source]))
        if (why !== undefined) lines.push(...tomlLines('reason', why))
        if (until !== undefined) lines.push(`until = ${timeText(until)}`)
      }
    }
    return lines
  },
  plan: planHolds,
}

type HoldOf = Pick<Pin, 'why' | 'until'>

/** Sources that a channel holds, why, and until when. */
async function holdsOf(parts: ChannelParts, { id }: Channel): Promise<Map<string, HoldOf>> {
  return new Map((await listHolds(parts, id)).map((pin) => [pin.source, pin]))
}

function timeText(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString()
}

async function planHolds(round: Round): Promise<SectionPlan> {
  const { root, then, isPruning, parts } = round
  const section = root.table('hold')
  if (section === undefined) return nothingPlanned
  const steps: Step[] = []
  for (const channel of section.tables()) {
    const known = then.channels.get(channel.name)
    if (known === undefined)
      channel.fault(
        undefined,
        `there is no channel ${channel.name}${isPruning ? ', in the file' : ''}`,
      )
    else if (known.kind === 'following')
      channel.fault(
        undefined,
        `channel ${channel.name} follows its archives: it keeps nothing back`,
      )
    const held = known?.now === undefined ? new Map() : await holdsOf(parts, known.now)
    for (const table of channel.tables()) {
      steps.push(...(await planHold(round, channel.name, table, held)))
    }
  }
  const others: { channel: string; source: string }[] = []
  for (const [channel, { now }] of then.channels) {
    if (now === undefined || isClass(now)) continue
    for (const source of (await holdsOf(parts, now)).keys()) {
      const table = section.table(channel)?.table(source)
      if (table === undefined || hasEnded(table, parts.clock)) others.push({ channel, source })
    }
  }
  if (!isPruning) return { steps, removals: [], left: others.map(objectOf) }
  return { steps, removals: others.map((one) => lifting(parts, one)), left: [] }
}

function hasEnded(table: TableReader, clock: Clock): boolean {
  const until = table.time('until')
  return until !== undefined && until <= clock.now()
}

async function planHold(
  { parts, then }: Round,
  channel: string,
  table: TableReader,
  held: ReadonlyMap<string, HoldOf>,
): Promise<Step[]> {
  const { name: source } = table
  const reason = table.text('reason')
  const until = table.time('until')
  table.done()
  const now = held.get(source)
  if (hasEnded(table, parts.clock)) return []
  // While archives are still to be looked at, nobody knows what they have.
  const isKnown = then.fetched.size > 0 || (await chunksOfSource(parts.db, source)).size > 0
  if (now === undefined && !isKnown)
    table.fault(undefined, `no archive has a source package ${source}`)
  const changes = [
    ...changeOf('reason', now?.why, reason ?? now?.why),
    ...changeOf('until', timeText(now?.until), timeText(until)),
  ]
  if (now !== undefined && changes.length === 0) return []
  return [
    {
      action: now === undefined ? 'add' : 'change',
      object: objectOf({ channel, source }),
      changes,
      needs: [`channel ${channel}`],
      run: async ({ who, why }) => {
        const told = { why: reason ?? now?.why, auditWhy: why, until }
        const pins = await hold(parts, { who, ...told, channel, source })
        const kept = pins.flatMap((pin) => pin.new)
        return [kept.length === 0 ? 'absent, as it is' : `kept at ${[...new Set(kept)].join(' ')}`]
      },
    },
  ]
}

function lifting(parts: ApplyParts, held: { channel: string; source: string }): Step {
  return {
    action: 'remove',
    object: objectOf(held),
    changes: [],
    needs: [],
    run: async (reason, abortable) => {
      await unhold(parts, { ...reason, ...held }, abortable)
      return undefined
    },
  }
}

function objectOf({ channel, source }: { channel: string; source: string }): string {
  return `hold of ${source} in ${channel}`
}
