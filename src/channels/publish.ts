/**
 * Publishing: a new generation of a channel, signed, in one transaction; the head moves last.
 *
 * A suite that did not change keeps the Release that it has. One that did gets a Release with
 *   Date = max(the publication's floor + 1 s, now - 5 min): it only goes up, and never passes the clock;
 *   Valid-Until = Date + 14 days; SHA256 only; Packages (listed, as apt wants it) and Packages.gz.
 * If the floor comes near now, publishing waits.
 */
import { setTimeout } from 'node:timers/promises'
import {
  encodeState,
  indexPath,
  offersSame,
  type ReleaseIdentity,
  readState,
  type SuiteState,
} from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import { crashPoint } from '../base/fault.ts'
import { type Sha256, sha256Of } from '../base/sha256.ts'
import { signRelease } from '../debian/openpgp-sign.ts'
import { formatRelease, type ReleaseFile } from '../debian/release.ts'
import { writeAudit } from '../store/audit.ts'
import { putRows } from '../store/blobs.ts'
import { type Db, inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import {
  type Channel,
  type Generation,
  type GenerationKind,
  insertGeneration,
  type SourceChange,
} from './channel-table.ts'
import { describeIndex, type IndexForms } from './index-forms.ts'
import {
  findPublication,
  findPublishedIdentity,
  insertPublication,
  insertRelease,
  type Publication,
  savePublishedIdentity,
} from './publication-table.ts'
import { type SuiteView, suiteNames, viewOf } from './views.ts'

const BACK_DATED_S = 300
const VALID_S = 14 * 24 * 3600
/** Changes kept with a generation; above that, a diff of its state tells. */
const MAX_CHANGES = 2000

/** What one suite of the new generation holds. */
export interface SuiteEntry {
  readonly archive: string
  readonly suite: string
  readonly state: Sha256
}

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
}

/** The name of a channel's publication. */
export function publicationOf(channel: string): string {
  return `channel:${channel}`
}

/** The publication of this channel, with a key made now if it is new. */
async function ensurePublication(
  parts: ChannelParts,
  channel: string,
  { who, why }: Reason,
): Promise<Publication> {
  const name = publicationOf(channel)
  const known = await findPublication(parts.db, name)
  if (known !== undefined) return known
  const { fingerprint } = await parts.keys.ensure(name, nowSeconds(parts.clock))
  crashPoint('publish: key made, no publication')
  const made = await inTransaction(parts.db, async (trx) => {
    const at = parts.clock.now()
    await writeAudit(trx, {
      at,
      who,
      what: 'key create',
      object: name,
      why,
      detail: { fingerprint },
    })
    return insertPublication(trx, { name, fingerprint })
  })
  crashPoint('publish: publication written')
  return made
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
  const publication = await ensurePublication(parts, channel.name, input)
  const head = parts.views.head(channel.name)
  const drafts: SuiteDraft[] = []
  for (const entry of input.entries) {
    const old = head?.suites.find(
      (one) => one.archive === entry.archive && one.suite === entry.suite,
    )
    const isKept =
      old !== undefined &&
      input.resign !== true &&
      (await isSameOffer(parts, old.state, entry.state))
    drafts.push(isKept ? { view: old } : await draftSuite(parts, publication, entry, signal))
  }
  const isSame =
    drafts.every((draft) => draft.fresh === undefined) && drafts.length === head?.suites.length
  if (isSame) return undefined
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
  const { generation, views } = await writeGeneration(parts, publication, channel, made, drafts)
  crashPoint('publish: written, not yet served')
  parts.views.setHead(viewOf(channel.name, generation.serial, views))
  crashPoint('publish: served')
  return generation
}

/** A suite to publish: as it is, or with a Release that was just signed. */
interface SuiteDraft {
  readonly view: Omit<SuiteView, 'releaseId'> & { readonly releaseId?: number }
  readonly fresh?: { readonly identity: ReleaseIdentity; readonly stateBlob: Buffer } | undefined
}

async function isSameOffer(parts: ChannelParts, a: Sha256, b: Sha256): Promise<boolean> {
  return a === b || offersSame(await readState(parts.blobs, a), await readState(parts.blobs, b))
}

