/**
 * How a collection does what it planned. What names goes before what is named: generations and Releases, then what finds an
 * index by its bytes, chunks, blobs, origins. Each piece is a transaction of some 100 rows, between which everybody else has
 * his turn; after a crash at any point what is left is consistent, and the next collection goes on.
 *
 * The plan may be old by then. Generations are looked at again under their channel's lock; chunks and blobs go only if they
 * are still doomed, which they are not any more when somebody asked for them since (store/doomed.ts).
 */
import { membersNamed, removeChunks } from '../archives/chunk-removal.ts'
import { deleteEarlierStates } from '../archives/earlier-states.ts'
import { dropOrphanLists } from '../archives/file-list-table.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type Channel, listChannels } from '../channels/channel-table.ts'
import { dropGenerations, listSerials, releasesNamed } from '../channels/generation-removal.ts'
import { deleteForms } from '../channels/index-forms.ts'
import { deletePdiffsOfReleases } from '../channels/pdiff-table.ts'
import { deleteReleases, listReleaseIds } from '../signing/publication-table.ts'
import type { BlobRow } from '../store/blob-removal.ts'
import { type Db, inTransaction } from '../store/database.ts'
import { type DoomedKind, doom, nextDoomed, spare } from '../store/doomed.ts'
import type { GcFigures } from './gc-figures.ts'
import { removeOrphans } from './gc-origins.ts'
import type { GcPlan, OnProgress } from './gc-plan.ts'
import type { ExpiredGenerations } from './gc-roots.ts'
import { noteDeleted, type OpenRun } from './gc-runs.ts'
import { expiredOf, type Retention, retentionOf } from './retention.ts'

const AT_ONCE = 100
/** Each with some forty rows of pdiffs. */
const RELEASES_AT_ONCE = 40
const LISTS_AT_ONCE = 200

export interface SweepInput {
  readonly plan: GcPlan
  readonly run: OpenRun
  readonly retention: Retention
  readonly onProgress?: OnProgress | undefined
}

/** Does it all; what it deleted is noted with the run. */
export async function sweep(
  parts: ChannelParts,
  input: SweepInput,
  { signal }: Abortable = {},
): Promise<void> {
  const { plan } = input
  for (const expired of plan.expired) await dropExpired(parts, input, expired, signal)
  await dropReleases(parts, input, signal)
  await inTransaction(parts.db, (trx) => deleteEarlierStates(trx, plan.over))
  for (const kind of ['blob', 'chunk'] as const) {
    await inPieces(plan.spare[kind], signal, (some) => spare(parts.db, kind, some))
    await inPieces(plan.doom[kind], signal, (some) => doom(parts.db, kind, some, parts.clock.now()))
    crashPoint('gc: doomed')
  }
  const forget = (some: readonly Sha256[]): Promise<void> =>
    inTransaction(parts.db, (trx) => deleteForms(trx, some))
  await eachDoomed(parts, 'blob', plan.before, signal, forget)
  await sweepChunks(parts, input, signal)
  await sweepBlobs(parts, input, signal)
  await sweepLists(parts, signal)
  await removeOrphans(
    parts,
    plan.names,
    (trx, count) => note(trx, input, { origins: count }),
    signal,
  )
}

/** Under the lock: a rollback to one of these is done before, or finds none. */
function dropExpired(
  parts: ChannelParts,
  input: SweepInput,
  { channel, serials }: ExpiredGenerations,
  signal: AbortSignal | undefined,
): Promise<void> {
  return parts.channelLock(channel.name)(async () => {
    const now = (await listChannels(parts.db)).find((one) => one.id === channel.id)
    // One that was deleted took its history along.
    if (now === undefined) return
    if (now.name !== channel.name) throw changed(channel)
    const rule = retentionOf(now, input.retention)
    const all = await listSerials(parts.db, now.id)
    const over = new Set(expiredOf(all, now.head, rule, parts.clock.now()))
    if (serials.some((serial) => !over.has(serial))) throw changed(channel)
    // The oldest first: what a crash leaves is a history without gaps.
    await inPieces([...serials].reverse(), signal, (some) =>
      inTransaction(parts.db, async (trx) => {
        await dropGenerations(trx, now.id, some)
        await note(trx, input, { generations: some.length })
        crashPoint('gc: generations, before the commit')
      }),
    )
    crashPoint('gc: generations dropped')
  })
}

