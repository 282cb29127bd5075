/**
 * `sluice class …`: sets of machines that get a channel under a URL of their own, and can be moved to another one.
 */
import type { Command } from 'commander'
import { addAdoptCommand } from './adopt-command.ts'
import type { ClassAnswer, ClassEntry, ClassMoveAnswer } from './api-class-types.ts'
import type { GenerationAnswer } from './api-types.ts'
import { historyTable } from './channel-report.ts'
import { classTable, describeClass, moveLines } from './class-report.ts'
import { type Context, run, type Surroundings } from './context.ts'

interface ClassOptions {
  readonly channel?: string
  readonly reason?: string
}

const reason = ['--reason <text>', 'why, for the audit'] as const
const channelOption = ['--channel <channel>', 'the channel that its machines get'] as const

/** Adds the group of commands. */
export function classCommands(program: Command, around: Surroundings): void {
  const group = program
    .command('class')
    .description('sets of machines with a URL and key of their own, moved from channel to channel')
  const create = group.command('create <name>').description('make a class')
  run(around, create.requiredOption(...channelOption).option(...reason), createClass)
  const set = group
    .command('set <name>')
    .description('move a class to another channel; its machines follow at their next update')
  run(around, set.requiredOption(...channelOption).option(...reason), setClass)
  run(around, group.command('list').description('all classes, and their channels'), listClasses)
  const show = group.command('show <name>')
  run(around, show.description('a class: its suites, its key, lines for a machine'), showClass)
  const history = group
    .command('history <name>')
    .description('what it published, newest first')
    .option('--limit <number>', 'how many', '20')
  run(around, history, showHistory)
  addAdoptCommand(group, around, { kind: 'class', root: '/classes' })
  const drop = group
    .command('delete <name>')
    .description('delete a class; machines that are on it get nothing any more')
    .option(...reason)
  run(around, drop, deleteClass)
}

function pathOf(name: string): string {
  return `/classes/${encodeURIComponent(name)}`
}

async function createClass(
  context: Context,
  [name = '']: readonly string[],
  { channel, reason: why }: ClassOptions,
): Promise<void> {
  const client = await context.connect()
  const made = await client.call<ClassAnswer>('POST', '/classes', { name, channel, reason: why })
  context.out.result(made, (one) => [
    one.head === 0
      ? `class ${name} made; channel ${channel} holds nothing yet`
      : `class ${name} generation ${one.head}: what ${channel} is`,
    `lines for a machine: sluice class show ${name}`,
  ])
}

async function setClass(
  context: Context,
  [name = '']: readonly string[],
  { channel, reason: why }: ClassOptions,
): Promise<void> {
  const client = await context.connect()
  const moved = await client.call<ClassMoveAnswer>('PATCH', pathOf(name), { channel, reason: why })
  context.out.result(moved, moveLines)
}

async function listClasses(context: Context): Promise<void> {
  const client = await context.connect()
  const classes = await client.call<ClassEntry[]>('GET', '/classes')
  context.out.result(classes, (all) => classTable(all, context.out.width))
}

async function showClass(context: Context, [name = '']: readonly string[]): Promise<void> {
  const client = await context.connect()
  const found = await client.call<ClassAnswer>('GET', pathOf(name))
  context.out.result(found, (one) => describeClass(one, context.out.width))
}

async function showHistory(
  context: Context,
  [name = '']: readonly string[],
  { limit }: { readonly limit: string },
): Promise<void> {
  const client = await context.connect()
  const path = `${pathOf(name)}/history?${new URLSearchParams({ limit })}`
  const generations = await client.call<GenerationAnswer[]>('GET', path)
  context.out.result(generations, (all) => historyTable(all, context.out.width))
}

async function deleteClass(
  context: Context,
  [name = '']: readonly string[],
  { reason: why }: ClassOptions,
): Promise<void> {
  const client = await context.connect()
  const deleted = await client.call<{ deleted: string }>('DELETE', pathOf(name), { reason: why })
  context.out.result(deleted, () => [
    `class ${name} deleted; machines that are on it get nothing any more`,
  ])
}
