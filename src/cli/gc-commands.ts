/**
 * `sluice gc`: deletes what no channel promises any more, now instead of by itself at night.
 */
import type { Command } from 'commander'
import type { GcAnswer, GcEvent, GcReport } from './api-gc-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { gcLines, gcWarnings } from './gc-report.ts'
import { bar } from './progress.ts'
import { formatCount } from './words.ts'

interface GcOptions {
  readonly dryRun?: boolean
  readonly force?: boolean
  readonly reason?: string
}

/** Adds the command. */
export function gcCommands(program: Command, around: Surroundings): void {
  const gc = program
    .command('gc')
    .description('delete what channels keep no more and nothing names; a server does it by itself')
    .option('--dry-run', 'tell what would go, and delete nothing')
    .option('--force', 'even if that is more than a fifth of all')
    .option('--reason <text>', 'why, for the audit')
    .addHelpText(
      'after',
      '\nEach channel keeps its newest generations and those of the last days: sluice channel set NAME --keep, --keep-days,' +
        '\nor retain-generations and retain-days for all. What nothing names goes when it was so for a day.',
    )
  run(around, gc, collect)
}

async function collect(
  context: Context,
  _args: readonly string[],
  { dryRun, force, reason }: GcOptions,
): Promise<void> {
  const client = await context.connect()
  const body = { dryRun, force, reason }
  const report = await client.task<GcReport, GcEvent>('/gc', body, ({ what, done, total }) => {
    const part = bar(total === 0 ? 1 : done / total)
    const count = `${formatCount(done)} of ${formatCount(total)}`
    context.out.progress(`gc       ${what}  ${part} ${count}`)
  })
  context.out.clear()
  const how = { isDryRun: dryRun === true, width: context.out.width }
  context.out.result(report, (one) => gcLines(one, how))
  if (dryRun === true) return
  const { room } = await client.call<GcAnswer>('GET', '/gc')
  if (room !== undefined) context.out.error(...gcWarnings({ room }))
}

/** Tells on standard error what is wrong with collections, if anything is. */
export async function tellGcWarnings(context: Context): Promise<void> {
  const client = await context.connect()
  context.out.error(...gcWarnings(await client.call<GcAnswer>('GET', '/gc')))
}
