/**
 * Commands about the server itself: verify, tokens, figures.
 */
import { type Command, Option } from 'commander'
import { tokenTable, verifyLines } from './admin-report.ts'
import type { StatsAnswer } from './api-stats-types.ts'
import type { TokenAnswer, VerifyAnswer, VerifyEvent } from './api-types.ts'
import { type Context, run, type Surroundings, splitList } from './context.ts'
import { tellGcWarnings } from './gc-commands.ts'
import { bar, createPace } from './progress.ts'
import { statsLines } from './stats-report.ts'
import { formatCount } from './words.ts'

/** Adds the commands. */
export function adminCommands(program: Command, around: Surroundings): void {
  const verify = program
    .command('verify')
    .description('walk from the heads to the blobs, hash all, fetch again what is damaged')
    .option('--quick', 'look at the sizes of files, and do not read them')
    .addOption(
      new Option('--deep', 'read and hash every file again: what it does anyway').hideHelp(),
    )
  run(around, verify, verifyStore)
  const token = program.command('token').description('who may use the API')
  const create = token
    .command('create <name>')
    .option('--upload <archive...>', 'good for uploads to these archives, and for nothing else')
    .option('--direct', 'they need no signature, also where the archive takes only signed ones')
  run(around, create.description('make a token and print it, this once'), createToken)
  run(around, token.command('list').description('names of all tokens'), listTokens)
  run(around, token.command('revoke <name>').description('end a token'), revokeToken)
  run(
    around,
    program.command('stats').description('what it sent and saved, and what it keeps'),
    stats,
  )
}

async function verifyStore(
  context: Context,
  _args: readonly string[],
  options: { readonly quick?: boolean },
): Promise<void> {
  const client = await context.connect()
  const pace = createPace()
  const body = { deep: options.quick !== true }
  const report = await client.task<VerifyAnswer, VerifyEvent>('/verify', body, (event) => {
    const { what, done, total } = event
    const left = [`${formatCount(done)} of ${formatCount(total)}`, pace.left(done, total)]
    context.out.progress(
      `verify   ${what}  ${bar(done / total)} ${left.filter(Boolean).join(', ')}`,
    )
  })
  context.out.clear()
  context.out.result(report, verifyLines)
  const { waiting, lost } = report.files
  if (waiting + lost > 0) context.setExitCode(3)
  else if (report.problems.some(({ outcome }) => outcome === undefined)) context.setExitCode(1)
}

async function createToken(
  context: Context,
  [name = '']: readonly string[],
  { upload, direct }: { readonly upload?: readonly string[]; readonly direct?: boolean },
): Promise<void> {
  const client = await context.connect()
  const body = { name, uploads: splitList(upload), direct }
  const made = await client.call<{ name: string; token: string }>('POST', '/tokens', body)
  if (context.out.width !== undefined) {
    context.out.error(`token ${name}, shown this once; elsewhere it goes into SLUICE_TOKEN:`)
  }
  context.out.result(made, ({ token }) => [token])
}

async function listTokens(context: Context): Promise<void> {
  const client = await context.connect()
  const tokens = await client.call<TokenAnswer[]>('GET', '/tokens')
  context.out.result(tokens, (all) => tokenTable(all, context.out.width))
}

async function revokeToken(context: Context, [name = '']: readonly string[]): Promise<void> {
  const client = await context.connect()
  const path = `/tokens/${encodeURIComponent(name)}`
  const revoked = await client.call<{ revoked: string }>('DELETE', path)
  context.out.result(revoked, () => [`token ${name} revoked`])
}

async function stats(context: Context): Promise<void> {
  const client = await context.connect()
  const figures = await client.call<StatsAnswer>('GET', '/stats')
  context.out.result(figures, (all) => statsLines(all, context.out.width))
  await tellGcWarnings(context)
}
