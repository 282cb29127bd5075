/**
 * The archive `sluice` of every channel and class: one suite, `stable`, with the package `sluice-archive-keyring`.
 *
 * It is no part of a generation: it tells whose keys a publication has, not what its channel holds. So it is the newest
 * everywhere, in curated channels too, and nothing of it can be promoted, held or rolled back. It is signed by the same
 * keys and has a Date floor like any suite; it is signed anew when the package, the keys or the architectures change,
 * and after a week.
 */
import { KEYRING_ARCHIVE } from '../archives/archive-faults.ts'
import type { Abortable } from '../base/abortable.ts'
import { crashPoint } from '../base/fault.ts'
import { sha256Of } from '../base/sha256.ts'
import { formatRelease } from '../debian/release.ts'
import { liveKeys } from '../signing/publication-key-table.ts'
import {
  findPublication,
  findPublishedIdentity,
  savePublishedIdentity,
} from '../signing/publication-table.ts'
import { signRelease } from '../signing/sign-release.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts } from './channel-parts.ts'
import { listChannels, titleOf } from './channel-table.ts'
import { nextDate, RESIGN_AFTER_S, VALID_S } from './draft-suite.ts'
import { publicationOf } from './ensure-publication.ts'
import { ensureKeyringPackage } from './keyring-package.ts'
import {
  findKeyringRelease,
  type KeyringPackage,
  type KeyringRelease,
  newestKeyringPackage,
  saveKeyringRelease,
} from './keyring-table.ts'
import type { GenerationView } from './views.ts'

export const KEYRING_SUITE = 'stable'
export const KEYRING_COMPONENT = 'main'

const identity = {
  origin: 'Sluice',
  label: 'Sluice',
  suite: KEYRING_SUITE,
  codename: KEYRING_SUITE,
  description: 'Keys of this Sluice',
  notAutomatic: false,
  butAutomaticUpgrades: false,
}

/**
 * After a generation was published: brings the channel's archive up to date where the generation shows that it is not.
 * What fails is logged, and done at the next look.
 */
export async function followKeyring(
  parts: ChannelParts,
  view: GenerationView,
  { signal }: Abortable = {},
): Promise<void> {
  const publication = await findPublication(parts.db, publicationOf(view.channel))
  if (publication === undefined) return
  const old = await findKeyringRelease(parts.db, publication.id)
  const signers = view.suites[0]?.signedBy ?? []
  const isCurrent =
    old !== undefined &&
    same(old.signedBy, signers) &&
    same(old.architectures, architecturesOf(view)) &&
    (await newestKeyringPackage(parts.db))?.version === old.version
  if (isCurrent) return
  try {
    await refreshKeyring(parts, view.channel, { signal })
  } catch (error) {
    parts.keyring.report(error)
  }
  // Whose key is new, all machines shall have it.
  parts.keyring.startRound((abortable) => refreshKeyrings(parts, abortable))
}

/** Brings the archives of all channels and classes up to date; the first failure is thrown after all were tried. */
export async function refreshKeyrings(
  parts: ChannelParts,
  { signal }: Abortable = {},
): Promise<void> {
  const failures: unknown[] = []
  for (const { name } of await listChannels(parts.db)) {
    signal?.throwIfAborted()
    await refreshKeyring(parts, name, { signal }).catch((error: unknown) => failures.push(error))
  }
  if (failures.length > 0) throw failures[0]
}

/** The same for one; nothing is done for a channel that serves nothing. */
export function refreshKeyring(
  parts: ChannelParts,
  channel: string,
  { signal }: Abortable = {},
): Promise<void> {
  return parts.keyring.oneAtATime(async () => {
    const view = parts.views.head(channel)
    const publication = await findPublication(parts.db, publicationOf(channel))
    if (view === undefined || publication === undefined) return
    const made = await ensureKeyringPackage(parts)
    const keys = (await liveKeys(parts.db, publication.id)).map(({ fingerprint }) => fingerprint)
    const architectures = architecturesOf(view)
    const at = { publicationId: publication.id, archive: KEYRING_ARCHIVE, suite: KEYRING_SUITE }
    const known = await findPublishedIdentity(parts.db, publication.id, at.archive, at.suite)
    const floor = known?.dateFloor ?? 0
    const old = await findKeyringRelease(parts.db, publication.id)
    const now = parts.clock.now() / 1000
    const isFresh = old !== undefined && old.date >= floor && old.date > now - RESIGN_AFTER_S
    const isSame = old?.version === made.version && same(old.architectures, architectures)
    if (isFresh && isSame && same(old.signedBy, keys)) return
    const date = await nextDate(parts, { floor, what: titleOf(channel) }, signal)
    const text = releaseText(made, architectures, date)
    const what = `${at.archive} ${at.suite}`
    const signed = await signRelease(parts, publication, { what, text, date }, { signal })
    crashPoint('keyring: signed, not written')
    const release: KeyringRelease = {
      publicationId: publication.id,
      version: made.version,
      architectures,
      date,
      release: Buffer.from(text),
      ...signed,
    }
    await inTransaction(parts.db, async (trx) => {
      await saveKeyringRelease(trx, release)
      await savePublishedIdentity(trx, at, { dateFloor: date, identity })
    })
    crashPoint('keyring: served')
  })
}

function releaseText(made: KeyringPackage, architectures: readonly string[], date: number): string {
  const plain = { size: made.packages.length, sha256: sha256Of(made.packages) }
  const gz = { size: made.gz.length, sha256: made.gzSha256 }
  return formatRelease({
    ...identity,
    date,
    validUntil: date + VALID_S,
    acquireByHash: true,
    noSupportForArchitectureAll: 'Packages',
    snapshots: 'no',
    changelogs: 'no',
    architectures: ['all', ...architectures],
    components: [KEYRING_COMPONENT],
    files: architectures.flatMap((architecture) => {
      const path = `${KEYRING_COMPONENT}/binary-${architecture}/Packages`
      return [
        { path: `${path}.gz`, ...gz },
        { path, ...plain },
      ]
    }),
  })
}

/** Those of all suites of the channel. */
function architecturesOf({ suites }: GenerationView): string[] {
  const found = suites.flatMap((suite) =>
    [...suite.indexes.keys()].flatMap((path) => /\/binary-([^/]+)\//.exec(path)?.[1] ?? []),
  )
  return [...new Set(found)].sort()
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.toSorted().join() === b.toSorted().join()
}
