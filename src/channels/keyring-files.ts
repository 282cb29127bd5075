/**
 * What is served below `channels/<channel>/sluice/`: the suite of the keyring package, whichever generation is asked for.
 *
 *   dists/stable/{InRelease,Release,Release.gpg}    dists/stable/main/binary-<arch>/Packages[.gz]
 *   dists/stable/main/binary-<arch>/by-hash/SHA256/<64 hex>    pool/<2 hex>/<62 hex>/<file>
 */
import { type Answer, contentType, digestTime } from '../archives/answer.ts'
import { KEYRING_ARCHIVE } from '../archives/archive-faults.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import { findPublication, type Publication } from '../signing/publication-table.ts'
import type { ChannelParts } from './channel-parts.ts'
import { publicationOf } from './ensure-publication.ts'
import { KEYRING_COMPONENT, KEYRING_SUITE } from './keyring-release.ts'
import { findKeyringPackage, findKeyringRelease, type KeyringRelease } from './keyring-table.ts'

/** The answer to a path below the archive; undefined for what it does not have. `name` may say a generation. */
export async function keyringAnswer(
  parts: ChannelParts,
  name: string,
  [kind = '', ...rest]: readonly string[],
): Promise<Answer | undefined> {
  const [channel = ''] = name.split('@')
  if (parts.views.head(channel) === undefined) return undefined
  if (kind === 'pool') return poolAnswer(parts, rest)
  const [suite = '', ...path] = rest
  if (kind !== 'dists' || suite !== KEYRING_SUITE) return undefined
  const publication = await findPublication(parts.db, publicationOf(channel))
  const release = publication && (await findKeyringRelease(parts.db, publication.id))
  return release && suiteAnswer(parts, release, path.join('/'))
}

async function suiteAnswer(
  parts: ChannelParts,
  one: KeyringRelease,
  path: string,
): Promise<Answer | undefined> {
  const signed = {
    InRelease: one.inRelease,
    Release: one.release,
    'Release.gpg': one.releaseGpg,
  }
  if (path === 'InRelease' || path === 'Release' || path === 'Release.gpg') {
    return bytes(signed[path], path, one.date)
  }
  const [, file = '', hash] =
    /^main\/binary-[^/]+\/(Packages|Packages\.gz|by-hash\/SHA256\/([0-9a-f]{64}))$/.exec(path) ?? []
  if (hash !== undefined) {
    const found = await findKeyringPackage(parts.db, 'gz_sha256', hash)
    return found && bytes(found.gz, '.gz', digestTime(found.gzSha256), false)
  }
  const found = file === '' ? undefined : await findKeyringPackage(parts.db, 'version', one.version)
  return found && bytes(file === 'Packages' ? found.packages : found.gz, file, one.date)
}

async function poolAnswer(
  parts: ChannelParts,
  [prefix = '', rest = '', file = '', ...more]: readonly string[],
): Promise<Answer | undefined> {
  const sha256 = parseSha256(prefix + rest)
  if (sha256 === undefined || prefix.length !== 2 || file === '' || more.length > 0)
    return undefined
  const found = await findKeyringPackage(parts.db, 'deb_sha256', sha256)
  return found && bytes(found.deb, file, digestTime(sha256), false)
}

function bytes(data: Buffer, path: string, modifiedAt: number, isMutable = true): Answer {
  return { kind: 'bytes', data, type: contentType(path), modifiedAt, isMutable }
}

export interface KeyringFile {
  readonly archive: string
  readonly suite: string
  readonly components: readonly string[]
  /** Below the URL of the archive. */
  readonly path: string
  readonly sha256: Sha256
}

/** Where a publication has the package; undefined if it has none yet. */
export async function keyringFile(
  { db }: Pick<ChannelParts, 'db'>,
  publication: Publication,
): Promise<KeyringFile | undefined> {
  const release = await findKeyringRelease(db, publication.id)
  const found = release && (await findKeyringPackage(db, 'version', release.version))
  if (found === undefined) return undefined
  const path = /^Filename: (.*)$/m.exec(found.packages.toString())?.[1] ?? ''
  return {
    archive: KEYRING_ARCHIVE,
    suite: KEYRING_SUITE,
    components: [KEYRING_COMPONENT],
    path,
    sha256: found.debSha256,
  }
}
