/**
 * The channels of the configuration: `[channel.NAME]`; what stands in a table is told in channel-document.ts.
 *
 * Channels are made and changed in the order in which they need each other, which is also one in which no base is ever
 * moved into a circle: what stands below a channel is as the file says before the channel itself is.
 */
import { AppError } from '../base/errors.ts'
import type { Reason } from '../channels/channel-parts.ts'
import { type Channel, isChannelName, isClass, listChannels } from '../channels/channel-table.ts'
import { type CreateInput, createChannel } from '../channels/create-channel.ts'
import { deleteChannel } from '../channels/delete-channel.ts'
import { parseGenerationName } from '../channels/generation-name.ts'
import { renameChannel } from '../channels/rename-channel.ts'
import { changeBase } from '../channels/set-base.ts'
import { setFollowed } from '../channels/set-follows.ts'
import { changePhasing } from '../channels/set-phasing.ts'
import { assertCanBeCalled } from '../channels/taken-names.ts'
import { changeRetention } from '../keeping/set-retention.ts'
import { channelLines, findOrigins, readChannel, type WantedChannel } from './channel-document.ts'
import { circleOf, orderChannels, tooDeep } from './channel-order.ts'
import {
  type ApplyParts,
  changeOf,
  listText,
  nothingPlanned,
  type Round,
  type Section,
  type SectionPlan,
  type Step,
  type StepChange,
} from './config-section.ts'

/** The section. */
export const channelSection: Section = {
  key: 'channel',
  describe: async ({ db }) => {
    const all = await listChannels(db)
    const plain = new Map(all.filter((one) => !isClass(one)).map((one) => [one.name, one]))
    const origins = await findOrigins(db, all)
    const relations = new Map(
      [...plain.values()].map((one) => [
        one.name,
        { base: all.find(({ id }) => id === one.baseId)?.name, from: origins.get(one.name) },
      ]),
    )
    const lines = [
      '# What machines see. Content is not in here: a curated channel that has to be made begins as what its `from`',
      '# has at that time, and a channel that is there keeps what it has.',
      '[channel]',
    ]
    for (const name of orderChannels(relations)) {
      const [channel, related] = [plain.get(name), relations.get(name)]
      if (channel !== undefined && related !== undefined)
        lines.push('', ...channelLines(channel, related))
    }
    return lines
  },
  plan: planChannels,
}

async function planChannels(round: Round): Promise<SectionPlan> {
  const { now, then, isPruning, root } = round
  const plain = now.channels.filter((one) => !isClass(one))
  const keep = (channel: Channel): void => {
    const base = now.channels.find(({ id }) => id === channel.baseId)?.name
    then.channels.set(channel.name, { kind: channel.kind, base, now: channel })
  }
  const section = root.table('channel')
  if (section === undefined) {
    plain.forEach(keep)
    return nothingPlanned
  }
  const all = section.tables().map(readChannel)
  const ofFile = new Map<string, WantedChannel>()
  for (const wanted of all) {
    ofFile.set(wanted.name, wanted)
    const own = plain.find(({ name }) => name === wanted.name)
    const old = plain.find(({ name }) => name === wanted.was && !section.has(name))
    const here = own ?? old
    const from = here === undefined ? parseGenerationName(wanted.from ?? '')?.channel : undefined
    const kind = wanted.kind ?? here?.kind ?? 'following'
    then.channels.set(wanted.name, { kind, base: wanted.base, from: from || undefined, now: here })
  }
  const renamed = new Set([...then.channels.values()].flatMap((one) => one.now?.id ?? []))
  const others = plain.filter(({ id }) => !renamed.has(id))
  if (!isPruning) others.forEach(keep)
  for (const wanted of all) await judge(round, wanted)
  const steps = orderChannels(then.channels).flatMap((name) => {
    const wanted = ofFile.get(name)
    return wanted === undefined ? [] : planChannel(round, wanted)
  })
  if (!isPruning) return { steps, removals: [], left: others.map(objectOf) }
  const gone = [...orderChannels(mapOf(now.channels, others))].reverse()
  return { steps, removals: gone.map((name) => removal(round.parts, name)), left: [] }
}

function mapOf(
  all: readonly Channel[],
  some: readonly Channel[],
): Map<string, { readonly base: string | undefined }> {
  return new Map(
    some.map((one) => [one.name, { base: all.find(({ id }) => id === one.baseId)?.name }]),
  )
}

/** Tells what is wrong with a channel among the others. */
async function judge({ then, parts, isPruning }: Round, wanted: WantedChannel): Promise<void> {
  const { table, name, kind, follow, base, from } = wanted
  const here = then.channels.get(name)?.now
  const gone = isPruning ? ', in the file' : ''
  for (const [at, archive] of follow.entries()) {
    if (!then.archives.has(archive))
      table.fault(['follow', at], `there is no archive ${archive}${gone}`)
  }
  if (follow.length === 0 && kind === 'following' && table.has('follow'))
    table.fault('follow', 'a channel that follows archives follows one at least')
  if (base !== undefined && !then.channels.has(base))
    table.fault('base', `there is no channel ${base}${gone}`)
  if (here !== undefined) {
    if (kind !== undefined && here.kind !== kind) {
      const message = `channel ${here.name} is ${here.kind}, and cannot become ${kind}: delete it first, or take another name`
      table.fault(table.has('kind') ? 'kind' : undefined, message)
    }
  } else {
    await judgeName(parts, wanted)
    if (kind === 'curated') judgeOrigin(wanted, then.channels.get(name)?.from, then.channels, gone)
  }
  const circle = circleOf(then.channels, name)
  const [key, other] = base === undefined ? ['from', from] : ['base', base]
  if (circle !== undefined && other !== undefined)
    table.fault(key, `channels in a circle: ${circle}`)
  const depth = circle === undefined ? tooDeep(then.channels, name) : undefined
  if (depth !== undefined)
    table.fault('base', `it would stand ${depth} channels away from the lowest`)
}

