/**
 * Keyrings: the public keys that an archive may be signed with, as `Signed-By` files carry them.
 *
 * Armored (several blocks with text between them) or binary, as apt reads them. A key that cannot be read is left out
 * and named, never a reason to refuse the others. The same key in several rings is kept once for each differing copy:
 * a revocation in any of them counts, and so does the longest life.
 */
import { createHash } from 'node:crypto'
import { type Key, readKey } from 'openpgp'
import { AppError, isAppError } from '../base/errors.ts'
import { sha256Of } from '../base/sha256.ts'
import { wideConfig } from './openpgp-config.ts'
import { algorithmName, isRevokedEver, secondsOf } from './openpgp-key.ts'
import {
  armorBegin,
  asBuffer,
  looksLikeWebPage,
  type Packet,
  readArmorBlock,
  readPackets,
  trimmedLines,
} from './openpgp-packets.ts'

export interface KeyInfo {
  /** Of the primary key: 40 upper-case hex digits. */
  readonly fingerprint: string
  /** Of the primary key and every subkey: 16 upper-case hex digits each. */
  readonly keyIds: readonly string[]
  readonly userIds: readonly string[]
  /** As gpg names it: `rsa4096`, `ed25519`, `nistp256`. */
  readonly algorithm: string
  /** Seconds since 1970. */
  readonly createdAt: number
  /** Seconds since 1970; absent if it never does. */
  readonly expiresAt?: number
  readonly revoked: boolean
}

export interface Keyring {
  /** Each primary key once, in the order of the file. */
  readonly keys: readonly KeyInfo[]
  /** Keys that were left out, each by name and reason. */
  readonly skipped: readonly string[]
  /** For the verifier alone. */
  readonly entries: readonly KeyringEntry[]
}

export interface KeyringEntry {
  readonly key: Key
  readonly info: KeyInfo
  /** Digest of the key's packets, to drop copies. */
  readonly digest: string
  /** Fingerprints of the keys and subkeys that may sign; absent for all of them. */
  readonly only?: ReadonlySet<string>
}

const maxKeyringBytes = 64 * 1024 * 1024
const publicKeyTag = 6
const secretKeyTag = 5
/** Signature, public key, user ID, subkey, user attribute: the packets that make up a key. */
const keyPacketTags = new Set([2, publicKeyTag, 13, 14, 17])
const fileHint =
  'name the archive’s keyring: a file of public keys, armored (.asc) or binary (.gpg), as apt’s Signed-By takes it'

/**
 * The public keys in `data`, armored or binary. Throws `ERR_KEYRING` if there is none that can be used, `ERR_TOO_LARGE`
 * over 64 MiB.
 */
export async function readKeyring(data: Uint8Array | string): Promise<Keyring> {
  const bytes = typeof data === 'string' ? Buffer.from(data) : asBuffer(data)
  if (bytes.length > maxKeyringBytes) {
    throw new AppError('ERR_TOO_LARGE', { message: 'the keyring is larger than 64 MiB' })
  }
  const skipped: string[] = []
  const entries: KeyringEntry[] = []
  for (const block of keyBlocks(keyPackets(bytes, skipped))) {
    const entry = await readEntry(block)
    if (typeof entry === 'string') skipped.push(entry)
    else entries.push(entry)
  }
  if (entries.length === 0) throw noKeys(bytes, skipped)
  return ringOf(entries, skipped)
}

/** One ring with the keys of all. */
export function mergeKeyrings(rings: readonly Keyring[]): Keyring {
  return ringOf(
    rings.flatMap((ring) => ring.entries),
    rings.flatMap((ring) => ring.skipped),
  )
}

/** The ring as armored text, which `readKeyring` reads back; what `limitKeyring` left of a key comes back whole. */
export function exportKeyring(ring: Keyring): string {
  return ring.entries.map(({ key }) => key.toPublic().armor()).join('\n')
}

/**
 * The ring with only the keys named by fingerprint, as apt reads `Signed-By: FPR[,FPR]`: that of a primary key allows its
 * subkeys too, that of a subkey or one followed by `!` allows exactly that key. The ring may come out empty. Throws
 * `ERR_KEYRING` for what is no fingerprint.
 */
export function limitKeyring(ring: Keyring, fingerprints: readonly string[]): Keyring {
  const wanted = fingerprints.map(parseFingerprint)
  const entries = ring.entries.flatMap((entry) => {
    const primary = entry.info.fingerprint
    const own = entry.key.getKeys().map((key) => key.getFingerprint().toUpperCase())
    const isWhole = wanted.some((want) => !want.isExact && want.fingerprint === primary)
    const named = own.filter((each) => isWhole || wanted.some((want) => want.fingerprint === each))
    const allowed = named.filter((each) => entry.only === undefined || entry.only.has(each))
    return allowed.length === 0 ? [] : [{ ...entry, only: new Set(allowed) }]
  })
  return ringOf(entries, ring.skipped)
}

function parseFingerprint(text: string): { fingerprint: string; isExact: boolean } {
  const plain = text.replaceAll(/\s/g, '')
  const isExact = plain.endsWith('!')
  const fingerprint = (isExact ? plain.slice(0, -1) : plain).replace(/^0x/i, '').toUpperCase()
  if (!/^([0-9A-F]{40}|[0-9A-F]{64})$/.test(fingerprint)) {
    throw new AppError('ERR_KEYRING', {
      message: `${JSON.stringify(text)} is not the fingerprint of a key`,
      hint: 'write all 40 hex digits, as gpg --show-keys prints them',
    })
  }
  return { fingerprint, isExact }
}

