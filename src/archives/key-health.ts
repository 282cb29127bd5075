/**
 * Which keys of archives come to their end: those that verify their Release files now.
 *
 * One good signature is enough, so that of several keys that signed a Release the one that lasts longest counts. Other keys
 * of a keyring matter to nobody; only where it was not written down who signed, or nothing was fetched yet, all count.
 */
import { createLru } from '../base/lru.ts'
import { type Sha256, sha256Of } from '../base/sha256.ts'
import { type Keyring, readKeyring } from '../debian/keyring.ts'
import { endOfKey, endsOfKeys, type KeyEnd, warningsOf } from '../debian/keyring-life.ts'
import type { Archive, ArchiveSuite } from './archive-table.ts'

/** So long before it expires a key is announced. */
export const ANNOUNCED_S = 60 * 24 * 3600

/** The key that an archive's suites hang on longest. */
export interface SigningEnd extends KeyEnd {
  readonly suites: readonly string[]
  readonly state: 'good' | 'expires soon' | 'expired' | 'revoked'
}

/** Rings by the digest of their bytes: to read one with many keys takes longer than to ask it. */
const rings = createLru<Sha256, Promise<Keyring>>(32)

/** The keys that verify the archive's Release files, one for each suite at the most; `at` is in seconds since 1970. */
export async function signingEnds(
  archive: Archive,
  suites: readonly ArchiveSuite[],
  at: number,
): Promise<SigningEnd[]> {
  // Uploaders sign each upload by itself.
  if (archive.settings.kind === 'local') return []
  const ring = await ringOf(archive)
  const byKey = new Map<string, KeyEnd & { readonly suites: string[] }>()
  for (const { suite, signers } of suites) {
    const ends: KeyEnd[] = []
    for (const { keyId } of signers ?? []) {
      const end = await endOfKey(ring, keyId, at)
      if (end !== undefined) ends.push(end)
    }
    const best = bestOf(ends.length > 0 ? ends : endsOfKeys(ring))
    if (best === undefined) continue
    const known = byKey.get(best.keyId)
    if (known === undefined) byKey.set(best.keyId, { ...best, suites: [suite] })
    else known.suites.push(suite)
  }
  return [...byKey.values()].map((end) => ({ ...end, state: stateOf(end, at) }))
}

function ringOf({ keyring }: Archive): Promise<Keyring> {
  if (keyring.length === 0) return Promise.resolve({ keys: [], skipped: [], entries: [] })
  const digest = sha256Of(keyring)
  const ring = rings.get(digest) ?? readKeyring(keyring)
  rings.set(digest, ring)
  return ring
}

/** A key, and what some verifiers have against it, where it signs a suite. */
export interface DescribedKey extends SigningEnd {
  readonly userIds: readonly string[]
  readonly warnings: readonly string[]
}

/** Every key of the archive's keyring, with the suites that it signs: all that is to be shown. */
export async function describeKeys(
  archive: Archive,
  suites: readonly ArchiveSuite[],
  at: number,
): Promise<DescribedKey[]> {
  const ring = await ringOf(archive)
  const signing = await signingEnds(archive, suites, at)
  const userIds = new Map(ring.keys.map((key) => [key.fingerprint, key.userIds]))
  const others = endsOfKeys(ring).filter(
    ({ fingerprint }) => !signing.some((end) => end.fingerprint === fingerprint),
  )
  const all = [
    ...signing,
    ...others.map((end) => ({ ...end, suites: [], state: stateOf(end, at) })),
  ]
  const described: DescribedKey[] = []
  for (const end of all) {
    const warnings = end.suites.length === 0 ? [] : await warningsOf(ring, end.keyId, at)
    described.push({ ...end, userIds: userIds.get(end.fingerprint) ?? [], warnings })
  }
  return described
}

/** Whether an administrator must do something about it. */
export function isEnding({ state }: Pick<SigningEnd, 'state'>): boolean {
  return state !== 'good'
}

/** What is wrong with the key, and what to do, in words. */
export function describeEnd(
  archive: string,
  end: SigningEnd,
): { readonly message: string; readonly hint: string } {
  const day = new Date((end.expiresAt ?? 0) * 1000).toISOString().slice(0, 10)
  const what = {
    good: 'is good',
    'expires soon': `expires on ${day}`,
    expired: `expired on ${day}`,
    revoked: 'is revoked',
  }[end.state]
  const name = end.userId === undefined ? '' : ` (${end.userId})`
  const suites = end.suites.length === 1 ? end.suites[0] : `${end.suites.length} suites`
  return {
    message: `the key ${end.fingerprint}${name} that ${archive} signs ${suites} with ${what}`,
    hint: `get the archive’s new keyring, then: sluice archive set ${archive} --keyring FILE`,
  }
}

function bestOf(ends: readonly KeyEnd[]): KeyEnd | undefined {
  const rank = ({ isRevoked, expiresAt = Number.POSITIVE_INFINITY }: KeyEnd): number =>
    isRevoked ? Number.NEGATIVE_INFINITY : expiresAt
  return [...ends].sort((a, b) => (rank(a) < rank(b) ? 1 : -1))[0]
}

function stateOf({ isRevoked, expiresAt }: KeyEnd, at: number): SigningEnd['state'] {
  if (isRevoked) return 'revoked'
  if (expiresAt === undefined || expiresAt - at > ANNOUNCED_S) return 'good'
  return expiresAt <= at ? 'expired' : 'expires soon'
}
