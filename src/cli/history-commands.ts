/**
 * Commands that look into generations, and at who took them: `sluice diff`, `sluice search`, `sluice channel
 * history`, `sluice channel clients`.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import type { ClientsAnswer, DifferenceAnswer, PackageRun } from './api-history-types.ts'
import type { FoundAnswer, GenerationAnswer } from './api-types.ts'
import { changelogCommand } from './changelog-command.ts'
import { historyTable } from './channel-report.ts'
import { clientTable } from './client-report.ts'
import { assertContents, type ContentsOptions, showContents } from './contents-command.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { differenceBlocks, differenceTable } from './difference-report.ts'
import { readNumber } from './number.ts'
import { foundTable, runTable } from './search-report.ts'
import { readWhen, whenHelp } from './when.ts'

interface SearchOptions {
  readonly history?: boolean
  readonly channel?: string
}

/** Adds the commands: some to the program, some to the group `channel`. */
export function historyCommands(program: Command, channel: Command, around: Surroundings): void {
  const history = channel
    .command('history <name>')
    .description('its generations, newest first: when, by whom, what changed and why')
    .option('--limit <number>', 'how many', '20')
    .option('--since <time>', `not before: ${whenHelp}`)
  run(around, history, showHistory)
  const clients = channel
    .command('clients <name>')
    .description(
      'machines that took it in the last 30 days, and which generation; class/NAME: a class',
    )
    .option('--behind', 'only those that have not what it holds now')
  run(around, clients, showClients)
  run(around, diffCommand(channel.command('diff <a> <b>')), diff)
  run(around, diffCommand(program.command('diff <a> <b>')), diff)
  const find = program
    .command('search <name>')
    .description(
      'which channels hold which versions of a package; * in the name stands for anything',
    )
    .option('--history', 'in all generations that are kept: since which, until which')
    .option('--channel <name>', 'in this one only; CHANNEL@SERIAL without --history')
  run(around, find, search)
  changelogCommand(program, around)
}

function diffCommand(command: Command): Command {
  return command
    .description(
      'how B differs from A; each is CHANNEL, CHANNEL@SERIAL, CHANNEL@20261101T000000Z or class/NAME',
    )
    .option('--fields', 'what differs in the control files: Depends, Installed-Size, …')
    .option(
      '--contents <source...>',
      'of these sources: scripts, units, listeners, setuid files, all files of their packages',
    )
    .option('--arch <architecture...>', 'with --contents: these; one unless told')
}

async function showHistory(
  context: Context,
  [name = '']: readonly string[],
  { limit, since }: { readonly limit: string; readonly since?: string },
): Promise<void> {
  const query = new URLSearchParams({ limit: String(readNumber('--limit', limit)) })
  if (since !== undefined) {
    query.set('since', String(readWhen('--since', since, { now: Date.now() })))
  }
  const client = await context.connect()
  const path = `/channels/${encodeURIComponent(name)}/history?${query}`
  const generations = await client.call<GenerationAnswer[]>('GET', path)
  context.out.result(generations, (all) => historyTable(all, context.out.width))
}

async function showClients(
  context: Context,
  [name = '']: readonly string[],
  { behind = false }: { readonly behind?: boolean },
): Promise<void> {
  const client = await context.connect()
  const path = `/channels/${encodeURIComponent(name)}/clients`
  const answer = await client.call<ClientsAnswer>('GET', path)
  const clients = answer.clients.filter((one) => !behind || one.isBehind)
  context.out.result({ ...answer, clients }, (one) =>
    clientTable(one, { onlyBehind: behind }, context.out.width),
  )
}

async function diff(
  context: Context,
  [from = '', to = '']: readonly string[],
  { fields = false, ...more }: { readonly fields?: boolean } & ContentsOptions,
): Promise<void> {
  assertContents(more)
  if (more.contents !== undefined) return showContents(context, [from, to], more)
  const client = await context.connect()
  const query = new URLSearchParams({ from, to, fields: String(fields) })
  const answer = await client.call<DifferenceAnswer>('GET', `/diff?${query}`)
  const show = fields ? differenceBlocks : differenceTable
  context.out.result(answer, (one) => show(one, context.out.width))
}

async function search(
  context: Context,
  [name = '']: readonly string[],
  { history = false, channel }: SearchOptions,
): Promise<void> {
  const client = await context.connect()
  const query = new URLSearchParams({ name, ...(channel === undefined ? {} : { channel }) })
  if (history) {
    const runs = await client.call<PackageRun[]>('GET', `/search/history?${query}`)
    if (runs.length === 0) throw notFound(`no generation that is kept holds ${what(name)}`)
    context.out.result(runs, (all) => runTable(all, context.out.width))
    return
  }
  const found = await client.call<FoundAnswer[]>('GET', `/search?${query}`)
  if (found.length === 0) {
    const where = channel ?? 'no channel'
    const verb = channel === undefined ? 'holds' : 'does not hold'
    const hint = `names are compared whole, unless they have a *; or it was there: sluice search ${name} --history`
    throw notFound(`${where} ${verb} ${what(name)}`, hint)
  }
  context.out.result(found, (all) => foundTable(all, context.out.width))
}

function what(name: string): string {
  return `a binary or source package ${name}`
}

function notFound(message: string, hint?: string): AppError {
  return new AppError('ERR_NOT_FOUND', { message, hint })
}
