/**
 * The classes of the configuration: `[class.NAME]` with the `channel` that its machines get.
 */
import { AppError } from '../base/errors.ts'
import { tomlHeader, tomlLines } from '../base/toml.ts'
import { channelOfClass, isChannelName, isClass, listChannels } from '../channels/channel-table.ts'
import { createClass, moveClass } from '../channels/class.ts'
import { deleteChannel } from '../channels/delete-channel.ts'
import { assertCanBeCalled } from '../channels/taken-names.ts'
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
export const classSection: Section = {
  key: 'class',
  describe: async ({ db }) => {
    const all = await listChannels(db)
    const lines = ['# Classes of machines, and the channel that each gets.', '[class]']
    const classes = all.filter(isClass).sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const { name, baseId } of classes) {
      const channel = all.find(({ id }) => id === baseId)?.name ?? ''
      lines.push('', tomlHeader(['class', ownName(name)]), ...tomlLines('channel', channel))
    }
    return lines
  },
  plan: planClasses,
}

async function planClasses(round: Round): Promise<SectionPlan> {
  const { root, now, isPruning, parts } = round
  const classes = now.channels.filter(isClass)
  const section = root.table('class')
  if (section === undefined) return keepAll(round)
  const steps: Step[] = []
  for (const table of section.tables()) steps.push(...(await planClass(round, table)))
  const others = classes.map(({ name }) => ownName(name)).filter((name) => !section.has(name))
  if (!isPruning) return { steps, removals: [], left: others.map((name) => `class ${name}`) }
  return { steps, removals: others.map((name) => removal(parts, name)), left: [] }
}

/** Classes are not in the file, and stay; so do their channels. */
function keepAll({ root, now, then, isPruning }: Round): SectionPlan {
  for (const { name, baseId } of isPruning ? now.channels.filter(isClass) : []) {
    const base = now.channels.find(({ id }) => id === baseId)
    const stays = [...then.channels.values()].some((one) => one.now?.id === base?.id)
    if (base !== undefined && !stays)
      root.fault(
        'channel',
        `channel ${base.name} is not in the file, but cannot be removed: class ${ownName(name)} is on it`,
      )
  }
  return nothingPlanned
}

async function planClass(round: Round, table: TableReader): Promise<Step[]> {
  const { parts, now, then, isPruning } = round
  const { name } = table
  const channel = table.text('channel')
  table.done()
  if (channel === undefined) {
    if (!table.has('channel')) table.fault(undefined, 'channel is missing: what its machines get')
    return []
  }
  if (!then.channels.has(channel)) {
    const message = `there is no channel ${channel}${isPruning ? ', in the file' : ''}`
    table.fault('channel', message)
  }
  const here = now.channels.find((one) => one.name === channelOfClass(name))
  if (here === undefined) await judgeName(parts, table)
  const base = [...then.channels].find(([, one]) => one.now && one.now.id === here?.baseId)?.[0]
  const gone = now.channels.find(({ id }) => id === here?.baseId)?.name
  const changes = changeOf('channel', base ?? gone, channel)
  if (changes.length === 0) return []
  return [
    {
      action: here === undefined ? 'add' : 'change',
      object: `class ${name}`,
      changes,
      needs: [`channel ${channel}`],
      run: async (reason, abortable) => {
        const input = { ...reason, name, channel }
        if (here === undefined) {
          const made = await createClass(parts, input, abortable)
          return made.head === 0 ? ['it holds nothing yet'] : undefined
        }
        const { lost } = await moveClass(parts, input, abortable)
        return lost.map(({ archive, suite }) => `${archive} ${suite} is not in it any more`)
      },
    },
  ]
}

async function judgeName({ db }: ApplyParts, table: TableReader): Promise<void> {
  if (!isChannelName(table.name)) {
    table.fault(undefined, `a class cannot be called ${JSON.stringify(table.name)}`)
    return
  }
  try {
    await assertCanBeCalled(db, channelOfClass(table.name))
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    table.fault(undefined, error.message)
  }
}

function removal(parts: ApplyParts, name: string): Step {
  const channel = channelOfClass(name)
  return {
    action: 'remove',
    object: `class ${name}`,
    changes: [],
    needs: [],
    run: async (reason) => {
      await deleteChannel(parts, { ...reason, channel })
      await parts.serverSide.channelDeleted(channel)
      return undefined
    },
  }
}

function ownName(channel: string): string {
  return channel.replace('class/', '')
}
