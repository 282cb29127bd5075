/**
 * Declines: a version of a source package never comes into a channel, neither by a promotion (also by force) nor by what the
 * channel is based on. Newer versions come as usual. It is of the one channel: neither a copy of it nor what is based on it
 * has it, as with holds. What the channel has already stays: taking it out is a promotion of what was there before, or a
 * rollback.
 */
import { listArchives } from '../archives/archive-table.ts'
import { readState } from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { isVersion } from '../debian/version.ts'
import { writeAudit } from '../store/audit.ts'
import { type Db, inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, getChannel, titleOf } from './channel-table.ts'
import {
  type Decline,
  type DeclinedVersion,
  dropDecline,
  listDeclines,
  putDecline,
} from './decline-table.ts'
import { publishDerived } from './derive.ts'
import type { SuiteEntry } from './draft-suite.ts'
import { followedEntries } from './follow.ts'
import { type Generation, listGenerations } from './generation-table.ts'
import { assertIsSource } from './hold.ts'
import { versionsIn } from './pin-order.ts'
import { listPins } from './pin-table.ts'

export interface DeclineInput extends Reason, DeclinedVersion {
  readonly channel: string
  /** Of who has the change made, for the audit, where `why` is what the version is declined for. */
  readonly auditWhy?: string | undefined
}

export interface Declined {
  readonly decline: Decline
  /** Suites in which the channel has that version: there it stays. */
  readonly isIn: readonly Pick<SuiteEntry, 'archive' | 'suite'>[]
  /** Serial of the last generation before it came, where it is in and history tells. */
  readonly before?: number | undefined
  /** Whether an archive or the channel has that version now. */
  readonly isKnown: boolean
}

/** Declines a version; one that is declined gets the new reason. `ERR_NOT_FOUND` if no archive knows the source. */
export function decline(parts: ChannelParts, input: DeclineInput): Promise<Declined> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    assertCanDecline(channel)
    const { source, version, who, why } = input
    if (!isVersion(version)) {
      throw new AppError('ERR_USAGE', { message: `${JSON.stringify(version)} is no version` })
    }
    await assertIsSource(parts.db, source)
    const made: Decline = { source, version, madeAt: parts.clock.now(), who, why }
    await inTransaction(parts.db, async (trx) => {
      await putDecline(trx, channel.id, made)
      const detail = { source, version }
      await writeAudit(trx, {
        at: made.madeAt,
        who,
        what: 'decline',
        object: titleOf(channel.name),
        why: input.auditWhy ?? why,
        detail: input.auditWhy === undefined ? detail : { ...detail, reason: why },
      })
    })
    const isIn = await suitesWith(parts, parts.views.head(channel.name)?.suites ?? [], made)
    const before = isIn.length === 0 ? undefined : await lastWithout(parts.db, channel, made)
    const isKnown = isIn.length > 0 || (await isOffered(parts, made))
    return { decline: made, isIn, before, isKnown }
  })
}

/** Takes a decline back; a derived channel follows its base in that again. `ERR_NOT_FOUND` if there is none. */
export function undecline(
  parts: ChannelParts,
  input: DeclineInput,
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  return parts.channelLock(input.channel)(async () => {
    const channel = await getChannel(parts.db, input.channel)
    const { source, version, who, why } = input
    const all = await listDeclines(parts.db, channel.id)
    const declines = all.filter((one) => one.source !== source || one.version !== version)
    if (declines.length === all.length) {
      throw new AppError('ERR_NOT_FOUND', {
        message: `channel ${channel.name} does not decline ${source} ${version}`,
        hint: `sluice decline --list --channel ${channel.name}`,
      })
    }
    const also = async (trx: Db): Promise<void> => {
      await dropDecline(trx, channel.id, { source, version })
      const [at, object] = [parts.clock.now(), titleOf(channel.name)]
      await writeAudit(trx, {
        at,
        who,
        what: 'undecline',
        object,
        why,
        detail: { source, version },
      })
    }
    if (channel.baseId === undefined) {
      await inTransaction(parts.db, also)
      return undefined
    }
    const pins = await listPins(parts.db, channel.id)
    const made = { channel, pins, declines, who, also }
    const reason = why ?? `${source} ${version} is not declined any more`
    return publishDerived(parts, { ...made, why: reason }, { signal })
  })
}

function assertCanDecline({ name, kind }: Channel): void {
  if (kind === 'following') {
    throw new AppError('ERR_REFUSED', {
      message: `channel ${name} follows its archives: it declines nothing`,
      hint: `decline it where it is promoted to, or in a channel that is based on ${name}: sluice channel create NAME --base ${name}`,
    })
  }
  if (kind === 'class') {
    throw new AppError('ERR_REFUSED', {
      message: `${titleOf(name)} is what its channel is: it declines nothing`,
      hint: 'decline it in that channel: sluice class list tells which it is',
    })
  }
}

async function suitesWith(
  parts: ChannelParts,
  suites: readonly SuiteEntry[],
  { source, version }: DeclinedVersion,
): Promise<Pick<SuiteEntry, 'archive' | 'suite'>[]> {
  const found: Pick<SuiteEntry, 'archive' | 'suite'>[] = []
  for (const { archive, suite, state } of suites) {
    const versions = await versionsIn(parts, await readState(parts.blobs, state), source)
    if (versions.includes(version)) found.push({ archive, suite })
  }
  return found
}

async function isOffered(parts: ChannelParts, wanted: DeclinedVersion): Promise<boolean> {
  const archives = (await listArchives(parts.db)).map(({ name }) => name)
  return (await suitesWith(parts, await followedEntries(parts, archives), wanted)).length > 0
}

const LOOKED_AT = 1000

/** The newest generation that did not have it yet, as far as generations say what they changed. */
async function lastWithout(
  db: Db,
  { id, head }: Channel,
  { source, version }: DeclinedVersion,
): Promise<number | undefined> {
  for (const { serial, changes } of await listGenerations(db, id, LOOKED_AT, { upTo: head })) {
    const brought = changes?.some((one) => one.source === source && one.new.includes(version))
    if (brought === true) return serial - 1
  }
  return undefined
}