async function judgeName({ db }: ApplyParts, { table, name }: WantedChannel): Promise<void> {
  if (!isChannelName(name)) {
    table.fault(undefined, `a channel cannot be called ${JSON.stringify(name)}`)
    return
  }
  try {
    await assertCanBeCalled(db, name)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    table.fault(undefined, error.message)
  }
}

function judgeOrigin(
  { table, name, from }: WantedChannel,
  origin: string | undefined,
  channels: ReadonlyMap<string, unknown>,
  gone: string,
): void {
  if (from === undefined) {
    if (!table.has('from'))
      table.fault(
        undefined,
        `channel ${name} has to be made, and \`from\` does not say of which channel`,
      )
  } else if (origin === undefined) {
    table.fault('from', `${JSON.stringify(from)} is neither CHANNEL nor CHANNEL@SERIAL`)
  } else if (!channels.has(origin)) {
    table.fault('from', `there is no channel ${origin}${gone}`)
  }
}

function planChannel({ parts, then }: Round, wanted: WantedChannel): Step[] {
  const { name, follow, base, from } = wanted
  const here = then.channels.get(name)?.now
  const object = `channel ${name}`
  const needs = [
    ...follow.map((one) => `archive ${one}`),
    ...[base, then.channels.get(name)?.from].flatMap((one) =>
      one === undefined ? [] : `channel ${one}`,
    ),
  ]
  if (here === undefined) {
    const changes = [
      ...changeOf('base', undefined, base),
      ...changeOf('from', undefined, from),
      ...(follow.length === 0 ? [] : changeOf('follow', undefined, listText(follow))),
      ...keptChanges(undefined, wanted),
    ]
    return [{ action: 'add', object, changes, needs, run: making(parts, wanted) }]
  }
  const before = [...then.channels.values()].find(({ now }) => now?.id === here.baseId)?.now?.name
  const changes = [
    ...(base === undefined ? [] : changeOf('base', before, base)),
    ...(here.kind === 'curated'
      ? []
      : changeOf('follow', listText(here.follows), listText(follow))),
    ...keptChanges(here, wanted),
  ]
  const renaming: Step = {
    action: 'rename',
    object,
    changes: changeOf('name', here.name, name),
    needs: [],
    run: async (reason, abortable) => {
      await renameChannel(parts, { ...reason, channel: here.name, name }, abortable)
      await parts.serverSide.channelRenamed(here.name, name)
      return undefined
    },
  }
  const changing: Step = {
    action: 'change',
    object,
    changes,
    needs,
    run: setting(parts, wanted, changes),
  }
  return [...(here.name === name ? [] : [renaming]), ...(changes.length === 0 ? [] : [changing])]
}

function making(parts: ApplyParts, wanted: WantedChannel): Step['run'] {
  const { name, follow, base, from, keepsPhasing } = wanted
  const source: CreateInput['source'] =
    base !== undefined ? { base, follow } : from !== undefined ? { from } : { follow }
  return async (reason, abortable) => {
    const made = await createChannel(parts, { ...reason, name, source }, abortable)
    await keep(parts, wanted, reason)
    if (keepsPhasing) await changePhasing(parts, { ...reason, channel: name, keepsPhasing })
    return made.head === 0 ? ['it holds nothing yet'] : undefined
  }
}

function setting(
  parts: ApplyParts,
  wanted: WantedChannel,
  changes: readonly StepChange[],
): Step['run'] {
  const { name: channel, follow, base, keepsPhasing } = wanted
  const isSet = (what: string): boolean => changes.some((one) => one.what === what)
  return async (reason, abortable) => {
    const told: string[] = []
    if (base !== undefined && isSet('base')) {
      const { lost } = await changeBase(parts, { ...reason, channel, base }, abortable)
      told.push(...lost.map(({ archive, suite }) => `${archive} ${suite} is not in it any more`))
    }
    if (isSet('follow')) await setFollowed(parts, { ...reason, channel, follow }, abortable)
    if (isSet('keep') || isSet('keep-days')) await keep(parts, wanted, reason, true)
    if (isSet('keep-phasing')) await changePhasing(parts, { ...reason, channel, keepsPhasing })
    return told
  }
}

/** Says how much the channel keeps; of a new one only where that is told. */
async function keep(
  parts: ApplyParts,
  { name: channel, keepGenerations, keepDays }: WantedChannel,
  reason: Reason,
  isSet = keepGenerations !== undefined || keepDays !== undefined,
): Promise<void> {
  if (!isSet) return
  const [generations, days] = [keepGenerations ?? null, keepDays ?? null]
  await changeRetention(parts, { ...reason, channel, generations, days })
}

function keptChanges(here: Channel | undefined, wanted: WantedChannel): StepChange[] {
  const text = (value: number | undefined): string =>
    value === undefined ? 'as the server' : String(value)
  return [
    ...changeOf('keep', text(here?.keepGenerations), text(wanted.keepGenerations)),
    ...changeOf('keep-days', text(here?.keepDays), text(wanted.keepDays)),
    ...changeOf('keep-phasing', String(here?.keepsPhasing ?? false), String(wanted.keepsPhasing)),
  ]
}

function removal(parts: ApplyParts, channel: string): Step {
  return {
    action: 'remove',
    object: `channel ${channel}`,
    changes: [],
    needs: [],
    run: async (reason) => {
      await deleteChannel(parts, { ...reason, channel })
      await parts.serverSide.channelDeleted(channel)
      return undefined
    },
  }
}

function objectOf({ name }: Channel): string {
  return `channel ${name}`
}
