/**
 * `sluice archive create`: an archive of one's own, which uploads fill.
 */
import type { Command } from 'commander'
import type { ArchiveAnswer, ChannelEntry } from './api-types.ts'
import { type Context, run, type Surroundings, splitList } from './context.ts'
import { machineArchitecture } from './machine-architecture.ts'
import { readKeys } from './read-keys.ts'

interface CreateOptions {
  readonly suite: readonly string[]
  readonly component: readonly string[]
  readonly arch?: readonly string[]
  readonly keyring?: string
  readonly uploader?: readonly string[]
  readonly with?: readonly string[]
  readonly reason?: string
}

/** Adds it to the group of archives. */
export function createCommand(archive: Command, around: Surroundings): void {
  const create = archive
    .command('create <name>')
    .description('make a local archive, empty at first: sluice publish fills it')
    .option('--suite <suite...>', 'its suites', ['stable'])
    .option('--component <component...>', 'its components', ['main'])
    .option('--arch <architecture...>', "its architectures (default: this machine's)")
    .option('--keyring <file>', 'keys of who may upload by a signature, with dput')
    .option('--uploader <rule...>', "which of them what: 'KEY SOURCE…', such as '9F3C…E1 acme-*'")
    .option('--with <what...>', 'what else to publish: contents, which tell who has which file')
    .option('--reason <text>', 'why, for the audit')
  run(around, create, createArchive)
}

async function createArchive(
  context: Context,
  [name = '']: readonly string[],
  options: CreateOptions,
): Promise<void> {
  const body = {
    ...{ name, kind: 'local', reason: options.reason },
    suites: splitList(options.suite),
    components: splitList(options.component),
    architectures: splitList(options.arch) ?? [await machineArchitecture()],
    uploaders: options.uploader,
    extras: splitList(options.with),
    ...(options.keyring === undefined ? {} : await readKeys(options.keyring)),
  }
  const client = await context.connect()
  const made = await client.call<ArchiveAnswer>('POST', '/archives', body)
  const channels = await client.call<ChannelEntry[]>('GET', '/channels')
  context.out.result(made, ({ suites, components, architectures }) => [
    `archive ${name} made, empty: ${suites.map(({ suite }) => suite).join(' ')}, ${components.join(' ')}, ${architectures.join(' ')}`,
    `let a channel follow it: ${followCommand(name, channels)}`,
    `fill it: sluice publish FILE.deb --to ${name}`,
  ])
}

/** The channel that is there already, with all that it follows and this archive; a new one if there is none. */
function followCommand(name: string, channels: readonly ChannelEntry[]): string {
  const known = channels.find(({ kind }) => kind === 'following')
  if (known === undefined) return `sluice channel create testing --follow ${name}`
  return `sluice channel set ${known.name} --follow ${[...known.follows, name].join(' ')}`
}
