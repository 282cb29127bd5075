/**
 * Revoking: a version leaves every channel at once, and never comes again, by whatever way: neither by an upload, a refresh,
 * a promotion (also by force), a copy nor a rollback. What a name means: archives/revocations.ts.
 *
 * The order: it is written down, and from then on nothing publishes it; the files that channels and archives have of it now
 * are withdrawn; each channel publishes without it, bases before what is based on them; then the files of all that is kept are
 * looked through; then it is done. What a crash leaves undone the next start does before it serves files; a channel that cannot
 * be published is tried again by a schedule, while all files are withdrawn.
 */
import { listArchives, listSuites } from '../archives/archive-table.ts'
import { withdrawEverywhere, withdrawRevoked } from '../archives/find-revoked.ts'
import type { Revocation, RevokedVersion } from '../archives/revocations.ts'
import { readState } from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { Log } from '../base/log.ts'
import { mapBounded } from '../base/mutex.ts'
import { packageName } from '../debian/index-stanza.ts'
import { isVersion } from '../debian/version.ts'
import { writeAudit } from '../store/audit.ts'
import type { ChannelParts } from './channel-parts.ts'
import { findChannelById, listChannels } from './channel-table.ts'
import { depthOf } from './derivation.ts'
import { publishDerived } from './derive.ts'
import { changesAgainstHead, followArchives } from './follow.ts'
import type { Generation } from './generation-table.ts'
import { listPins } from './pin-table.ts'
import { publishGeneration } from './publish.ts'
import { type RevokedPackage, withoutRevoked } from './without-revoked.ts'

const CHANNELS_AT_ONCE = 3

/** Who revokes it, and why: machines are told. */
export interface RevokeInput extends RevokedVersion {
  readonly who: string
  readonly why: string
}

/** A channel that offered it. */
export interface CleanedChannel {
  readonly channel: string
  /** Serial of the last generation that offered it, and of what it serves instead. */
  readonly before: number
  readonly serial: number
  readonly removed: readonly RevokedPackage[]
}

export interface Revoked {
  readonly revocation: Revocation
  readonly channels: readonly CleanedChannel[]
  /** How many files are withdrawn, of all that is kept. */
  readonly files: number
}

/** Revokes a version; one that is revoked gets the new reason. A channel that cannot be published keeps no other from it: its failure is thrown at the end. */
export function revoke(
  parts: ChannelParts,
  { name, version, who, why }: RevokeInput,
  { signal }: Abortable = {},
): Promise<Revoked> {
  assertVersion({ name, version })
  return parts.revocations.lock(async () => {
    const made: Revocation = { name, version, madeAt: parts.clock.now(), who, why }
    await parts.revocations.add(made, (trx) =>
      writeAudit(trx, {
        at: made.madeAt,
        who,
        what: 'revoke',
        object: `${name} ${version}`,
        why,
        detail: { name, version },
      }),
    )
    crashPoint('revoke: written')
    return carryOut(parts, made, { signal })
  })
}

/** Does what is left of revocations that were written down and not carried out; false if something is left still, which is in the log. */
export function finishRevocations(
  parts: ChannelParts,
  log: Log,
  { signal }: Abortable = {},
): Promise<boolean> {
  return parts.revocations.lock(async () => {
    let isGood = true
    for (const one of parts.revocations.list()) {
      if (one.doneAt !== undefined) continue
      try {
        await carryOut(parts, one, { signal })
      } catch (error) {
        signal?.throwIfAborted()
        isGood = false
        const { code, message } = toAppError(error)
        log.error({ name: one.name, version: one.version, code, problem: message }, 'not revoked')
      }
    }
    return isGood
  })
}

/** Takes a revocation back: channels that follow archives have it again, others can take it. `ERR_NOT_FOUND` if there is none. */
export function undoRevocation(
  parts: ChannelParts,
  { name, version, who, why }: RevokeInput,
  { signal }: Abortable = {},
): Promise<{ channel: string; generation: Generation }[]> {
  return parts.revocations.lock(async () => {
    const known = parts.revocations.find({ name, version })
    if (known === undefined) {
      throw new AppError('ERR_NOT_FOUND', {
        message: `${name} ${version} is not revoked`,
        hint: 'sluice revoke --list',
      })
    }
    await parts.revocations.drop({ name, version }, (trx) =>
      writeAudit(trx, {
        at: parts.clock.now(),
        who,
        what: 'revoke undo',
        object: `${name} ${version}`,
        why,
        detail: { name, version, since: known.madeAt, by: known.who, reason: known.why },
      }),
    )
    const made: { channel: string; generation: Generation }[] = []
    for (const { id, name: channel, kind, baseId } of await listChannels(parts.db)) {
      if (baseId !== undefined) parts.derivation.wake(id)
      if (kind !== 'following') continue
      const reason = { who, why: `${name} ${version} is not revoked any more` }
      const generation = await followArchives(parts, { ...reason, channel }, { signal })
      if (generation !== undefined) made.push({ channel, generation })
    }
    return made
  })
}

