/**
 * `sluice hold` and `sluice unhold`: source packages that a channel keeps as they are.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import type { HoldAnswer, PinAnswer } from './api-based-types.ts'
import type { UnholdAnswer } from './api-class-types.ts'
import type { DeclineEntry } from './api-decline-types.ts'
import { holdLines } from './based-report.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { readUntil, untilHelp } from './when.ts'
import { formatChange, formatTime, printable, someOf } from './words.ts'

interface HoldOptions {
  readonly channel?: string
  readonly list?: boolean
  readonly reason?: string
  readonly until?: string
}

const reason = ['--reason <text>', 'why, for the audit'] as const

/** Adds both commands. */
export function holdCommands(program: Command, around: Surroundings): void {
  const hold = program
    .command('hold [source]')
    .description('keep a source package in a channel as it is; with --list, tell what is held')
    .option('--channel <channel>', 'the channel that keeps it')
    .option('--list', 'tell what is held, in that channel or in all')
    .option('--until <when>', `when it ends by itself: ${untilHelp}`)
    .option(...reason)
  run(around, hold, holdSource)
  const unhold = program
    .command('unhold <source>')
    .description('let a source package go on with its channel again')
    .requiredOption('--channel <channel>', 'the channel that keeps it')
    .option(...reason)
  run(around, unhold, unholdSource)
}

async function holdSource(
  context: Context,
  [source]: readonly string[],
  { channel, list, reason: why, until: end }: HoldOptions,
): Promise<void> {
  if (list === true && source === undefined) return listHolds(context, channel)
  if (list === true || source === undefined || channel === undefined) {
    throw new AppError('ERR_USAGE', {
      message:
        list === true ? '--list tells of all sources' : 'which source, and in which channel?',
      hint: 'sluice hold SOURCE --channel CHANNEL --until 2w --reason TEXT, or sluice hold --list',
    })
  }
  const client = await context.connect()
  const until = end === undefined ? undefined : readUntil('--until', end, Date.now())
  const body = { channel, source, reason: why, until }
  const held = await client.call<{ pins: PinAnswer[] }>('POST', '/holds', body)
  context.out.result(held, ({ pins }) => heldLines(channel, source, pins))
}

function heldLines(channel: string, source: string, pins: readonly PinAnswer[]): string[] {
  const here = pins.filter((pin) => pin.new.length > 0)
  const kept = here.map((pin) => `${pin.new.join(' ')} in ${pin.archive} ${pin.suite}`)
  const what = kept.length === 0 ? 'absent, as it is' : kept.join(', ')
  const unhold = `sluice unhold ${source} --channel ${channel}`
  const until = pins[0]?.until
  return [
    printable(`${channel} keeps ${source} ${what}`),
    until === undefined ? `until: ${unhold}` : `until ${formatTime(until)}, or: ${unhold}`,
  ]
}

async function listHolds(context: Context, channel: string | undefined): Promise<void> {
  const client = await context.connect()
  const query = channel === undefined ? '' : `?${new URLSearchParams({ channel })}`
  const holds = await client.call<HoldAnswer[]>('GET', `/holds${query}`)
  if (context.out.isJson) return context.out.result(holds, () => [])
  const declines = await client.call<DeclineEntry[]>('GET', `/declines${query}`)
  const told = declines.map((one) => printable(`${one.source} ${one.version} in ${one.channel}`))
  context.out.result(holds, (all) => [
    ...holdLines(all, context.out.width),
    ...(told.length === 0 ? [] : [`declined (sluice decline --list): ${someOf(told)}`]),
  ])
}

async function unholdSource(
  context: Context,
  [source = '']: readonly string[],
  { channel = '', reason: why }: HoldOptions,
): Promise<void> {
  const client = await context.connect()
  const body = { channel, source, reason: why }
  const lifted = await client.call<UnholdAnswer>('DELETE', '/holds', body)
  context.out.result(lifted, ({ generation }) => [
    printable(`${source} is not held in ${channel} any more`),
    ...(generation === undefined
      ? []
      : [
          ...(generation.changes ?? []).map((one) => printable(formatChange(one))),
          `${channel} generation ${generation.serial}; machines see it at their next apt-get update`,
        ]),
  ])
}
