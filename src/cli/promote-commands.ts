/**
 * `sluice promote`: moves source packages from one channel to another.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import type { PromotionAnswer } from './api-promotion-types.ts'
import type { FetchEvent } from './api-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { bar, createPace } from './progress.ts'
import { promotionLines } from './promote-report.ts'
import { readSpan, spanHelp } from './when.ts'
import { formatSize, plural } from './words.ts'

interface PromoteOptions {
  readonly from: string
  readonly to: string
  readonly all?: boolean
  readonly security?: boolean
  readonly olderThan?: string
  readonly except?: readonly string[]
  readonly removals?: boolean
  readonly force?: boolean
  readonly withDeps?: boolean
  readonly dryRun?: boolean
  readonly plan?: string
  readonly reason?: string
}

/** Adds the command. */
export function promoteCommands(program: Command, around: Surroundings): void {
  const promote = program
    .command('promote [source...]')
    .description(
      "let a channel have what another one has of source packages: SOURCE, SOURCE=VERSION or 'linux*'",
    )
    .option('--all', 'all that differs')
    .option('--security', 'only what is of suites of security updates')
    .option('--older-than <span>', `only what the first channel has had for so long: ${spanHelp}`)
    .option('--except <source...>', "but these: SOURCE or 'linux*'")
    .option('--from <channel>', 'where from, CHANNEL or CHANNEL@SERIAL', 'testing')
    .option('--to <channel>', 'where to', 'approved')
    .option('--removals', 'also take out what the first channel has no more')
    .option('--with-deps', 'and what has to go with it, so that nothing breaks')
    .option('--force', 'also what is held in the second channel, or breaks something there')
    .option('--reason <text>', 'why, for the audit')
    .option('--dry-run', 'tell what would happen, and change nothing')
    .option('--plan <digest>', 'do what a dry run showed, or nothing')
  run(around, promote, promoteSources)
}

async function promoteSources(
  context: Context,
  names: readonly string[],
  options: PromoteOptions,
): Promise<void> {
  const { from, to, removals, force, withDeps, dryRun, plan, reason } = options
  const body = {
    from,
    to,
    removals,
    force,
    withDeps,
    dryRun,
    plan,
    reason,
    ...selection(names, options),
  }
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
  const { width } = context.out
  const command = commandOf(names, options)
  context.out.result(answer, (one) => promotionLines(one, { isDryRun, width, command }))
}

/** What is selected, as the API takes it. */
function selection(names: readonly string[], options: PromoteOptions): object {
  const { all = false, security, olderThan, except } = options
  const olderThanMs = olderThan === undefined ? undefined : readSpan('--older-than', olderThan)
  const isNarrowed = security === true || olderThanMs !== undefined
  if (names.length > 0 ? all : !all && !isNarrowed) {
    throw new AppError('ERR_USAGE', {
      message: all
        ? 'name source packages, or say --all: not both'
        : 'name the source packages to promote, or say --all, --security or --older-than',
      hint: 'sluice pending tells them',
    })
  }
  const sources = names.filter((name) => !name.includes('*')).map(readSource)
  const patterns = names.filter((name) => name.includes('*'))
  return {
    all: names.length === 0 ? true : undefined,
    sources: sources.length > 0 ? sources : undefined,
    patterns: patterns.length > 0 ? patterns : undefined,
    security,
    olderThanMs,
    except,
  }
}

/** The same command again, as one types it. */
function commandOf(names: readonly string[], options: PromoteOptions): string {
  const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)
  const { all, security, olderThan, except = [], from, to, removals, force, withDeps } = options
  return [
    'sluice promote',
    ...names.map(quoted),
    ...(all === true ? ['--all'] : []),
    ...(security === true ? ['--security'] : []),
    ...(olderThan === undefined ? [] : [`--older-than ${quoted(olderThan)}`]),
    ...(except.length === 0 ? [] : [`--except ${except.map(quoted).join(' ')}`]),
    ...(from === 'testing' ? [] : [`--from ${from}`]),
    ...(to === 'approved' ? [] : [`--to ${to}`]),
    ...(removals === true ? ['--removals'] : []),
    ...(withDeps === true ? ['--with-deps'] : []),
    ...(force === true ? ['--force'] : []),
  ].join(' ')
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
