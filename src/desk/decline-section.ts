/**
 * The declines of the configuration: `[decline.CHANNEL.SOURCE."VERSION"]` with a `reason`.
 */
import { chunksOfSource } from '../archives/chunk-table.ts'
import { tomlHeader, tomlLines } from '../base/toml.ts'
import { isClass, listChannels } from '../channels/channel-table.ts'
import { decline, undecline } from '../channels/decline.ts'
import { type Decline, type DeclinedVersion, listDeclines } from '../channels/decline-table.ts'
import { isVersion } from '../debian/version.ts'
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
export const declineSection: Section = {
  key: 'decline',
  describe: async ({ db }) => {
    const lines = [
      '# Versions of source packages that channels never take: [decline.CHANNEL.SOURCE."VERSION"]',
      '[decline]',
    ]
    const channels = (await listChannels(db)).sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const { id, name } of channels) {
      for (const { source, version, why } of await listDeclines(db, id)) {
        lines.push('', tomlHeader(['decline', name, source, version]))
        if (why !== undefined) lines.push(...tomlLines('reason', why))
      }
    }
    return lines
  },
  plan: planDeclines,
}

interface ChannelDecline extends DeclinedVersion {
  readonly channel: string
}

async function planDeclines(round: Round): Promise<SectionPlan> {
  const { root, then, isPruning, parts } = round
  const section = root.table('decline')
  if (section === undefined) return nothingPlanned
  const steps: Step[] = []
  for (const channel of section.tables()) {
    judgeChannel(round, channel)
    const now = then.channels.get(channel.name)?.now
    const known = now === undefined ? [] : await listDeclines(parts.db, now.id)
    for (const source of channel.tables()) {
      for (const table of source.tables()) {
        const at = { channel: channel.name, source: source.name, version: table.name }
        steps.push(...(await planDecline(round, at, { table, known })))
      }
    }
  }
  const others: ChannelDecline[] = []
  for (const [channel, { now }] of then.channels) {
    if (now === undefined || isClass(now)) continue
    const own = section.table(channel)
    for (const { source, version } of await listDeclines(parts.db, now.id)) {
      if (own?.table(source)?.has(version) !== true) others.push({ channel, source, version })
    }
  }
  if (!isPruning) return { steps, removals: [], left: others.map(objectOf) }
  return { steps, removals: others.map((one) => lifting(parts, one)), left: [] }
}

function judgeChannel({ then, isPruning }: Round, channel: TableReader): void {
  const { name } = channel
  const kind = then.channels.get(name)?.kind
  if (kind === undefined) {
    channel.fault(undefined, `there is no channel ${name}${isPruning ? ', in the file' : ''}`)
  } else if (kind === 'following') {
    channel.fault(undefined, `channel ${name} follows its archives: it declines nothing`)
  }
}

async function planDecline(
  { parts, then }: Round,
  at: ChannelDecline,
  { table, known }: { readonly table: TableReader; readonly known: readonly Decline[] },
): Promise<Step[]> {
  const { channel, source, version } = at
  const reason = table.text('reason')
  table.done()
  const now = known.find((one) => one.source === source && one.version === version)
  if (!isVersion(version)) table.fault(undefined, `${JSON.stringify(version)} is no version`)
  // While archives are still to be looked at, nobody knows what they have.
  const isKnown = then.fetched.size > 0 || (await chunksOfSource(parts.db, source)).size > 0
  if (now === undefined && !isKnown) {
    table.fault(undefined, `no archive has a source package ${source}`)
  }
  if (now !== undefined && (reason === undefined || reason === now.why)) return []
  return [
    {
      action: now === undefined ? 'add' : 'change',
      object: objectOf(at),
      changes: changeOf('reason', now?.why, reason),
      needs: [`channel ${channel}`],
      run: async ({ who, why }) => {
        const { isIn } = await decline(parts, { ...at, who, why: reason, auditWhy: why })
        return isIn.length === 0 ? undefined : [`${channel} has it already: there it stays`]
      },
    },
  ]
}

function lifting(parts: ApplyParts, declined: ChannelDecline): Step {
  return {
    action: 'remove',
    object: objectOf(declined),
    changes: [],
    needs: [],
    run: async (reason, abortable) => {
      await undecline(parts, { ...reason, ...declined }, abortable)
      return undefined
    },
  }
}

function objectOf({ channel, source, version }: ChannelDecline): string {
  return `decline of ${source} ${version} in ${channel}`
}
