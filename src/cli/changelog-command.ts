/**
 * `sluice changelog`: the changelog of a package, or of it what is new between two channels.
 */
import type { Command } from 'commander'
import type { ChangelogAnswer, NewChangelogAnswer } from './api-history-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { printable } from './words.ts'

interface ChangelogOptions {
  readonly from: string
  readonly to?: string
}

/** Adds the command. */
export function changelogCommand(program: Command, around: Surroundings): void {
  const changelog = program
    .command('changelog <package>')
    .description('the changelog of a source or binary package')
    .option(
      '--from <channel>',
      'of the version that this has: CHANNEL or CHANNEL@SERIAL',
      'testing',
    )
    .option('--to <channel>', 'only what is newer than the version that this one has')
  run(around, changelog, showChangelog)
}

async function showChangelog(
  context: Context,
  [name = '']: readonly string[],
  { from, to }: ChangelogOptions,
): Promise<void> {
  const client = await context.connect()
  const query = new URLSearchParams({ name, from, ...(to === undefined ? {} : { to }) })
  const answer = await client.call<ChangelogAnswer>('GET', `/changelog?${query}`)
  if (!answer.isUtf8 && !context.out.isJson) {
    context.out.error('sluice: warning: some of it is not UTF-8, and shown as Latin-1')
  }
  context.out.result(answer, (one) =>
    'entries' in one ? entryLines(one) : plainLines(one.changelog.trimEnd()),
  )
}

function plainLines(text: string): string[] {
  return text.split('\n').map((line) => printable(line.replaceAll('\t', '        ')))
}

/** The entries as they stand in a changelog, or why there is none. */
function entryLines({ source, version, old, to, isAsNew, entries }: NewChangelogAnswer): string[] {
  if (entries.length === 0) {
    const has = `${to.channel} has ${source} ${old ?? ''}`
    return [
      printable(
        isAsNew
          ? `nothing new: ${has.trimEnd()}, as new as ${version}`
          : `its changelog tells of nothing between ${old ?? 'nothing'} and ${version}`,
      ),
    ]
  }
  return entries.flatMap((entry, at) => [
    ...(at === 0 ? [] : ['']),
    printable(
      `${entry.source} (${entry.version}) ${entry.distributions.join(' ')}; urgency=${entry.urgency}`,
    ),
    '',
    ...plainLines(entry.text),
    ...(entry.maintainer === undefined
      ? []
      : ['', printable(` -- ${entry.maintainer}  ${entry.date ?? ''}`)]),
  ])
}
