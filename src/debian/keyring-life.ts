/**
 * How long the keys of a ring are good for.
 *
 * As the verifier sees it: a signing subkey is good as long as it and its primary key are. Of several copies of a key the
 * longest life counts, and a revocation in any of them.
 */
import type { Keyring } from './keyring.ts'
import { keyLife, keyState } from './openpgp-key.ts'

export interface KeyEnd {
  /** Of the primary key: 40 upper-case hex digits. */
  readonly fingerprint: string
  /** Of the key or subkey in question: 16 upper-case hex digits. */
  readonly keyId: string
  readonly userId?: string | undefined
  readonly isRevoked: boolean
  /** Seconds since 1970; absent if it never expires. */
  readonly expiresAt?: number | undefined
}

/** The end of the key or subkey with this ID, seen at `at` (seconds since 1970); undefined if the ring does not have it. */
export async function endOfKey(
  ring: Keyring,
  keyId: string,
  at: number,
): Promise<KeyEnd | undefined> {
  let found: KeyEnd | undefined
  for (const { key, info } of ring.entries) {
    for (const part of key.getKeys()) {
      if (part.getKeyID().toHex().toUpperCase() !== keyId) continue
      const life = await keyLife(key, part, at)
      const { fingerprint, userIds } = info
      const one: KeyEnd = { fingerprint, keyId, userId: userIds[0], ...life }
      found = found === undefined ? one : longer(found, one)
    }
  }
  return found
}

/** What will not be good for ever of the key or subkey with this ID, though it is good at `at`; nothing for one that is not. */
export async function warningsOf(ring: Keyring, keyId: string, at: number): Promise<string[]> {
  const found = new Set<string>()
  for (const { key } of ring.entries) {
    for (const part of key.getKeys()) {
      if (part.getKeyID().toHex().toUpperCase() !== keyId) continue
      const state = await keyState(key, part, at)
      if (state.kind === 'good') for (const warning of state.warnings) found.add(warning)
    }
  }
  return [...found]
}

/** The ends of all primary keys of the ring. */
export function endsOfKeys(ring: Keyring): KeyEnd[] {
  return ring.keys.map(({ fingerprint, userIds, revoked, expiresAt }) => ({
    fingerprint,
    keyId: fingerprint.slice(-16),
    userId: userIds[0],
    isRevoked: revoked,
    expiresAt,
  }))
}

function longer(a: KeyEnd, b: KeyEnd): KeyEnd {
  const isEnding = a.expiresAt !== undefined && b.expiresAt !== undefined
  return {
    ...a,
    isRevoked: a.isRevoked || b.isRevoked,
    expiresAt: isEnding ? Math.max(a.expiresAt ?? 0, b.expiresAt ?? 0) : undefined,
  }
}
