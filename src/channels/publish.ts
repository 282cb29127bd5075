/**
 * Publishing: a new generation of a channel, signed, in one transaction; the head moves last.
 *
 * A suite that did not change keeps the Release that it has; one that did gets a new one (draft-suite.ts).
 */
import { offersSame, readState } from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import { crashPoint } from '../base/fault.ts'
import { mapBounded } from '../base/mutex.ts'
import { type Sha256, sha256Of } from '../base/sha256.ts'
import {
  insertRelease,
  type Publication,
  savePublishedIdentity,
} from '../signing/publication-table.ts'
import { writeAudit } from '../store/audit.ts'
import { putRows } from '../store/blobs.ts'
import { type Db, inTransaction } from '../store/database.ts'
import { assertRoomToPublish } from '../store/disk-reserve.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { type Channel, titleOf } from './channel-table.ts'
import { draftSuite, type SuiteDraft, type SuiteEntry } from './draft-suite.ts'
import { ensurePublication } from './ensure-publication.ts'
import {
  type Generation,
  type GenerationKind,
  insertGeneration,
  type SourceChange,
} from './generation-table.ts'
import { followKeyring } from './keyring-release.ts'
import { savePdiffs } from './pdiff-table.ts'
import { type SuiteView, viewOf } from './views.ts'
import { withoutRevoked } from './without-revoked.ts'

/** Changes kept with a generation; above that, a diff of its state tells. */
const MAX_CHANGES = 2000
/** Drafted side by side: while one is signed and judged by other processes, the next one's indexes are described. */
const SUITES_AT_ONCE = 3

/** A channel that comes with its first generation: both in one transaction, or neither. */
export interface NewChannel {
  readonly name: string
  readonly head: 0
  readonly insert: (trx: Db) => Promise<Channel>
}

export interface PublishInput extends Reason {
  readonly channel: Channel | NewChannel
  readonly kind: GenerationKind
  /** All suites of the generation. */
  readonly entries: readonly SuiteEntry[]
  readonly changes?: readonly SourceChange[] | undefined
  /** Signs each suite anew, changed or not. */
  readonly resign?: boolean | undefined
  /** What the audit tells besides. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined
  /** What else is written in the transaction of the generation; in one of its own if the head holds all that already. */
  readonly also?: ((trx: Db) => Promise<void>) | undefined
}

/**
 * Makes and serves a new generation; the caller holds the channel's lock. Undefined if it would be what the head is.
 */
export async function publishGeneration(
  parts: ChannelParts,
  input: PublishInput,
  { signal }: Abortable = {},
): Promise<Generation | undefined> {
  const { channel } = input
  // A Release that is about to end is signed anew as long as that is possible at all, and what is revoked goes.
  if (input.resign !== true && input.kind !== 'revoke') await assertRoomToPublish(parts.blobs)
  const { count: revoked } = parts.revocations
  const { entries } = await withoutRevoked(parts, input.entries)
  const publication = await ensurePublication(parts, channel.name, input)
  const head = parts.views.head(channel.name)
  const drafts = await mapBounded(entries, SUITES_AT_ONCE, async (entry): Promise<SuiteDraft> => {
    const old = head?.suites.find(
      (one) => one.archive === entry.archive && one.suite === entry.suite,
    )
    const isKept =
      old !== undefined &&
      input.resign !== true &&
      entry.identity === undefined &&
      (await isSameOffer(parts, old.state, entry.state))
    return isKept ? { view: old } : draftSuite(parts, publication, entry, signal)
  })
  const isSame =
    drafts.every((draft) => draft.fresh === undefined) && drafts.length === head?.suites.length
  if (isSame) {
    if (input.also !== undefined) await inTransaction(parts.db, input.also)
    return undefined
  }
  crashPoint('publish: signed')
  const made = {
    serial: channel.head + 1,
    madeAt: parts.clock.now(),
    kind: input.kind,
    who: input.who,
    why: input.why,
    changes:
      (input.changes?.length ?? Number.POSITIVE_INFINITY) > MAX_CHANGES ? undefined : input.changes,
  }
  const isStill = (): boolean => parts.revocations.count === revoked
  const written = await writeGeneration(parts, publication, { ...input, isStill }, made, drafts)
  if (written === undefined) return publishGeneration(parts, input, { signal })
  const { generation, views } = written
  crashPoint('publish: written, not yet served')
  const view = viewOf(channel.name, generation.serial, views)
  parts.views.setHead(view)
  parts.derivation.wakeDependents(generation.channelId)
  crashPoint('publish: served')
  await followKeyring(parts, view, { signal })
  return generation
}

async function isSameOffer(parts: ChannelParts, a: Sha256, b: Sha256): Promise<boolean> {
  return a === b || offersSame(await readState(parts.blobs, a), await readState(parts.blobs, b))
}

async function writeGeneration(
  parts: ChannelParts,
  publication: Publication,
  input: Pick<PublishInput, 'channel' | 'also' | 'detail'> & { readonly isStill: () => boolean },
  made: Omit<Generation, 'channelId'>,
  drafts: readonly SuiteDraft[],
): Promise<{ generation: Generation; views: SuiteView[] } | undefined> {
  const { channel, also, detail } = input
  return inTransaction(parts.db, async (trx) => {
    // Something was revoked while this was signed.
    if (!input.isStill()) return undefined
    const { id: channelId } = 'insert' in channel ? await channel.insert(trx) : channel
    const generation: Generation = { ...made, channelId }
    const views: SuiteView[] = []
    for (const { view, fresh } of drafts) {
      if (fresh !== undefined) {
        const signed = [view.inRelease, view.release, view.releaseGpg]
        await putRows(trx, [fresh.stateBlob, ...signed, ...fresh.pdiffs.blobs])
        const { archive, suite, date } = view
        await savePublishedIdentity(
          trx,
          { publicationId: publication.id, archive, suite },
          { dateFloor: date, identity: fresh.identity },
        )
      }
      const releaseId =
        view.releaseId ?? (await insertRelease(trx, publication.id, signedFiles(view)))
      if (fresh !== undefined) {
        const { archive, suite } = view
        const at = { publicationId: publication.id, archive, suite, releaseId }
        await savePdiffs(trx, at, fresh.pdiffs.all)
      }
      views.push({ ...view, releaseId })
    }
    await insertGeneration(trx, generation, views)
    await also?.(trx)
    await writeAudit(trx, {
      at: generation.madeAt,
      who: generation.who,
      what: generation.kind,
      object: `${titleOf(channel.name)} generation ${generation.serial}`,
      why: generation.why,
      detail: {
        changes: generation.changes?.slice(0, 20),
        more: Math.max(0, (generation.changes?.length ?? 0) - 20),
        ...detail,
      },
    })
    crashPoint('publish: before the commit')
    return { generation, views }
  })
}

function signedFiles(view: Omit<SuiteView, 'releaseId'>): Parameters<typeof insertRelease>[2] {
  return {
    date: view.date,
    validUntil: view.validUntil,
    inRelease: sha256Of(view.inRelease),
    release: sha256Of(view.release),
    releaseGpg: sha256Of(view.releaseGpg),
    signedBy: view.signedBy,
  }
}
