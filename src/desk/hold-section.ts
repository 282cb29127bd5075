/**
 * The holds of the configuration: `[hold.CHANNEL.SOURCE]` with a `reason`. A source is held as the channel has it when the
 * file is applied: which version that is is content, and not in the file.
 */
import { chunksOfSource } from '../archives/chunk-table.ts'
import { tomlHeader, tomlLines } from '../base/toml.ts'
import { type Channel, isClass, listChannels } from '../channels/channel-table.ts'
import { hold, unhold } from '../channels/hold.ts'
import { listPins } from '../channels/pin-table.ts'
import type { Db } from '../store/database.ts'
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
  describe: async ({ db }) => {
    const lines = [
      '# Source packages that channels keep as they have them when this is applied: [hold.CHANNEL.SOURCE]',
      '[hold]',
    ]
    const channels = (await listChannels(db)).sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const channel of channels) {
      const sources = [...(await holdsOf(db, channel))].sort(([a], [b]) => (a < b ? -1 : 1))
      for (const [source, why] of sources) {
        lines.push('', tomlHeader(['hold', channel.name, source]))
        if (why !== undefined) lines.push(...tomlLines('reason', why))
      }
    }
    return lines
  },
  plan: planHolds,
}

/** Sources that a channel holds, and why. */
async function holdsOf(db: Db, { id }: Channel): Promise<Map<string, string | undefined>> {
  const pins = (await listPins(db, id)).filter(({ kind }) => kind === 'hold')
  return new Map(pins.map(({ source, why }) => [source, why]))
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
    const held = known?.now === undefined ? new Map() : await holdsOf(parts.db, known.now)
    for (const table of channel.tables()) {
      steps.push(...(await planHold(round, channel.name, table, held)))
    }
  }
  const others: { channel: string; source: string }[] = []
  for (const [channel, { now }] of then.channels) {
    if (now === undefined || isClass(now)) continue
    for (const source of (await holdsOf(parts.db, now)).keys()) {
      if (section.table(channel)?.has(source) !== true) others.push({ channel, source })
    }
  }
  if (!isPruning) return { steps, removals: [], left: others.map(objectOf) }
  return { steps, removals: others.map((one) => lifting(parts, one)), left: [] }
}

async function planHold(
  { parts, then }: Round,
  channel: string,
  table: TableReader,
  held: ReadonlyMap<string, string | undefined>,
): Promise<Step[]> {
  const { name: source } = table
  const reason = table.text('reason')
  table.done()
  const isHeld = held.has(source)
  // While archives are still to be looked at, nobody knows what they have.
  const isKnown = then.fetched.size > 0 || (await chunksOfSource(parts.db, source)).size > 0
  if (!isHeld && !isKnown) table.fault(undefined, `no archive has a source package ${source}`)
  if (isHeld && (reason === undefined || held.get(source) === reason)) return []
  return [
    {
      action: isHeld ? 'change' : 'add',
      object: objectOf({ channel, source }),
      changes: changeOf('reason', held.get(source), reason),
      needs: [`channel ${channel}`],
      run: async ({ who, why }) => {
        const pins = await hold(parts, { who, why: reason, auditWhy: why, channel, source })
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
