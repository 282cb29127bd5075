/**
 * `sluice archive …`: where packages come from.
 */
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { AppError, systemCode } from '../base/errors.ts'
import type { RemovedAnswer } from './api-file-types.ts'
import type { LearnedListAnswer } from './api-learned-types.ts'
import type { ArchiveAnswer } from './api-types.ts'
import { archiveTable, describeArchive } from './archive-report.ts'
import { type Context, run, type Surroundings, splitList } from './context.ts'
import { createCommand } from './create-archive-command.ts'
import { removedLines } from './file-report.ts'
import { learnedTable } from './learned-report.ts'
import { machineArchitecture } from './machine-architecture.ts'
import { readNumber } from './number.ts'
import { readKeys } from './read-keys.ts'
import { refresh } from './refresh.ts'
import { packagesCommand } from './unpublish-command.ts'

interface SettingOptions {
  readonly urls?: readonly string[]
  readonly suite?: readonly string[]
  readonly component?: readonly string[]
  readonly arch?: readonly string[]
  readonly keyring?: string
  readonly sources?: boolean
  readonly language?: readonly string[]
  readonly with?: readonly string[]
  readonly auth?: string
  readonly proxy?: string
  readonly allowExpired?: boolean
  readonly allowOtherSuite?: boolean
  readonly fallback?: readonly string[] | false
  readonly rescue?: string
  readonly uploader?: readonly string[] | false
  readonly keepVersions?: string
  readonly reason?: string
}

/** Adds the group of commands. */
export function archiveCommands(program: Command, around: Surroundings): void {
  const archive = program.command('archive').description('where packages come from')
  const add = archive
    .command('add <name> <url...>')
    .description('add a remote archive and fetch what it lists; more URLs are mirrors of the first')
    .requiredOption(
      '--suite <suite...>',
      'suites to take: bookworm bookworm-updates; of a flat archive ./ or FOLDER/',
    )
    .option('--component <component...>', 'components to take', ['main'])
    .option('--arch <architecture...>', "architectures to take (default: this machine's)")
    .requiredOption('--keyring <file>', 'keys that sign its Release files, armored or binary')
  run(around, settingOptions(add), addArchive)
  createCommand(archive, around)
  packagesCommand(archive, around)
  const set = archive
    .command('set <name>')
    .description('change an archive; lists replace what was there')
    .option('--urls <url...>', 'its URLs, tried in this order')
    .option('--suite <suite...>', 'suites to take')
    .option('--component <component...>', 'components to take')
    .option('--arch <architecture...>', 'architectures to take')
    .option('--keyring <file>', 'keys that sign its Release files')
    .option('--keep-versions <number>', 'of a local one: how many of each package, or all')
  // Each --no-… must come after its positive form: alone it would be true unless told.
  settingOptions(set)
    .option('--no-sources', 'take no source packages any more')
    .option('--no-allow-expired', 'refuse a Release past its Valid-Until')
    .option('--no-allow-other-suite', 'refuse a Release of another suite')
    .option('--no-fallback', 'have no fallback URLs any more')
    .option('--uploader <rule...>', "who may upload to a local one by a signature: 'KEY SOURCE…'")
    .option('--no-uploader', 'nobody may by a signature')
  run(around, set, setArchive)
  run(
    around,
    archive
      .command('list')
      .description('all archives, and whether they are well')
      .option('--learned', 'the suites that machines asked for and nobody added, instead'),
    listArchives,
  )
  const show = archive.command('show <name>')
  run(
    around,
    show.description('an archive: its keys, its suites, what is wrong and since when'),
    showArchive,
  )
  const again = archive
    .command('refresh [name...]')
    .description('look upstream now (all archives, unless named)')
  run(around, again, (context, names) => refresh(context, names))
  const remove = archive.command('remove <name>').option('--reason <text>', 'why, for the audit')
  run(around, remove.description('forget an archive that no channel follows'), removeArchive)
}

function settingOptions(command: Command): Command {
  return command
    .option('--sources', 'take source packages too')
    .option('--language <language...>', 'languages of descriptions to take, or none (en)')
    .option('--with <what...>', 'what else to take: contents dep11 cnf installer, or none')
    .option('--auth <file>', 'logins for its URLs, as lines of apt_auth.conf(5)')
    .option('--proxy <url>', 'proxy for its URLs, or DIRECT')
    .option('--allow-expired', 'take a Release past its Valid-Until')
    .option('--allow-other-suite', 'take a Release whose Suite and Codename are other ones')
    .option('--fallback <url...>', 'other roots, for files alone that its URLs have no more')
    .option('--rescue <on|off>', 'whether files that upstream replaces are fetched in time (on)')
    .option('--reason <text>', 'why, for the audit')
}

