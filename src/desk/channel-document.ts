/**
 * A channel as a table of the configuration file: `[channel.NAME]`.
 *
 *   follow                     archives; of a derived channel, besides those of its base
 *   base                       what a derived channel is based on
 *   from                       what a curated channel is copied from where it has to be made; else it says nothing
 *   keep, keep-days            how much of its history stays, where that is not what the server's settings say
 *   keep-phasing               whether promotions to it keep Phased-Update-Percentage; they do not, unless told
 *   was                        what it was called: where there is a channel of that name, it is renamed
 *   kind                       `following`, `curated` or `derived`; what the other keys say, unless told
 */
import { tomlHeader, tomlLines } from '../base/toml.ts'
import { type Channel, type ChannelKind, isClass } from '../channels/channel-table.ts'
import { parseGenerationName } from '../channels/generation-name.ts'
import { LEAST_DAYS, LEAST_GENERATIONS } from '../keeping/retention.ts'
import { readAudit } from '../store/audit.ts'
import type { Db } from '../store/database.ts'
import type { TableReader } from './config-reader.ts'

/** What a table says. */
export interface WantedChannel {
  readonly table: TableReader
  readonly name: string
  /** Undefined where the table is at odds with itself. */
  readonly kind: ChannelKind | undefined
  readonly follow: readonly string[]
  readonly base: string | undefined
  /** `CHANNEL`, `CHANNEL@SERIAL` or `CHANNEL@TIME`. */
  readonly from: string | undefined
  readonly was: string | undefined
  readonly keepGenerations: number | undefined
  readonly keepDays: number | undefined
  readonly keepsPhasing: boolean
}

const kinds = ['following', 'curated', 'derived'] as const

/** What one channel is made of, besides its row. */
export interface ChannelRelations {
  readonly base: string | undefined
  readonly from: string | undefined
}

/** The lines of one channel. */
export function channelLines(channel: Channel, { base, from }: ChannelRelations): string[] {
  const { name, kind, follows, keepGenerations, keepDays, keepsPhasing } = channel
  const lines = [tomlHeader(['channel', name]), `kind = "${kind}"`]
  if (base !== undefined) lines.push(...tomlLines('base', base))
  if (from !== undefined) lines.push(...tomlLines('from', from))
  if (kind === 'curated' && from === undefined) {
    lines.push(
      '# What it was copied from is not here: name a channel by `from` where it has to be made.',
    )
  }
  if (follows.length > 0) lines.push(...tomlLines('follow', follows))
  if (keepGenerations !== undefined) lines.push(`keep = ${keepGenerations}`)
  if (keepDays !== undefined) lines.push(`keep-days = ${keepDays}`)
  if (keepsPhasing) lines.push('keep-phasing = true')
  return lines
}

/** Reads one table, and tells what is wrong with it by itself. */
export function readChannel(table: TableReader): WantedChannel {
  const wanted = {
    table,
    name: table.name,
    follow: table.texts('follow') ?? [],
    base: table.text('base'),
    from: table.text('from'),
    was: table.text('was'),
    keepGenerations: table.whole('keep', LEAST_GENERATIONS, 1_000_000),
    keepDays: table.whole('keep-days', LEAST_DAYS, 36_500),
    keepsPhasing: table.boolean('keep-phasing') ?? false,
    kind: readKind(table),
  }
  table.done()
  if (wanted.keepsPhasing && wanted.kind === 'following')
    table.fault(
      'keep-phasing',
      'a following channel takes no promotion: it has the phasing of its archives',
    )
  return wanted
}

function readKind(table: TableReader): ChannelKind | undefined {
  const [isBased, isCopied, follows] = ['base', 'from', 'follow'].map((key) => table.has(key))
  const told = table.text('kind')
  const kind = kinds.find((one) => one === told)
  if (told !== undefined && kind === undefined)
    table.fault('kind', `${JSON.stringify(told)} is not one of ${kinds.join(', ')}`)
  if (isCopied && (isBased || follows)) {
    const other = isBased ? 'based on one' : 'following archives'
    table.fault('from', `a channel that is copied from another is not ${other} as well`)
    return undefined
  }
  const meant = isBased ? 'derived' : isCopied ? 'curated' : follows ? 'following' : kind
  if (meant === undefined) {
    if (told === undefined)
      table.fault(
        undefined,
        'neither what it follows, nor what it is based on, nor from what it is copied is told',
      )
    return undefined
  }
  if (kind !== undefined && kind !== meant) {
    const key = isBased ? 'base' : isCopied ? 'from' : 'follow'
    table.fault('kind', `a ${kind} channel has no ${key}`)
    return undefined
  }
  if (meant === 'derived' && !isBased) table.fault('kind', 'a derived channel needs a base')
  if (meant === 'following' && !follows) table.fault('kind', 'a following channel needs follow')
  return meant
}

/** What each curated channel was copied from, as far as that is a channel still. */
export async function findOrigins(
  db: Db,
  channels: readonly Channel[],
): Promise<ReadonlyMap<string, string>> {
  const plain = channels.filter((one) => !isClass(one))
  const made = new Map<string, string>()
  for (const { object, detail } of (
    await readAudit(db, 10_000, { what: 'channel create' })
  ).reverse()) {
    if (typeof detail?.from === 'string') made.set(object, detail.from)
  }
  const origins = new Map<string, string>()
  for (const { id, name, kind } of plain) {
    if (kind !== 'curated') continue
    const told = parseGenerationName(made.get(`channel ${name}`) ?? '')?.channel
    // What follows archives is the best guess where that is not known: it is where promotions come from.
    const older = plain.filter((one) => one.id < id)
    const origin =
      older.find((one) => one.name === told) ?? older.find((one) => one.kind === 'following')
    if (origin !== undefined) origins.set(name, origin.name)
  }
  return origins
}
