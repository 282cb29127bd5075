/**
 * The Release of an archive that nobody told this server of: what it says is taken for the digests in it; who signed it is
 * known only where a keyring of `learn-keyrings` has the key. What a known key signed once is not taken from others later,
 * and what a known key did not sign so is not taken at all.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Upstream } from '../archives/upstream.ts'
import { type Clock, nowSeconds } from '../base/clock.ts'
import { AppError, isAppError, systemCode } from '../base/errors.ts'
import { type Keyring, mergeKeyrings, readKeyring } from '../debian/keyring.ts'
import { verifyClearSigned, verifyDetached } from '../debian/openpgp-verify.ts'
import { parseRelease, type Release } from '../debian/release.ts'
import { releaseDir, urlAt } from './learned-place.ts'
import type { LearnedState, SuitePlace } from './learned-table.ts'
import { clearText } from './read-release.ts'

/** Debian's has 200 kB. Nobody answers for those that machines ask for, and they are kept in the database. */
const MAX_RELEASE_BYTES = 2 * 1024 * 1024
const MAX_FUTURE_S = 300

/** What was fetched, and what it says. */
export interface LearnedRelease {
  readonly release: Release
  readonly inRelease?: Buffer | undefined
  readonly releaseText?: Buffer | undefined
  readonly releaseGpg?: Buffer | undefined
  readonly lastModified?: string | undefined
  readonly etag?: string | undefined
  readonly signers: readonly string[]
}

export interface ReleaseParts {
  readonly upstream: Pick<Upstream, 'get'>
  readonly clock: Clock
  readonly keyring: Keyring | undefined
  readonly mayFollow: (url: URL) => Promise<boolean>
}

/** All keys in the files of a directory; `ERR_CONFIG` if it cannot be read or a file in it holds none. */
export async function readKeyrings(dir: string): Promise<Keyring> {
  try {
    const names = (await readdir(dir)).filter((name) => /\.(?:gpg|asc|pgp)$/.test(name)).sort()
    const rings = names.map(async (name) => readKeyring(await readFile(join(dir, name))))
    return mergeKeyrings(await Promise.all(rings))
  } catch (error) {
    const reason = isAppError(error) ? error.message : (systemCode(error) ?? String(error))
    throw new AppError('ERR_CONFIG', {
      message: `the keyrings in ${dir} cannot be read: ${reason}`,
      hint: 'the setting learn-keyrings names a directory of .gpg and .asc files',
      cause: error,
    })
  }
}

/**
 * The suite's Release as upstream has it; `unchanged` since `known`; undefined if there is none from which anything could
 * be verified. Throws upstream's errors, and those of signatures and dates.
 */
export async function fetchLearnedRelease(
  parts: ReleaseParts,
  place: SuitePlace,
  known: LearnedState | undefined,
  signal: AbortSignal | undefined,
): Promise<LearnedRelease | 'unchanged' | undefined> {
  const dir = releaseDir(place)
  const get = (name: string, of?: LearnedState): Promise<Answer | 'unchanged' | undefined> =>
    getUnless404(parts, urlAt(place, dir === '' ? name : `${dir}/${name}`), of, signal)
  const inRelease = await get('InRelease', known?.inRelease === undefined ? undefined : known)
  if (inRelease === 'unchanged') return inRelease
  if (inRelease !== undefined) {
    const text = textOf(inRelease.body)
    const release = text === undefined ? undefined : readRelease(text, parts.clock)
    if (release === undefined) return undefined
    const signers = await signersOf(parts, known, (ring, at) =>
      verifyClearSigned(inRelease.body, ring, at),
    )
    return { release, inRelease: inRelease.body, ...inRelease.validators, signers }
  }
  const plain = await get('Release', known?.release === undefined ? undefined : known)
  if (plain === 'unchanged' || plain === undefined) return plain
  const release = readRelease(plain.body.toString(), parts.clock)
  if (release === undefined) return undefined
  const gpg = await get('Release.gpg')
  const signature = gpg === 'unchanged' ? undefined : gpg?.body
  const signers = await signersOf(parts, known, (ring, at) =>
    verifyDetached(plain.body, signature ?? Buffer.alloc(0), ring, at),
  )
  return { release, releaseText: plain.body, releaseGpg: signature, ...plain.validators, signers }
}

interface Answer {
  readonly body: Buffer
  readonly validators: Pick<LearnedRelease, 'lastModified' | 'etag'>
}

async function getUnless404(
  { upstream, mayFollow }: ReleaseParts,
  url: string,
  known: LearnedState | undefined,
  signal: AbortSignal | undefined,
): Promise<Answer | 'unchanged' | undefined> {
  try {
    const conditions = { ifModifiedSince: known?.lastModified, etag: known?.etag }
    const options = { ...conditions, maxBytes: MAX_RELEASE_BYTES, mayFollow }
    const { status, body, lastModified, headers } = await upstream.get(url, options, { signal })
    if (status === 304) return 'unchanged'
    const pieces: Buffer[] = []
    for await (const piece of body) pieces.push(piece)
    return { body: Buffer.concat(pieces), validators: { lastModified, etag: headers.etag } }
  } catch (error) {
    if (isAppError(error, 'ERR_TOO_LARGE')) return undefined
    const status = isAppError(error, 'ERR_UPSTREAM_STATUS') ? error.details?.status : undefined
    // What object stores and mirrors say of what is not there.
    if (status === 404 || status === 403 || status === 410) return undefined
    throw error
  }
}

/** Undefined for what is no InRelease. */
function textOf(signed: Buffer): string | undefined {
  try {
    return clearText(signed)
  } catch (error) {
    if (isAppError(error)) return undefined
    throw error
  }
}

/** Undefined for what is no Release, or has no digests that count. */
function readRelease(text: string, clock: Clock): Release | undefined {
  let release: Release
  try {
    release = parseRelease(text)
  } catch (error) {
    if (isAppError(error, 'ERR_FORMAT')) return undefined
    throw error
  }
  // apt would not take it, and a wrong one is not to stand in the way of the right ones that follow.
  return (release.date ?? 0) > nowSeconds(clock) + MAX_FUTURE_S ? undefined : release
}

/** Fingerprints of the keys that are known here and signed it. */
async function signersOf(
  { keyring, clock }: ReleaseParts,
  known: LearnedState | undefined,
  verify: (
    ring: Keyring,
    at: number,
  ) => Promise<{ readonly signers: readonly { readonly fingerprint: string }[] }>,
): Promise<readonly string[]> {
  const mustBeSigned = (known?.signers.length ?? 0) > 0
  if (keyring === undefined) return []
  try {
    const { signers } = await verify(keyring, nowSeconds(clock))
    return signers.map(({ fingerprint }) => fingerprint)
  } catch (error) {
    if (!isAppError(error) || mustBeSigned || error.code === 'ERR_SIGNATURE_BAD') throw error
    return []
  }
}