function assertVersion({ name, version }: RevokedVersion): void {
  if (packageName.test(name) && isVersion(version)) return
  throw new AppError('ERR_USAGE', {
    message: `${JSON.stringify(`${name}=${version}`)} is no version of a package`,
    hint: 'sluice revoke NAME=VERSION --reason TEXT, with the version as sluice search tells it',
  })
}

async function carryOut(
  parts: ChannelParts,
  revocation: Revocation,
  { signal }: Abortable,
): Promise<Revoked> {
  const { db, blobs, revocations } = parts
  for (const archive of await listArchives(db)) {
    for (const { state } of await listSuites(db, archive))
      if (state !== undefined) await withdrawRevoked(parts, await readState(blobs, state))
  }
  const offering = await listOffering(parts)
  crashPoint('revoke: files withdrawn')
  const failures = await cleanChannels(parts, revocation, { signal })
  crashPoint('revoke: out of all channels')
  await withdrawEverywhere(parts, revocation)
  if (failures.length > 0) throw notYet(revocation, toAppError(failures[0]))
  const doneAt = parts.clock.now()
  await revocations.finish(revocation, doneAt)
  const channels = offering.flatMap((one) => {
    const serial = parts.views.head(one.channel)?.serial
    return serial === undefined ? [] : [{ ...one, serial }]
  })
  return { revocation: { ...revocation, doneAt }, channels, files: revocations.filesOf(revocation) }
}

/** The channels that offer what is revoked now; its files are withdrawn on return. One that cannot be read is no reason to stop: it fails when it is published. */
async function listOffering(parts: ChannelParts): Promise<Omit<CleanedChannel, 'serial'>[]> {
  const offering: Omit<CleanedChannel, 'serial'>[] = []
  for (const { channel, serial, suites } of [...parts.views.heads()]) {
    try {
      const { removed } = await withoutRevoked(parts, suites)
      if (removed.length > 0) offering.push({ channel, before: serial, removed })
    } catch {
      // As above.
    }
  }
  return offering
}

function notYet({ name, version }: Revocation, { code, message, hint }: AppError): AppError {
  const more = hint === undefined ? '' : `${hint}; `
  return new AppError(code, {
    message: `${name} ${version} is revoked, its files are gone, but a channel names it still: ${message}`,
    hint: `${more}it is tried again by itself: sluice revoke --list`,
  })
}

/** Bases first: so what is based on them is made once. Why some could not be published. */
async function cleanChannels(
  parts: ChannelParts,
  revocation: Revocation,
  { signal }: Abortable,
): Promise<unknown[]> {
  const all = new Map((await listChannels(parts.db)).map((one) => [one.id, one]))
  const byDepth = Map.groupBy(all.values(), (channel) => depthOf(all, channel))
  const failures: unknown[] = []
  for (const depth of [...byDepth.keys()].sort((a, b) => a - b)) {
    // While one is signed by another process, the next one is described.
    await mapBounded(byDepth.get(depth) ?? [], CHANNELS_AT_ONCE, async ({ id }) => {
      try {
        while (!(await cleanChannel(parts, id, revocation, { signal })));
      } catch (error) {
        signal?.throwIfAborted()
        failures.push(error)
      }
    })
  }
  return failures
}

/** Publishes the channel without what is revoked; false if it was renamed meanwhile. */
async function cleanChannel(
  parts: ChannelParts,
  id: number,
  { name, version, who, why }: Revocation,
  { signal }: Abortable,
): Promise<boolean> {
  const called = await findChannelById(parts.db, id)
  if (called === undefined) return true
  return parts.channelLock(called.name)(async () => {
    const channel = await findChannelById(parts.db, id)
    if (channel === undefined) return true
    if (channel.name !== called.name) return false
    const head = parts.views.head(channel.name)
    if (head === undefined) return true
    const { entries, removed } = await withoutRevoked(parts, head.suites)
    if (removed.length === 0) return true
    const made = { channel, kind: 'revoke', who, why: `${name} ${version}: ${why}` } as const
    if (channel.baseId === undefined) {
      const changes = await changesAgainstHead(parts, channel, entries)
      await publishGeneration(parts, { ...made, entries, changes }, { signal })
    } else {
      const pins = await listPins(parts.db, id)
      await publishDerived(parts, { ...made, pins }, { signal })
    }
    return true
  })
}
