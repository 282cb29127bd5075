/**
 * `sluice channel …` and `sluice rollback`: the names under which machines see archives.
 */
import type { Command } from 'commander'
import type { ChannelAnswer, ChannelEntry, RollbackAnswer } from './api-types.ts'
import { channelChangeCommands } from './channel-change-commands.ts'
import { channelTable, describeChannel, rollbackLines } from './channel-report.ts'
import { type Context, run, type Surroundings, splitList } from './context.ts'
import { lostNote } from './file-report.ts'
import { fillCommand } from './fill-command.ts'
import { tellGcWarnings } from './gc-commands.ts'
import { historyCommands } from './history-commands.ts'

interface CreateOptions {
  readonly follow?: readonly string[]
  readonly from?: string
  readonly base?: string
  readonly reason?: string
}

const reason = ['--reason <text>', 'why, for the audit'] as const

/** Adds the group of commands, and those that stand alone. */
export function channelCommands(program: Command, around: Surroundings): void {
  const channel = program
    .command('channel')
    .description('the names under which machines see archives')
  const create = channel
    .command('create <name>')
    .description('make a channel that follows archives, a curated one as a copy, or a derived one')
    .option('--follow <archive...>', 'archives to follow: it changes with them')
    .option(
      '--from <channel>',
      'channel, CHANNEL@SERIAL or CHANNEL@TIME, to copy: it changes by promotion only',
    )
    .option('--base <channel>', 'channel to be based on: it changes with it, and keeps its own')
    .option(...reason)
  run(around, create, createChannel)
  channelChangeCommands(channel, around)
  const list = channel.command('list').description('all channels, and what waits for them')
  run(around, list, listChannels)
  const show = channel.command('show <name>')
  run(around, show.description('a channel: its suites, its key, lines for a machine'), showChannel)
  historyCommands(program, channel, around)
  fillCommand(channel, around)
  const drop = channel
    .command('delete <name>')
    .description('delete a channel with its history; machines on it get nothing any more')
    .option(...reason)
  run(around, drop, deleteChannel)
  const back = program
    .command('rollback <channel>')
    .description('a new generation with the content of an old one')
    .requiredOption(
      '--to <generation>',
      'the generation to go back to: its serial, or a time like 20261101T000000Z',
    )
    .option(...reason)
  run(around, back, rollback)
}

async function createChannel(
  context: Context,
  [name = '']: readonly string[],
  { follow, from, base, reason: why }: CreateOptions,
): Promise<void> {
  const client = await context.connect()
  const body = { name, follow: splitList(follow), from, base, reason: why }
  const made = await client.call<ChannelAnswer>('POST', '/channels', body)
  context.out.result(made, (one) => [
    one.head === 0
      ? `channel ${name} made; its archives hold nothing yet: sluice archive refresh`
      : `channel ${name} generation ${one.head}: ${one.kind}`,
    ...lostNote(name, one.lost),
    `lines for a machine: sluice channel show ${name}`,
  ])
}

async function listChannels(context: Context): Promise<void> {
  const client = await context.connect()
  const channels = await client.call<ChannelEntry[]>('GET', '/channels')
  context.out.result(channels, (all) => channelTable(all, context.out.width))
  await tellGcWarnings(context)
}

async function showChannel(context: Context, [name = '']: readonly string[]): Promise<void> {
  const client = await context.connect()
  const channel = await client.call<ChannelAnswer>('GET', `/channels/${encodeURIComponent(name)}`)
  context.out.result(channel, (one) => describeChannel(one, context.out.width))
}

async function deleteChannel(
  context: Context,
  [name = '']: readonly string[],
  { reason: why }: { readonly reason?: string },
): Promise<void> {
  const client = await context.connect()
  const path = `/channels/${encodeURIComponent(name)}`
  const deleted = await client.call<{ deleted: string }>('DELETE', path, { reason: why })
  context.out.result(deleted, () => [
    `channel ${name} deleted; machines that are on it get nothing any more`,
  ])
}

async function rollback(
  context: Context,
  [name = '']: readonly string[],
  options: { readonly to: string; readonly reason?: string },
): Promise<void> {
  const client = await context.connect()
  const path = `/channels/${encodeURIComponent(name)}/rollback`
  const answer = await client.call<RollbackAnswer>('POST', path, options)
  context.out.result(answer, (one) => rollbackLines(name, one))
}