/** What was planned without them must not be done with them. */
function changed({ name }: Channel): AppError {
  return new AppError('ERR_CONFLICT', {
    message: `what channel ${name} keeps was changed while the collection went on`,
    hint: 'sluice gc again',
  })
}

/** Those that no generation names: each is named from the transaction on that writes it, and never again afterwards. */
async function dropReleases(
  parts: ChannelParts,
  input: SweepInput,
  signal: AbortSignal | undefined,
): Promise<void> {
  const drop = async (some: readonly number[]): Promise<void> => {
    const named = await releasesNamed(parts.db, some)
    const free = some.filter((id) => !named.has(id))
    if (free.length === 0) return
    await inTransaction(parts.db, async (trx) => {
      await deletePdiffsOfReleases(trx, free)
      await deleteReleases(trx, free)
      await note(trx, input, { releases: free.length })
      crashPoint('gc: releases, before the commit')
    })
  }
  await inPieces(await listReleaseIds(parts.db), signal, drop, RELEASES_AT_ONCE)
}

async function sweepChunks(
  parts: ChannelParts,
  input: SweepInput,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { before, due } = input.plan
  await eachDoomed(parts, 'chunk', before, signal, (some) =>
    inTransaction(parts.db, async (trx) => {
      const removed = await removeChunks(trx, some, before)
      await note(trx, input, { chunks: removed.length })
      crashPoint('gc: chunks, before the commit')
      input.onProgress?.('chunks deleted', input.run.figures.chunks, due.chunks)
    }),
  )
}

async function sweepBlobs(
  parts: ChannelParts,
  input: SweepInput,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { before, due, dueStates } = input.plan
  await eachDoomed(parts, 'blob', before, signal, async (some) => {
    await parts.blobs.removeDoomed(some, {
      before,
      named: membersNamed,
      note: (trx, removed) => note(trx, input, countBlobs(removed, dueStates)),
    })
    const { rows, files } = input.run.figures
    input.onProgress?.('blobs deleted', rows + files, due.rows + due.files)
  })
}

/** While nobody has a hold: an upload's list is there before its package is. */
async function sweepLists(parts: ChannelParts, signal: AbortSignal | undefined): Promise<void> {
  const drop = (after: number): Promise<number | undefined> =>
    parts.leases.deleting(() =>
      inTransaction(parts.db, (trx) => dropOrphanLists(trx, { after, limit: LISTS_AT_ONCE })),
    )
  for (let next: number | undefined = 0; next !== undefined; ) {
    signal?.throwIfAborted()
    next = await drop(next)
    crashPoint('gc: file lists dropped')
    await breathe()
  }
}

function countBlobs(
  removed: readonly BlobRow[],
  states: ReadonlySet<Sha256>,
): Pick<GcFigures, 'states' | 'rows' | 'rowBytes' | 'files' | 'fileBytes'> {
  const sums = { states: 0, rows: 0, rowBytes: 0, files: 0, fileBytes: 0 }
  for (const { sha256, size, isFile } of removed) {
    if (states.has(sha256)) sums.states += 1
    sums[isFile ? 'files' : 'rows'] += 1
    sums[isFile ? 'fileBytes' : 'rowBytes'] += size
  }
  return sums
}

/** Hands over what was doomed before that time, piece by piece, while nobody has a hold. */
async function eachDoomed(
  parts: ChannelParts,
  kind: DoomedKind,
  before: number,
  signal: AbortSignal | undefined,
  work: (some: readonly Sha256[]) => Promise<void>,
): Promise<void> {
  for (let after: Sha256 | undefined; ; ) {
    signal?.throwIfAborted()
    const some = await nextDoomed(parts.db, kind, { before, after, limit: AT_ONCE })
    if (some.length > 0) await parts.leases.deleting(() => work(some))
    after = some.at(-1)
    if (some.length < AT_ONCE) return
    await breathe()
  }
}

async function inPieces<T>(
  all: readonly T[],
  signal: AbortSignal | undefined,
  work: (some: readonly T[]) => Promise<void>,
  atOnce = AT_ONCE,
): Promise<void> {
  for (let at = 0; at < all.length; at += atOnce) {
    signal?.throwIfAborted()
    await work(all.slice(at, at + atOnce))
    await breathe()
  }
}

async function note(trx: Db, { run }: SweepInput, more: Partial<GcFigures>): Promise<void> {
  await noteDeleted(trx, run, more)
}
