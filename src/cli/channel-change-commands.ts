/**
 * Commands that change what a channel is: `sluice channel set`, `copy`, `rename`, `adopt-release`.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import { addAdoptCommand } from './adopt-command.ts'
import type { LostSuite } from './api-based-types.ts'
import type { RenameAnswer } from './api-class-types.ts'
import type { ChannelAnswer } from './api-types.ts'
import { baseText, lostLines } from './based-report.ts'
import { keptText } from './channel-report.ts'
import { type Context, run, type Surroundings, splitList } from './context.ts'
import { readNumber } from './number.ts'
import { plural } from './words.ts'

interface SetOptions {
  /** False for `--no-follow`. */
  readonly follow?: readonly string[] | false
  readonly base?: string
  readonly keep?: string
  readonly keepDays?: string
  readonly keepPhasing?: boolean
  readonly reason?: string
}

const reason = ['--reason <text>', 'why, for the audit'] as const

/** Adds them to the group of channels. */
export function channelChangeCommands(channel: Command, around: Surroundings): void {
  const set = channel
    .command('set <name>')
    .description(
      'what a channel follows or is based on from now on, and what it keeps: history, phasing',
    )
    .option(
      '--follow <archive...>',
      'all archives to follow; of a derived channel, besides its base',
    )
    .option('--no-follow', 'a derived channel: none besides its base')
    .option('--base <channel>', 'a derived channel: the channel to be based on')
    .option('--keep <generations>', 'the newest ones; default: what the server keeps')
    .option('--keep-days <days>', 'and all that were served so lately; default: as the server')
    .option('--keep-phasing', 'promotions keep Phased-Update-Percentage')
    .option('--no-keep-phasing', 'they take it off: all machines get what was promoted')
    .option(...reason)
  run(around, set, setChannel)
  const copy = channel
    .command('copy <from> <name>')
    .description('make a curated channel as a copy of CHANNEL, or of CHANNEL@SERIAL')
    .option(...reason)
  run(around, copy, copyChannel)
  const rename = channel
    .command('rename <old> <new>')
    .description('another name for a channel; its key and history go along, its old URL is gone')
    .option(...reason)
  run(around, rename, renameChannel)
  addAdoptCommand(channel, around, { kind: 'channel', root: '/channels' })
}

async function setChannel(
  context: Context,
  [name = '']: readonly string[],
  { follow, base, keep, keepDays, keepPhasing, reason: why }: SetOptions,
): Promise<void> {
  if ([follow, base, keep, keepDays, keepPhasing].every((one) => one === undefined)) {
    throw new AppError('ERR_USAGE', {
      message: `what of channel ${name} is to be set?`,
      hint: 'sluice channel set --help',
    })
  }
  const client = await context.connect()
  const body = {
    follow: follow === false ? [] : splitList(follow),
    base,
    keepGenerations: readKept('--keep', keep),
    keepDays: readKept('--keep-days', keepDays),
    keepPhasing,
    reason: why,
  }
  const path = `/channels/${encodeURIComponent(name)}`
  const now = await client.call<ChannelAnswer & { lost: LostSuite[] }>('PATCH', path, body)
  context.out.result(now, (one) => [
    `channel ${name} ${whatItIs(one)}; generation ${one.head}`,
    ...(keep === undefined && keepDays === undefined ? [] : [`it keeps ${keptText(one.keeps)}`]),
    ...(keepPhasing === undefined
      ? []
      : [`promotions to it ${one.keepsPhasing ? 'keep' : 'take off'} Phased-Update-Percentage`]),
    ...lostLines(`channel ${name}`, one.lost),
  ])
}

/** `default` is null: what the server's settings say. */
function readKept(option: string, text: string | undefined): number | null | undefined {
  if (text === undefined) return undefined
  return text === 'default' ? null : readNumber(option, text)
}

function count(clients: number): string {
  return clients === 0 ? '' : ` (${plural(clients, 'address', 'addresses')} in 7 days)`
}

function whatItIs({ base, follows }: ChannelAnswer): string {
  const archives = follows.join(', ')
  if (base === undefined) return `follows ${archives}`
  return `is based on ${baseText(base)}${archives === '' ? '' : `, and follows ${archives}`}`
}

async function copyChannel(
  context: Context,
  [from = '', name = '']: readonly string[],
  { reason: why }: { readonly reason?: string },
): Promise<void> {
  const client = await context.connect()
  const made = await client.call<ChannelAnswer>('POST', '/channels', { name, from, reason: why })
  context.out.result(made, (one) => [
    `channel ${name} generation ${one.head}: a copy of ${from}`,
    `lines for a machine: sluice channel show ${name}`,
  ])
}

async function renameChannel(
  context: Context,
  [old = '', name = '']: readonly string[],
  { reason: why }: { readonly reason?: string },
): Promise<void> {
  const client = await context.connect()
  const path = `/channels/${encodeURIComponent(old)}/rename`
  const now = await client.call<RenameAnswer>('POST', path, { name, reason: why })
  context.out.result(now, ({ urls, usedBy, clients }) => [
    `channel ${old} is ${name} now; its key, its Dates and its history went along`,
    `machines on it${count(clients.clients)} get nothing until their sources say ${urls.after} in place of ${urls.before}; their key stays:`,
    `  sed -i 's|${urls.before}/|${urls.after}/|' /etc/apt/sources.list.d/sluice.sources`,
    ...(usedBy.classes.length === 0
      ? []
      : [`machines of ${usedBy.classes.map((one) => `class ${one}`).join(', ')} need nothing`]),
  ])
}
