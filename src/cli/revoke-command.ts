/**
 * `sluice revoke`: a version out of all channels at once, for good.
 */
import type { Command } from 'commander'
import { AppError } from '../base/errors.ts'
import type {
  RevocationEntry,
  RevokeAnswer,
  RevokedChannel,
  UndoAnswer,
} from './api-revocation-types.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { type Column, renderTable } from './table.ts'
import { formatTime, plural, printable } from './words.ts'

interface RevokeOptions {
  readonly list?: boolean
  readonly undo?: boolean
  readonly reason?: string
}

const explained = `
NAME is a source package, and means all binary packages that were built from that version of it; or one binary package.
Its files answer 410 with the reason at once, under every path, also of earlier generations. It is refused from then on:
uploads, refreshes, promotions (--force too), copies and rollbacks come without it. Machines that have it keep it.`

/** Adds the command. */
export function revokeCommand(program: Command, around: Surroundings): void {
  const command = program
    .command('revoke [name=version]')
    .description('take a bad version out of all channels at once, and never let it in again')
    .option('--reason <text>', 'why: machines are told, and the audit')
    .option('--undo', 'it was revoked by mistake')
    .option('--list', 'tell what is revoked')
    .addHelpText('after', explained)
  run(around, command, revokeVersion)
}

async function revokeVersion(
  context: Context,
  [text]: readonly string[],
  { list, undo, reason }: RevokeOptions,
): Promise<void> {
  if (list === true && text === undefined && undo !== true) return listAll(context)
  if (list === true || text === undefined || reason === undefined) {
    throw new AppError('ERR_USAGE', {
      message: list === true ? '--list tells of all versions' : 'which version, and why?',
      hint: 'sluice revoke NAME=VERSION --reason TEXT, or sluice revoke --list',
    })
  }
  const body = { ...readVersion(text), reason }
  const client = await context.connect()
  if (undo === true) {
    const undone = await client.call<UndoAnswer>('DELETE', '/revocations', body)
    context.out.result(undone, undoneLines)
    return
  }
  context.out.result(await client.call<RevokeAnswer>('POST', '/revocations', body), revokedLines)
}

function revokedLines(answer: RevokeAnswer): string[] {
  const { name, version, channels, files, durationMs } = answer
  const undo = `if that was a mistake: sluice revoke --undo ${name}=${version} --reason TEXT`
  if (channels.length === 0 && files === 0) {
    return [
      printable(`${name} ${version} is revoked: it is refused if it comes`),
      printable(`warning: no channel and no archive has it now: sluice search ${name}`),
      undo,
    ]
  }
  const took = `${(durationMs / 1000).toFixed(2)} s`
  return [
    printable(
      `${name} ${version} is out of ${plural(channels.length, 'channel')}, and its ${plural(files, 'file')} ${files === 1 ? 'answers' : 'answer'} 410: ${took}`,
    ),
    ...channels.flatMap((one) => channelLines(name, one)),
    undo,
  ]
}

function channelLines(name: string, one: RevokedChannel): string[] {
  const { channel, serial, removed, offers, earlier, held } = one
  const packages = [...new Set(removed.map((gone) => `${gone.package} ${gone.version}`))]
  const shown = packages.slice(0, 5).join(', ')
  const more = packages.length > 5 ? ` and ${packages.length - 5} more` : ''
  const lines = [`${channel} generation ${serial}: without ${shown}${more}`]
  if (offers !== undefined && offers.length > 0) {
    lines.push(`  it has ${name} ${offers.join(', ')}`)
  } else if (offers !== undefined) {
    lines.push(`  it has no ${name} now: machines that have it keep it, new ones do not get it`)
  }
  if (earlier !== undefined) lines.push(`  ${earlierWords(name, one, earlier)}`)
  for (const source of held ?? [])
    lines.push(
      `  ${source} is held there, newer ones too: sluice unhold ${source} --channel ${channel}`,
    )
  return lines.map(printable)
}

function earlierWords(
  name: string,
  { channel, kind, base }: RevokedChannel,
  { version, serial }: NonNullable<RevokedChannel['earlier']>,
): string {
  const had = `generation ${serial} had ${version}`
  if (kind === 'following') return `${had}; what comes next comes from its archives`
  if (kind === 'class') return `${had}; it follows ${base ?? 'its channel'}`
  return `${had}: sluice promote ${name} --from ${channel}@${serial} --to ${channel}`
}

function undoneLines({ name, version, channels }: UndoAnswer): string[] {
  return [
    printable(`${name} ${version} is not revoked any more`),
    ...channels.map(({ channel, serial }) => `${channel} generation ${serial} has it again`),
    `curated channels take it by a promotion: sluice promote ${name} --from CHANNEL --to CHANNEL`,
  ]
}

async function listAll(context: Context): Promise<void> {
  const client = await context.connect()
  const all = await client.call<RevocationEntry[]>('GET', '/revocations')
  context.out.result(all, (some) =>
    some.length === 0 ? ['nothing is revoked'] : renderTable(columns, some, context.out.width),
  )
}

const columns: readonly Column<RevocationEntry>[] = [
  { title: 'NAME', value: (one) => one.name, isWhole: true },
  { title: 'VERSION', value: (one) => one.version, isWhole: true },
  { title: 'SINCE', value: (one) => formatTime(one.madeAt), isWhole: true },
  { title: 'BY', value: (one) => one.who },
  { title: 'FILES', value: (one) => String(one.files), isWhole: true },
  { title: 'WHY', value: (one) => one.why },
]

function readVersion(text: string): { name: string; version: string } {
  const [, name, version] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (name !== undefined && version !== undefined) return { name, version }
  throw new AppError('ERR_USAGE', {
    message: `${JSON.stringify(text)} is not NAME=VERSION`,
    hint: 'a version is revoked, not a package: sluice search NAME tells which there are',
  })
}