function ringOf(entries: readonly KeyringEntry[], skipped: readonly string[]): Keyring {
  const kept = new Map<string, KeyringEntry>()
  const keys = new Map<string, KeyInfo>()
  for (const entry of entries) {
    const name = `${entry.digest} ${[...(entry.only ?? [])].join()}`
    if (kept.has(name)) continue
    kept.set(name, entry)
    const known = keys.get(entry.info.fingerprint)
    keys.set(entry.info.fingerprint, known ? joinInfo(known, entry.info) : entry.info)
  }
  return { keys: [...keys.values()], skipped, entries: [...kept.values()] }
}

function joinInfo(a: KeyInfo, b: KeyInfo): KeyInfo {
  const { expiresAt: endOfA, ...rest } = a
  const ends = endOfA !== undefined && b.expiresAt !== undefined
  return {
    ...rest,
    keyIds: [...new Set([...a.keyIds, ...b.keyIds])],
    userIds: [...new Set([...a.userIds, ...b.userIds])],
    revoked: a.revoked || b.revoked,
    ...(ends ? { expiresAt: Math.max(endOfA, b.expiresAt) } : {}),
  }
}

/** All packets of the file, through its armor; what is damaged is named in `skipped`. */
function keyPackets(bytes: Buffer, skipped: string[]): Packet[] {
  const isText = startsWithByteOrderMark(bytes)
  if (((bytes[0] ?? 0) & 0x80) !== 0 && !isText) return packetsOf(bytes, skipped)
  const lines = trimmedLines(isText ? bytes.subarray(3) : bytes).map((line) => line.trimStart())
  const packets: Packet[] = []
  for (let at = 0; at < lines.length; at++) {
    const kind = armorBegin(lines[at] ?? '')
    if (kind === 'PRIVATE KEY BLOCK') skipped.push('a private key')
    if (kind !== 'PUBLIC KEY BLOCK') continue
    try {
      const block = readArmorBlock(lines, at)
      packets.push(...packetsOf(block.data, skipped))
      at = block.next - 1
    } catch (error) {
      if (!isAppError(error, 'ERR_FORMAT')) throw error
      skipped.push(`an armor block: ${error.message}`)
    }
  }
  return packets
}

function packetsOf(bytes: Buffer, skipped: string[]): Packet[] {
  try {
    return readPackets(bytes)
  } catch (error) {
    if (!isAppError(error, 'ERR_FORMAT')) throw error
    skipped.push(`a run of packets: ${error.message}`)
    return []
  }
}

/** The packets cut before each primary key, without trust, marker and unknown packets. */
function keyBlocks(packets: readonly Packet[]): Packet[][] {
  const blocks: Packet[][] = []
  for (const packet of packets) {
    if (packet.tag === publicKeyTag || packet.tag === secretKeyTag) blocks.push([packet])
    else if (keyPacketTags.has(packet.tag)) blocks.at(-1)?.push(packet)
  }
  return blocks
}

/** The key, or its name with the reason why it was left out. */
async function readEntry(block: readonly Packet[]): Promise<KeyringEntry | string> {
  const head = block[0]
  if (head === undefined) return 'an empty key'
  if (head.tag === secretKeyTag) return 'a private key'
  const version = head.body[0] ?? 0
  const name = version === 4 ? `key ${fingerprintV4(head.body)}` : `a key of version ${version}`
  if (version < 4) return `${name}: too old, no program takes its signatures any more`
  const binaryKey = Buffer.concat(block.map((packet) => packet.bytes))
  try {
    const key = await readKey({ binaryKey, config: wideConfig })
    return { key, info: await infoOf(key), digest: sha256Of(binaryKey) }
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`
  }
}

async function infoOf(key: Key): Promise<KeyInfo> {
  const expires = await key.getExpirationTime(undefined, wideConfig)
  return {
    fingerprint: key.getFingerprint().toUpperCase(),
    keyIds: key.getKeyIDs().map((id) => id.toHex().toUpperCase()),
    userIds: key.getUserIDs(),
    algorithm: algorithmName(key),
    createdAt: secondsOf(key.getCreationTime()),
    ...(expires instanceof Date ? { expiresAt: secondsOf(expires) } : {}),
    revoked: await isRevokedEver(key),
  }
}

/** RFC 9580 §5.5.4.2. */
function fingerprintV4(body: Buffer): string {
  const head = Buffer.from([0x99, body.length >> 8, body.length & 0xff])
  return createHash('sha1').update(head).update(body).digest('hex').toUpperCase()
}

function noKeys(bytes: Buffer, skipped: readonly string[]): AppError {
  return new AppError('ERR_KEYRING', {
    message: `the keyring holds no usable public key: ${whyNone(bytes, skipped)}`,
    hint: fileHint,
    details: { skipped },
  })
}

function whyNone(bytes: Buffer, skipped: readonly string[]): string {
  if (bytes.length === 0) return 'it is empty'
  if (looksLikeWebPage(bytes)) return 'it looks like a web page'
  if (bytes.subarray(0, 8).toString('latin1') === '!<arch>\n') {
    return 'it is a package; dpkg-deb -x unpacks it, and the keyring is below usr/share/keyrings in it'
  }
  if (bytes.subarray(8, 12).toString('latin1') === 'KBXf') {
    return 'it is a GnuPG keybox, which apt does not take; write one by gpg --export'
  }
  return skipped.length === 0 ? 'no OpenPGP key in it' : skipped.slice(0, 3).join(', ')
}

function startsWithByteOrderMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}
