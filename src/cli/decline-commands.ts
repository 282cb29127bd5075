/**
 * `sluice decline` and `sluice undecline`: versions of source packages that a channel never takes.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import type { DeclineAnswer, DeclineEntry, UndeclineAnswer } from './api-decline-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { type Column, renderTable } from './table.ts'
import { formatChange, formatTime, printable } from './words.ts'

interface DeclineOptions {
  readonly channel?: string
  readonly list?: boolean
  readonly reason?: string
}

const reason = ['--reason <text>', 'why, for the audit'] as const

/** Adds both commands. */
export function declineCommands(program: Command, around: Surroundings): void {
  const decline = program
    .command('decline [source=version]')
    .description('never let a version of a source package into a channel; newer ones go as usual')
    .option('--channel <channel>', 'the channel that declines it')
    .option('--list', 'tell what is declined, in that channel or in all')
    .option(...reason)
  run(around, decline, declineVersion)
  const undecline = program
    .command('undecline <source=version>')
    .description('let a version that was declined go into a channel again')
    .requiredOption('--channel <channel>', 'the channel that declines it')
    .option(...reason)
  run(around, undecline, undeclineVersion)
}

async function declineVersion(
  context: Context,
  [text]: readonly string[],
  { channel, list, reason: why }: DeclineOptions,
): Promise<void> {
  if (list === true && text === undefined) return listDeclines(context, channel)
  if (list === true || text === undefined || channel === undefined) {
    throw new AppError('ERR_USAGE', {
      message:
        list === true ? '--list tells of all versions' : 'which version, and in which channel?',
      hint: 'sluice decline SOURCE=VERSION --channel CHANNEL --reason TEXT, or sluice decline --list',
    })
  }
  const body = { channel, ...readVersion(text), reason: why }
  const client = await context.connect()
  const made = await client.call<DeclineAnswer>('POST', '/declines', body)
  context.out.result(made, declinedLines)
}

function declinedLines({
  channel,
  source,
  version,
  isIn,
  before,
  isKnown,
}: DeclineAnswer): string[] {
  const lines = [
    printable(`${channel} never takes ${source} ${version}; newer versions go as usual`),
    `until: sluice undecline ${source}=${version} --channel ${channel}`,
  ]
  if (!isKnown) {
    lines.push(
      printable(`warning: no archive has ${source} ${version} now: sluice search ${source}`),
    )
  }
  if (isIn.length === 0) return lines
  const where = isIn.map(({ archive, suite }) => `${archive} ${suite}`).join(', ')
  lines.push(printable(`warning: ${channel} has it already, in ${where}: there it stays`))
  const from = before === undefined || before === 0 ? `${channel}@SERIAL` : `${channel}@${before}`
  lines.push(
    `to have what was there before: sluice promote ${source} --from ${from} --to ${channel}`,
  )
  return lines
}

async function listDeclines(context: Context, channel: string | undefined): Promise<void> {
  const client = await context.connect()
  const query = channel === undefined ? '' : `?${new URLSearchParams({ channel })}`
  const declines = await client.call<DeclineEntry[]>('GET', `/declines${query}`)
  context.out.result(declines, (all) =>
    all.length === 0 ? ['nothing is declined'] : renderTable(columns, all, context.out.width),
  )
}

const columns: readonly Column<DeclineEntry>[] = [
  { title: 'CHANNEL', value: (one) => one.channel, isWhole: true },
  { title: 'SOURCE', value: (one) => one.source, isWhole: true },
  { title: 'VERSION', value: (one) => one.version, isWhole: true },
  { title: 'SINCE', value: (one) => formatTime(one.madeAt), isWhole: true },
  { title: 'BY', value: (one) => one.who },
  { title: 'WHY', value: (one) => one.why ?? '' },
]

async function undeclineVersion(
  context: Context,
  [text = '']: readonly string[],
  { channel = '', reason: why }: DeclineOptions,
): Promise<void> {
  const wanted = readVersion(text)
  const client = await context.connect()
  const body = { channel, ...wanted, reason: why }
  const lifted = await client.call<UndeclineAnswer>('DELETE', '/declines', body)
  context.out.result(lifted, ({ source, version, generation }) => [
    printable(`${source} ${version} is not declined in ${channel} any more`),
    ...(generation === undefined
      ? []
      : [
          ...(generation.changes ?? []).map((one) => printable(formatChange(one))),
          `${channel} generation ${generation.serial}; machines see it at their next apt-get update`,
        ]),
  ])
}

function readVersion(text: string): { source: string; version: string } {
  const [, source, version] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (source !== undefined && version !== undefined) return { source, version }
  throw new AppError('ERR_USAGE', {
    message: `${JSON.stringify(text)} is not SOURCE=VERSION`,
    hint: 'to keep a source as it is, whatever comes: sluice hold SOURCE --channel CHANNEL',
  })
}
