/**
 * `sluice key …`: the keys that publications are signed with.
 */
import type { Command } from 'commander'
import type { KeyAnswer, RotateAnswer } from './api-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { describeKeys, keyTable, rotateLines } from './key-report.ts'
import { readNumber } from './number.ts'

interface RotateOptions {
  readonly finish?: boolean
  readonly after?: string
  readonly force?: boolean
  readonly reason?: string
}

/** Adds the group of commands. */
export function keyCommands(program: Command, around: Surroundings): void {
  const key = program.command('key').description('the keys that channels are signed with')
  run(around, key.command('list').description('the keys of all channels'), listKeys)
  const show = key.command('show <publication>')
  run(around, show.description('the keys of a channel, or class:NAME, and since when'), showKeys)
  const exported = key.command('export <publication>')
  run(around, exported.description('the public keys of a channel, armored'), exportKey)
  const rotate = key
    .command('rotate <publication>')
    .description('replace a key: begin with two that sign; --finish drops the old one')
    .option('--finish', 'drop the old key, 30 days after the beginning')
    .option('--after <days>', 'with --finish: days that both must have signed', '30')
    .option('--force', 'with --finish: drop it now')
    .option('--reason <text>', 'why, for the audit')
  run(around, rotate, rotateKey)
}

async function listKeys(context: Context): Promise<void> {
  const client = await context.connect()
  const keys = await client.call<KeyAnswer[]>('GET', '/keys')
  context.out.result(keys, (all) => keyTable(all, context.out.width))
}

async function showKeys(context: Context, [name = '']: readonly string[]): Promise<void> {
  const client = await context.connect()
  const keys = await client.call<KeyAnswer>('GET', `/keys/${encodeURIComponent(name)}`)
  context.out.result(keys, (one) => describeKeys(one, context.out.width))
}

async function exportKey(context: Context, [name = '']: readonly string[]): Promise<void> {
  const client = await context.connect()
  const path = `/keys/${encodeURIComponent(name)}`
  const keys = await client.call<KeyAnswer & { armored: string }>('GET', path)
  context.out.result(keys, ({ armored }) => [armored.trimEnd()])
}

async function rotateKey(
  context: Context,
  [name = '']: readonly string[],
  { finish, after = '30', force, reason }: RotateOptions,
): Promise<void> {
  const afterDays = after === '0' ? 0 : readNumber('--after', after)
  const client = await context.connect()
  const body = finish === true ? { finish, force, afterDays, reason } : { reason }
  const path = `/keys/${encodeURIComponent(name)}/rotate`
  const answer = await client.call<RotateAnswer>('POST', path, body)
  context.out.result(answer, rotateLines)
}
