/**
 * `sluice pending`: what one channel has that another has not, and what is known of it.
 */
import type { Command } from 'commander'
import type { PendingAnswer } from './api-pending-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { pendingLines } from './pending-report.ts'

interface PendingOptions {
  readonly from: string
  readonly to: string
}

/** Adds the command. */
export function pendingCommands(program: Command, around: Surroundings): void {
  const pending = program
    .command('pending')
    .description('what one channel has that another has not')
    .option('--from <channel>', 'where it is, CHANNEL or CHANNEL@SERIAL', 'testing')
    .option('--to <channel>', 'where it could go', 'approved')
  run(around, pending, showPending)
}

async function showPending(
  context: Context,
  _args: readonly string[],
  { from, to }: PendingOptions,
): Promise<void> {
  const client = await context.connect()
  const query = new URLSearchParams({ from, to })
  const answer = await client.call<PendingAnswer>('GET', `/pending?${query}`)
  context.out.result(answer, (one) => pendingLines(one, context.out.width))
}
