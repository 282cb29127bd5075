/**
 * `sluice pending`: what one channel has that another has not, and what is known of it.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import type { FetchedChangelogs, NeedsProgress, PendingAnswer } from './api-pending-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { readNumber } from './number.ts'
import { pendingBlocks } from './pending-details-report.ts'
import { pendingLines } from './pending-report.ts'
import { bar } from './progress.ts'
import { readSpan, spanHelp } from './when.ts'
import { formatSize, plural, printable } from './words.ts'

interface PendingOptions {
  readonly from: string
  readonly to: string
  readonly security?: boolean
  readonly held?: boolean
  readonly declined?: boolean
  readonly cve?: string | true
  readonly urgency?: string
  readonly goes?: boolean
  readonly olderThan?: string
  readonly newerThan?: string
  readonly archive?: string
  readonly suite?: string
  readonly sort?: string
  readonly reverse?: boolean
  readonly limit?: string
  readonly details?: boolean
  readonly fetch?: boolean
  readonly needs?: boolean
}

/** Entries of each changelog that are asked for, to be shown whole and as JSON. */
const ALL_ENTRIES = 1000

/** Adds the command. */
export function pendingCommands(program: Command, around: Surroundings): void {
  const pending = program
    .command('pending [source...]')
    .description("what one channel has that another has not; SOURCE or 'linux*': only these")
    .option('--from <channel>', 'where it is, CHANNEL or CHANNEL@SERIAL', 'testing')
    .option('--to <channel>', 'where it could go', 'approved')
    .option('--security', 'only what is of suites of security updates')
    .option('--no-security', 'only what is of other suites')
    .option('--cve [id]', 'only what names this CVE, or any, in its changelog')
    .option('--urgency <least>', 'only what is so urgent: low, medium, high, emergency, critical')
    .option('--held', 'only what is held in the second channel')
    .option('--no-held', 'only what is not')
    .option('--declined', 'only versions that the second channel declined')
    .option('--no-declined', 'only others')
    .option('--goes', 'only what a policy lets go now')
    .option('--no-goes', 'only what none does')
    .option('--older-than <span>', `only what the first channel has had for so long: ${spanHelp}`)
    .option('--newer-than <span>', 'only what it has not had for longer')
    .option('--archive <name>', 'only of this archive')
    .option('--suite <name>', 'only of this suite')
    .option('--sort <key>', 'source, suite, age, size, urgency, cves, verdict; else security first')
    .option('--reverse', 'the other way round')
    .option('--limit <number>', 'so many at most')
    .option('--details', 'all that is known of each, with the new entries of its changelog')
    .option('--needs', 'ask the gate what must come along with each')
    .option('--fetch', 'get a package of each source whose changelog is not known yet')
  run(around, pending, showPending)
}

async function showPending(
  context: Context,
  patterns: readonly string[],
  options: PendingOptions,
): Promise<void> {
  const { from, to, details = false, fetch = false, needs = false } = options
  const candidates = candidatesOf(patterns, options)
  const query = queryOf({ from, to, ...candidates, ...moreOf(context, options) })
  const client = await context.connect()
  if (fetch) await fetchMissing(context, { from, to, ...candidates })
  if (needs) await askGate(context, { from, to })
  const answer = await client.call<PendingAnswer>('GET', `/pending?${query}`)
  const show = details ? pendingBlocks : pendingLines
  context.out.result(answer, (one) => show(one, context.out.width))
}

type Fields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

function candidatesOf(patterns: readonly string[], options: PendingOptions): Fields {
  const { security, held, declined, olderThan, newerThan, archive, suite } = options
  return {
    patterns: patterns.length > 0 ? patterns : undefined,
    archive,
    suite,
    security,
    held,
    declined,
    olderThanMs: olderThan === undefined ? undefined : readSpan('--older-than', olderThan),
    newerThanMs: newerThan === undefined ? undefined : readSpan('--newer-than', newerThan),
  }
}

function moreOf({ out }: Context, options: PendingOptions): Fields {
  const { cve, urgency, goes, sort, reverse, limit, details } = options
  const isTable = details !== true && !out.isJson
  return {
    cve: cve === true ? 'any' : cve,
    urgency,
    goes,
    sort: sort === undefined ? undefined : readSort(sort),
    reverse,
    limit: limit === undefined ? undefined : readNumber('--limit', limit),
    entries: isTable ? 0 : ALL_ENTRIES,
  }
}

const sortKeys = ['security', 'source', 'suite', 'age', 'size', 'urgency', 'cves', 'verdict']

function readSort(key: string): string {
  if (sortKeys.includes(key)) return key
  throw new AppError('ERR_USAGE', {
    message: `nothing is sorted by ${JSON.stringify(key)}`,
    hint: `--sort ${sortKeys.join(', ')}`,
  })
}

function queryOf(fields: Fields): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one))
  }
  return query
}

async function fetchMissing(context: Context, body: Fields): Promise<void> {
  const client = await context.connect()
  const fetched = await client.task<FetchedChangelogs, FetchedChangelogs>(
    '/pending/changelogs',
    body,
    ({ done, total, bytes }) =>
      context.out.progress(
        `read     ${done} of ${plural(total, 'changelog')}  ${bar(done / total)} ${formatSize(bytes)}`,
      ),
  )
  context.out.clear()
  for (const { package: name, message } of fetched.problems) {
    context.out.error(printable(`sluice: warning: ${name}: ${message}`))
  }
  if (fetched.problems.length > 0) context.setExitCode(3)
}

async function askGate(context: Context, body: Fields): Promise<void> {
  const client = await context.connect()
  await client.task<unknown, NeedsProgress>('/pending/needs', body, ({ done, total }) =>
    context.out.progress(`gate     ${done} of ${plural(total, 'source')}  ${bar(done / total)}`),
  )
  context.out.clear()
}