async function draftSuite(
  parts: ChannelParts,
  publication: Publication,
  entry: SuiteEntry,
  signal: AbortSignal | undefined,
): Promise<SuiteDraft> {
  const state = await readState(parts.blobs, entry.state)
  const known = await findPublishedIdentity(parts.db, publication.id, entry.archive, entry.suite)
  const identity = frozenIdentity(entry.suite, known?.identity, state)
  const indexes = new Map<string, IndexForms>()
  for (const index of state.indexes) {
    indexes.set(`${indexPath(index)}.gz`, await describeIndex(parts, index.root))
  }
  const date = await nextDate(parts, known?.dateFloor ?? 0, signal)
  const validUntil = date + VALID_S
  const text = formatRelease({
    ...identity,
    date,
    validUntil,
    acquireByHash: true,
    noSupportForArchitectureAll: 'Packages',
    snapshots: 'no',
    architectures: ['all', ...unique(state.indexes.map((index) => index.architecture))],
    components: unique(state.indexes.map((index) => index.component)),
    files: [...indexes].flatMap(([path, forms]) => releaseFiles(path, forms)),
  })
  const key = await parts.keys.get(publication.name)
  const { inRelease, releaseGpg } = await signRelease(text, [key], date)
  const release = Buffer.from(text)
  const { suite, archive } = entry
  const names = suiteNames(suite, release)
  const files = { inRelease, release, releaseGpg }
  return {
    view: { archive, suite, names, state: entry.state, date, validUntil, ...files, indexes },
    fresh: { identity, stateBlob: encodeState(state).blob },
  }
}

function releaseFiles(path: string, forms: IndexForms): ReleaseFile[] {
  return [
    { path, ...forms.gz },
    { path: path.replace(/\.gz$/, ''), ...forms.plain },
  ]
}

/** What clients hold on to stays as it was when the suite came; Version and Description may follow upstream. */
function frozenIdentity(
  suite: string,
  frozen: ReleaseIdentity | undefined,
  { identity }: SuiteState,
): ReleaseIdentity {
  const { version, description } = identity
  if (frozen !== undefined) return { ...frozen, version, description: description?.split('\n')[0] }
  return {
    ...identity,
    suite: identity.suite ?? identity.codename ?? suite,
    codename: identity.codename ?? identity.suite ?? suite,
    description: description?.split('\n')[0],
  }
}

async function nextDate(
  parts: ChannelParts,
  floor: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const date = Math.max(floor + 1, nowSeconds(parts.clock) - BACK_DATED_S)
  while (date > nowSeconds(parts.clock)) await setTimeout(200, undefined, { signal })
  return date
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)].sort()
}

async function writeGeneration(
  parts: ChannelParts,
  publication: Publication,
  channel: Channel | NewChannel,
  made: Omit<Generation, 'channelId'>,
  drafts: readonly SuiteDraft[],
): Promise<{ generation: Generation; views: SuiteView[] }> {
  return inTransaction(parts.db, async (trx) => {
    const { id: channelId } = 'insert' in channel ? await channel.insert(trx) : channel
    const generation: Generation = { ...made, channelId }
    const views: SuiteView[] = []
    for (const { view, fresh } of drafts) {
      if (fresh !== undefined) {
        await putRows(trx, [fresh.stateBlob, view.inRelease, view.release, view.releaseGpg])
        const { archive, suite, date } = view
        await savePublishedIdentity(
          trx,
          { publicationId: publication.id, archive, suite },
          { dateFloor: date, identity: fresh.identity },
        )
      }
      const releaseId =
        view.releaseId ?? (await insertRelease(trx, publication.id, signedFiles(view)))
      views.push({ ...view, releaseId })
    }
    await insertGeneration(trx, generation, views)
    await writeAudit(trx, {
      at: generation.madeAt,
      who: generation.who,
      what: generation.kind,
      object: `channel ${channel.name} generation ${generation.serial}`,
      why: generation.why,
      detail: {
        changes: generation.changes?.slice(0, 20),
        more: Math.max(0, (generation.changes?.length ?? 0) - 20),
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
  }
}