async function addArchive(
  context: Context,
  [name = '', ...urls]: readonly string[],
  options: SettingOptions,
): Promise<void> {
  const architectures = options.arch ?? [await machineArchitecture()]
  const body = await settingsBody({ ...options, urls, arch: architectures })
  const client = await context.connect()
  const added = await client.call<ArchiveAnswer>('POST', '/archives', { ...body, name })
  const { suites, keys } = added
  context.out.lines(
    `archive ${name} added: ${suites.length === 1 ? 'suite' : 'suites'} ${suites.map((one) => one.suite).join(', ')}, signed by ${keys.map((key) => key.userIds[0] ?? key.fingerprint).join(', ')}`,
  )
  await refresh(context, [name], { archive: added })
  const followed = await client.call<readonly { follows: readonly string[] }[]>('GET', '/channels')
  if (!followed.some(({ follows }) => follows.includes(name))) {
    context.out.lines(`no channel follows it yet: sluice channel create NAME --follow ${name}`)
  }
}

async function setArchive(
  context: Context,
  [name = '']: readonly string[],
  options: SettingOptions,
): Promise<void> {
  const body = await settingsBody(options)
  if (Object.keys(body).filter((key) => key !== 'reason').length === 0) {
    throw new AppError('ERR_USAGE', {
      message: `nothing to change in ${name}`,
      hint: 'sluice archive set --help',
    })
  }
  const client = await context.connect()
  const path = `/archives/${encodeURIComponent(name)}`
  const changed = await client.call<ArchiveAnswer>('PATCH', path, body)
  context.out.result(changed, (archive) => [
    ...describeArchive(archive, context.out.width),
    `to look upstream now: sluice archive refresh ${name}`,
  ])
}

async function listArchives(
  context: Context,
  _args: readonly string[],
  { learned }: { readonly learned?: boolean },
): Promise<void> {
  const client = await context.connect()
  if (learned === true) {
    const answer = await client.call<LearnedListAnswer>('GET', '/learned')
    context.out.result(answer, ({ suites }) => learnedTable(suites, context.out.width))
    return
  }
  const archives = await client.call<ArchiveAnswer[]>('GET', '/archives')
  context.out.result(archives, (all) => archiveTable(all, context.out.width))
}

async function showArchive(context: Context, [name = '']: readonly string[]): Promise<void> {
  const client = await context.connect()
  const archive = await client.call<ArchiveAnswer>('GET', `/archives/${encodeURIComponent(name)}`)
  context.out.result(archive, (one) => describeArchive(one, context.out.width))
}

async function removeArchive(
  context: Context,
  [name = '']: readonly string[],
  { reason }: SettingOptions,
): Promise<void> {
  const client = await context.connect()
  const path = `/archives/${encodeURIComponent(name)}`
  const removed = await client.call<RemovedAnswer>('DELETE', path, { reason })
  context.out.result(removed, ({ lost }) => [`archive ${name} removed`, ...removedLines(lost)])
}

/** The body of a request that adds or changes an archive: what was told, and no more. */
async function settingsBody(options: SettingOptions): Promise<Record<string, unknown>> {
  const all = {
    urls: options.urls,
    suites: splitList(options.suite),
    components: splitList(options.component),
    architectures: splitList(options.arch),
    sources: options.sources,
    languages: noneOr('--language', splitList(options.language)),
    extras: noneOr('--with', splitList(options.with)),
    ...(options.keyring === undefined ? {} : await readKeys(options.keyring)),
    auth: options.auth === undefined ? undefined : await readLogins(options.auth),
    proxy: options.proxy,
    allowExpired: options.allowExpired,
    allowOtherSuite: options.allowOtherSuite,
    uploaders: options.uploader === false ? [] : options.uploader,
    fallbacks: options.fallback === false ? [] : options.fallback,
    rescue: options.rescue === undefined ? undefined : readSwitch('--rescue', options.rescue),
    keepVersions: options.keepVersions === undefined ? undefined : readKept(options.keepVersions),
    reason: options.reason,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

/** How many versions; 0 for all. */
function readKept(text: string): number {
  return text === 'all' ? 0 : readNumber('--keep-versions', text)
}

/** A list that the word `none` empties. */
function noneOr(option: string, words: string[] | undefined): string[] | undefined {
  if (words?.includes('none') !== true) return words
  if (words.length === 1) return []
  throw new AppError('ERR_USAGE', { message: `${option} none stands alone` })
}

function readSwitch(option: string, text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on'
  throw new AppError('ERR_USAGE', { message: `${option} is on or off, not ${text}` })
}

async function readLogins(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new AppError('ERR_USAGE', {
      message: `${file} cannot be read: ${systemCode(error) ?? 'no such file'}`,
      hint: 'a line in it: machine HOST login NAME password WORD',
      cause: error,
    })
  }
}
