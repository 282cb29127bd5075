/**
 * `sluice policy` and `sluice explain`: promotion by rule on a schedule, and why a source did or did not go.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import type {
  ExplainAnswer,
  PolicyAnswer,
  PolicyRunAnswer,
  PolicyTryAnswer,
} from './api-policy-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { readNumber } from './number.ts'
import {
  explainLines,
  policyLines,
  policyTable,
  runLines,
  runTable,
  tryLines,
} from './policy-report.ts'

interface PolicyOptions {
  readonly from?: string
  readonly to?: string
  readonly schedule?: string
  readonly timeZone?: string
  readonly rule?: readonly string[]
  readonly freeze?: readonly string[]
  readonly enable?: boolean
  readonly disable?: boolean
  readonly reason?: string
}

const reason = ['--reason <text>', 'why, for the audit'] as const
const forms = `
Rules, the first that matches decides:   'linux* never'  'security after 1 day'  'archive docker after 36 hours'
                                         'suite *-updates not security after 3 days'  'after 7 days'
Freezes:                                 '2026-12-20 to 2027-01-06 except security: holidays'
A version is as old as it is in the first channel; a newer one that takes its place waits anew.`

/** Adds the commands. */
export function policyCommands(program: Command, around: Surroundings): void {
  const group = program.command('policy').description('promotion by rule, on a schedule')
  const settings = (command: Command): Command =>
    command
      .option('--from <channel>', 'where from')
      .option('--to <channel>', 'where to')
      .option('--schedule <cron>', "when: five fields of cron, '0 6 * * *'")
      .option('--time-zone <zone>', 'of schedule and freezes, such as Europe/Berlin (UTC)')
      .option('--rule <rules...>', 'what goes when; those given replace all')
      .option('--freeze <freezes...>', 'days on which nothing goes; those given replace all')
      .option('--enable', 'let its schedule count')
      .option('--disable', 'let it run by hand only')
      .option(...reason)
      .addHelpText('after', forms)
  run(around, settings(group.command('create <name>').description('make a policy')), createPolicy)
  run(around, settings(group.command('set <name>').description('change a policy')), setPolicy)
  run(around, group.command('list').description('all policies'), listPolicies)
  run(around, group.command('show <name>').description('all of one policy'), showPolicy)
  const runNow = group
    .command('run <name>')
    .description('promote now what it lets go')
    .option('--dry-run', 'tell what would go and what not, and change nothing')
    .option(...reason)
  run(around, runNow, runPolicy)
  const history = group
    .command('history <name>')
    .description('its runs, newest first; --json tells of each candidate why')
    .option('--limit <number>', 'how many', '20')
  run(around, history, showHistory)
  const drop = group
    .command('delete <name>')
    .description('remove a policy')
    .option(...reason)
  run(around, drop, deletePolicy)
  const explain = program
    .command('explain <source>')
    .description('why a source package did or did not go, and what would make it go')
    .option('--from <channel>', 'where it is (those of the policies)')
    .option('--to <channel>', 'where it could go (those of the policies)')
  run(around, explain, explainSource)
}

function pathOf(name: string): string {
  return `/policies/${encodeURIComponent(name)}`
}

function bodyOf(options: PolicyOptions): Record<string, unknown> {
  const { from, to, schedule, timeZone, rule, freeze, enable, disable, reason: why } = options
  if (enable === true && disable === true) {
    throw new AppError('ERR_USAGE', { message: '--enable or --disable, not both' })
  }
  const enabled = enable === true ? true : disable === true ? false : undefined
  // One empty text, --freeze '', takes all away.
  const freezes = freeze?.filter((text) => text !== '')
  return { from, to, schedule, timeZone, rules: rule, freezes, enabled, reason: why }
}

async function createPolicy(
  context: Context,
  [name = '']: readonly string[],
  options: PolicyOptions,
): Promise<void> {
  const body = bodyOf({ from: 'testing', to: 'approved', schedule: '0 6 * * *', ...options })
  const client = await context.connect()
  const made = await client.call<PolicyAnswer>('POST', '/policies', { name, ...body })
  context.out.result(made, (one) => [
    ...policyLines(one),
    `what it would do now: sluice policy run ${name} --dry-run`,
  ])
}

async function setPolicy(
  context: Context,
  [name = '']: readonly string[],
  options: PolicyOptions,
): Promise<void> {
  const client = await context.connect()
  const set = await client.call<PolicyAnswer>('PATCH', pathOf(name), bodyOf(options))
  context.out.result(set, policyLines)
}

async function listPolicies(context: Context): Promise<void> {
  const client = await context.connect()
  const all = await client.call<PolicyAnswer[]>('GET', '/policies')
  context.out.result(all, (some) => policyTable(some, context.out.width))
}

async function showPolicy(context: Context, [name = '']: readonly string[]): Promise<void> {
  const client = await context.connect()
  context.out.result(await client.call<PolicyAnswer>('GET', pathOf(name)), policyLines)
}

async function runPolicy(
  context: Context,
  [name = '']: readonly string[],
  { dryRun, reason: why }: { readonly dryRun?: boolean; readonly reason?: string },
): Promise<void> {
  const client = await context.connect()
  const path = `${pathOf(name)}/run`
  const { width } = context.out
  if (dryRun === true) {
    const answer = await client.call<PolicyTryAnswer>('POST', path, { dryRun })
    context.out.result(answer, (one) => tryLines(one, width))
    return
  }
  const made = await client.task<PolicyRunAnswer, never>(path, { reason: why }, () => undefined)
  context.out.clear()
  context.out.result(made, (one) => runLines(one, width))
  if (made.problem !== undefined) context.setExitCode(made.wentCount > 0 ? 3 : 1)
}

async function showHistory(
  context: Context,
  [name = '']: readonly string[],
  { limit }: { readonly limit: string },
): Promise<void> {
  const client = await context.connect()
  const count = readNumber('--limit', limit)
  const runs = await client.call<PolicyRunAnswer[]>('GET', `${pathOf(name)}/runs?limit=${count}`)
  context.out.result(runs, (all) => runTable(all, context.out.width))
}

async function deletePolicy(
  context: Context,
  [name = '']: readonly string[],
  { reason: why }: { readonly reason?: string },
): Promise<void> {
  const client = await context.connect()
  const deleted = await client.call<{ deleted: string }>('DELETE', pathOf(name), { reason: why })
  context.out.result(deleted, () => [`policy ${name} deleted; what it promoted stays`])
}

async function explainSource(
  context: Context,
  [source = '']: readonly string[],
  { from, to }: { readonly from?: string; readonly to?: string },
): Promise<void> {
  const client = await context.connect()
  const query = new URLSearchParams({
    source,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  })
  const explained = await client.call<ExplainAnswer[]>('GET', `/explain?${query}`)
  context.out.result(explained, (all) => explainLines(source, all, Date.now()))
}
