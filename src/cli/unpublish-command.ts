/**
 * `sluice unpublish` and `sluice archive packages`: what is in a local archive, and taking it out.
 */
import type { Command } from 'commander'
import type { UnpublishAnswer, UploadedPackage } from './api-upload-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { type Column, renderTable } from './table.ts'
import { formatSize, formatTime, plural, printable } from './words.ts'

interface UnpublishOptions {
  readonly from: string
  readonly suite?: string
  readonly dryRun?: boolean
  readonly reason?: string
}

const explained = `
NAME is a source package, and means all binary packages that were built from it; or one binary package. The same version can
be published again, with the same bytes. To take a bad version out of all channels at once: sluice revoke.`

/** Adds the command. */
export function unpublishCommand(program: Command, around: Surroundings): void {
  const command = program
    .command('unpublish <name[=version]>')
    .description('take packages out of a local archive, and of the channels that follow it')
    .requiredOption('--from <archive>', 'the local archive')
    .option('--suite <suite>', 'out of this suite alone')
    .option('--dry-run', 'tell what would go, and take nothing out')
    .option('--reason <text>', 'why, for the audit')
    .addHelpText('after', explained)
  run(around, command, unpublish)
}

/** Adds the list to the group of archives. */
export function packagesCommand(archive: Command, around: Surroundings): void {
  const list = archive
    .command('packages <name>')
    .description('what was published to a local archive')
  run(around, list, listPackages)
}

async function unpublish(
  context: Context,
  [text = '']: readonly string[],
  { from, suite, dryRun = false, reason }: UnpublishOptions,
): Promise<void> {
  const [name = '', ...rest] = text.split('=')
  const version = rest.length === 0 ? undefined : rest.join('=')
  const client = await context.connect()
  const body = { package: name, version, suite, dryRun, reason }
  const path = `/archives/${encodeURIComponent(from)}/unpublish`
  const answer = await client.call<UnpublishAnswer>('POST', path, body)
  context.out.result(answer, (all) => unpublishedLines(all, { text, from, dryRun }))
}

function unpublishedLines(
  { removed, channels, generations }: UnpublishAnswer,
  {
    text,
    from,
    dryRun,
  }: { readonly text: string; readonly from: string; readonly dryRun: boolean },
): string[] {
  const verb = dryRun ? 'would go' : 'taken out'
  const lines = removed.map(({ name, version, architecture, suite, component }) =>
    printable(`${verb}  ${name} ${version} ${architecture}  ${suite} ${component}`),
  )
  const kept = channels.filter(({ keeps }) => keeps).map(({ channel }) => channel)
  if (dryRun) {
    const going = channels.filter(({ keeps }) => !keeps).map(({ channel }) => channel)
    if (going.length > 0)
      lines.push(
        `would leave ${going.join(', ')}, which follow${going.length === 1 ? 's' : ''} ${from}`,
      )
  }
  lines.push(...generations.map(({ channel, serial }) => `${channel} generation ${serial}`))
  if (kept.length > 0) {
    const has = kept.length === 1 ? 'has' : 'have'
    const out = text.includes('=') ? `sluice revoke ${text} --reason TEXT` : 'sluice revoke'
    lines.push(printable(`${kept.join(', ')} ${has} it still, by promotion; out of all: ${out}`))
  }
  return lines
}

async function listPackages(context: Context, [name = '']: readonly string[]): Promise<void> {
  const client = await context.connect()
  const path = `/archives/${encodeURIComponent(name)}/packages`
  const packages = await client.call<UploadedPackage[]>('GET', path)
  context.out.result(packages, (all) =>
    all.length === 0
      ? [`nothing is in ${name}: sluice publish FILE.deb --to ${name}`]
      : [...renderTable(columns, all, context.out.width), plural(all.length, 'package')],
  )
}

const columns: readonly Column<UploadedPackage>[] = [
  { title: 'PACKAGE', value: (one) => one.name, isWhole: true },
  { title: 'VERSION', value: (one) => one.version, isWhole: true },
  { title: 'ARCH', value: (one) => one.architecture },
  { title: 'WHERE', value: (one) => `${one.suite} ${one.component}` },
  { title: 'SIZE', value: (one) => formatSize(one.size) },
  { title: 'SINCE', value: (one) => formatTime(one.at) },
  { title: 'BY', value: (one) => one.who },
  { title: 'UNTIL', value: (one) => (one.endsAt === undefined ? '' : formatTime(one.endsAt)) },
]
