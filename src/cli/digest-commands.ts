/**
 * `sluice digest`: what waits and what went, told by mail or to a webhook, on a schedule.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import type { DigestAnswer, SentDigestAnswer } from './api-digest-types.ts'
import { type Context, run, type Surroundings, splitList } from './context.ts'
import { digestLines, digestTable } from './digest-report.ts'

interface DigestOptions {
  readonly mail?: readonly string[]
  readonly webhook?: string
  readonly from?: string
  readonly to?: string
  readonly schedule?: string
  readonly timeZone?: string
  readonly always?: boolean
  readonly onlyNews?: boolean
  readonly enable?: boolean
  readonly disable?: boolean
  readonly reason?: string
}

const reason = ['--reason <text>', 'why, for the audit'] as const
const notes = `
A mail goes over mail-server, from mail-from (sluice serve --help). A webhook gets one POST of JSON, signed if there is
a webhook-secret-file: X-Sluice-Signature: sha256=HMAC of the body in hex. Its URL is not told again: it may be a secret.
The server calls it from where it stands: names and addresses of its own network are allowed.
What cannot be sent is tried again for six hours; then the next one tells that too.`

/** Adds the commands. */
export function digestCommands(program: Command, around: Surroundings): void {
  const group = program
    .command('digest')
    .description('what waits and what went, by mail or to a webhook, on a schedule')
  const settings = (command: Command): Command =>
    command
      .option('--mail <addresses...>', 'who gets it by mail; those given replace all')
      .option('--webhook <url>', 'where it is posted as JSON; - reads the URL from standard input')
      .option('--from <channel>', 'what this channel has and the other has not, waits (testing)')
      .option('--to <channel>', 'what came to this channel, went (approved)')
      .option('--schedule <cron>', "when: five fields of cron ('0 7 * * *')")
      .option('--time-zone <zone>', "such as Europe/Berlin (the server's)")
      .option('--always', 'send it also when there is nothing to tell')
      .option('--only-news', 'do not, as at first')
      .option('--enable', 'let its schedule count')
      .option('--disable', 'let it be sent by hand only')
      .option(...reason)
      .addHelpText('after', notes)
  const create = group.command('create <name>').alias('add').description('make a digest')
  run(around, settings(create), createDigest)
  run(around, settings(group.command('set <name>').description('change a digest')), setDigest)
  run(around, group.command('list').description('all digests, and how they go'), listDigests)
  run(around, group.command('show <name>').description('all of one digest'), showDigest)
  const send = group
    .command('send <name>')
    .description('send it now; its schedule goes on as if it had not been')
    .option('--dry-run', 'print what would be sent, and send nothing')
    .option('--always', 'also when there is nothing to tell')
    .option(...reason)
  run(around, send, sendDigest)
  const drop = group
    .command('delete <name>')
    .alias('remove')
    .description('remove a digest')
    .option(...reason)
  run(around, drop, deleteDigest)
}

function pathOf(name: string): string {
  return `/digests/${encodeURIComponent(name)}`
}

function choose(
  yes: boolean | undefined,
  no: boolean | undefined,
  names: string,
): boolean | undefined {
  if (yes === true && no === true) {
    throw new AppError('ERR_USAGE', { message: `${names}, not both` })
  }
  return yes === true ? true : no === true ? false : undefined
}

async function bodyOf(options: DigestOptions): Promise<Record<string, unknown>> {
  const { mail, webhook, from, to, schedule, timeZone, reason: why } = options
  return {
    recipients: splitList(mail),
    webhook: webhook === '-' ? await readLine() : webhook,
    from,
    to,
    schedule,
    timeZone,
    always: choose(options.always, options.onlyNews, '--always or --only-news'),
    enabled: choose(options.enable, options.disable, '--enable or --disable'),
    reason: why,
  }
}

/** What stands in a command line is seen by everybody on the machine, and kept in histories. */
async function readLine(): Promise<string> {
  let text = ''
  for await (const piece of process.stdin.setEncoding('utf8')) {
    text += piece
    if (text.includes('\n') || text.length > 4096) break
  }
  return text.split('\n')[0]?.trim() ?? ''
}

async function createDigest(
  context: Context,
  [name = '']: readonly string[],
  options: DigestOptions,
): Promise<void> {
  const body = await bodyOf(options)
  const client = await context.connect()
  const made = await client.call<DigestAnswer>('POST', '/digests', { name, ...body })
  context.out.result(made, (one) => [
    ...digestLines(one),
    `what it would tell now: sluice digest send ${name} --dry-run`,
  ])
}

async function setDigest(
  context: Context,
  [name = '']: readonly string[],
  options: DigestOptions,
): Promise<void> {
  const body = await bodyOf(options)
  const client = await context.connect()
  context.out.result(await client.call<DigestAnswer>('PATCH', pathOf(name), body), digestLines)
}

async function listDigests(context: Context): Promise<void> {
  const client = await context.connect()
  const all = await client.call<DigestAnswer[]>('GET', '/digests')
  context.out.result(all, (some) => digestTable(some, context.out.width))
}

async function showDigest(context: Context, [name = '']: readonly string[]): Promise<void> {
  const client = await context.connect()
  context.out.result(await client.call<DigestAnswer>('GET', pathOf(name)), digestLines)
}

async function sendDigest(
  context: Context,
  [name = '']: readonly string[],
  options: { readonly dryRun?: boolean; readonly always?: boolean; readonly reason?: string },
): Promise<void> {
  const { dryRun, always, reason: why } = options
  const client = await context.connect()
  const body = { dryRun, always, reason: why }
  const path = `${pathOf(name)}/send`
  const sent = await client.task<SentDigestAnswer, never>(path, body, () => undefined)
  context.out.clear()
  context.out.result(sent, ({ isSent, subject, text, rejected }) => {
    if (dryRun === true) return [`Subject: ${subject}`, '', ...text.trimEnd().split('\n')]
    if (!isSent) return ['there is nothing to tell, and nothing was sent; --always sends it']
    const not = rejected.length === 0 ? '' : `, but not to ${rejected.join(', ')}`
    return [`digest ${name} sent${not}: ${subject}`]
  })
  if (sent.rejected.length > 0) context.setExitCode(3)
}

async function deleteDigest(
  context: Context,
  [name = '']: readonly string[],
  { reason: why }: { readonly reason?: string },
): Promise<void> {
  const client = await context.connect()
  const deleted = await client.call<{ deleted: string }>('DELETE', pathOf(name), { reason: why })
  context.out.result(deleted, () => [`digest ${name} deleted`])
}
