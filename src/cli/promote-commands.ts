/**
 * `sluice promote`: moves source packages from one channel to another.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import type { FetchEvent, PromotionAnswer } from './api-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { bar, createPace } from './progress.ts'
import { promotionLines } from './promote-report.ts'
import { formatSize, plural } from './words.ts'

interface PromoteOptions {
  readonly from: string
  readonly to: string
  readonly all?: boolean
  readonly removals?: boolean
  readonly force?: boolean
  readonly dryRun?: boolean
  readonly reason?: string
}

/** Adds the command. */
export function promoteCommands(program: Command, around: Surroundings): void {
  const promote = program
    .command('promote [source...]')
    .description(
      'let a channel have what another one has of source packages: SOURCE or SOURCE=VERSION',
    )
    .option('--all', 'all that differs')
    .option('--from <channel>', 'where from, CHANNEL or CHANNEL@SERIAL', 'testing')
    .option('--to <channel>', 'where to', 'approved')
    .option('--removals', 'also take out what the first channel has no more')
    .option('--force', 'also what is held in the second channel')
    .option('--reason <text>', 'why, for the audit')
    .option('--dry-run', 'tell what would happen, and change nothing')
  run(around, promote, promoteSources)
}

async function promoteSources(
  context: Context,
  names: readonly string[],
  options: PromoteOptions,
): Promise<void> {
  const body = { ...options, ...selection(names, options.all === true) }
  const client = await context.connect()
  const pace = createPace()
  const answer = await client.task<PromotionAnswer, FetchEvent>('/promotions', body, (event) => {
    const { done, total, doneBytes, totalBytes } = event
    const sizes = `${formatSize(doneBytes)} of ${formatSize(totalBytes)}`
    const left = [sizes, pace.left(doneBytes, totalBytes)].filter(Boolean).join(', ')
    context.out.progress(
      `fetch    ${done} of ${plural(total, 'file')}  ${bar(doneBytes / totalBytes)} ${left}`,
    )
  })
  context.out.clear()
  const isDryRun = options.dryRun === true
  context.out.result(answer, (one) => promotionLines(one, { isDryRun }))
}

function selection(names: readonly string[], isAll: boolean): object {
  if (names.length > 0 === isAll) {
    throw new AppError('ERR_USAGE', {
      message: isAll
        ? 'name source packages, or say --all: not both'
        : 'name the source packages to promote, or say --all',
      hint: 'sluice pending tells them',
    })
  }
  return isAll ? { all: true } : { sources: names.map(readSource) }
}

/** `hello`, or `hello=2.12-1`. */
function readSource(text: string): { name: string; version?: string } {
  const at = text.indexOf('=')
  const name = at === -1 ? text : text.slice(0, at)
  const version = at === -1 ? undefined : text.slice(at + 1)
  if (name === '' || version === '') {
    throw new AppError('ERR_USAGE', {
      message: `${JSON.stringify(text)} is neither SOURCE nor SOURCE=VERSION`,
    })
  }
  return version === undefined ? { name } : { name, version }
}
