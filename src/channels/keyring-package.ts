/**
 * The package `sluice-archive-keyring`: the public keys of all publications, each as the file that the sources of a
 * machine name by Signed-By. Whoever has it installed gets a new key with an upgrade, before the old one goes.
 *
 * The files are no conffiles: the lines that set a machine up write the same path, and an upgrade must take its place
 * without a question. A file once shipped is shipped for ever, under a new key too, since sources go on naming it.
 * The version is the day and a number, and only goes up.
 */
import { gzipSync } from 'node:zlib'
import { crashPoint } from '../base/fault.ts'
import { sha256Of } from '../base/sha256.ts'
import { formatStanza } from '../debian/control.ts'
import { type DebFile, makeDeb } from '../debian/make-deb.ts'
import { armorPublicKeys } from '../debian/public-keys.ts'
import { compareVersions } from '../debian/version.ts'
import { liveKeys } from '../signing/publication-key-table.ts'
import { listPublications } from '../signing/publication-table.ts'
import { type Db, inTransaction } from '../store/database.ts'
import type { ChannelParts } from './channel-parts.ts'
import { channelOf } from './ensure-publication.ts'
import {
  insertKeyringPackage,
  type KeyringPackage,
  listKeyringFiles,
  newestKeyringPackage,
  saveKeyringFile,
} from './keyring-table.ts'

export const KEYRING_PACKAGE = 'sluice-archive-keyring'

/** Where a machine has the key of a channel (`class/web`: a class): in no other name is a `_`. */
export function keyringPath(channel: string): string {
  return `/etc/apt/keyrings/sluice-${channel.replace('/', '_')}.asc`
}

/** The newest version, made now if keys have changed since the last; the caller sees to it that nobody else does. */
export async function ensureKeyringPackage(
  parts: Pick<ChannelParts, 'db' | 'clock'>,
): Promise<KeyringPackage> {
  const newest = await newestKeyringPackage(parts.db)
  await nameFiles(parts.db)
  const files = await keyFiles(parts.db)
  const content = sha256Of(JSON.stringify(files))
  if (newest?.content === content) return newest
  const madeAt = parts.clock.now()
  const version = nextVersion(newest?.version, new Date(madeAt))
  const made = { ...(await build(version, files, madeAt)), version, content, madeAt }
  await inTransaction(parts.db, (trx) => insertKeyringPackage(trx, made))
  crashPoint('keyring: package made, served by nobody')
  return made
}

/** The day and a number: after `old`, whatever the clock says. */
export function nextVersion(old: string | undefined, now: Date): string {
  const today = now.toISOString().slice(0, 10).replaceAll('-', '.')
  const first = `${today}.1`
  if (old === undefined || compareVersions(first, old) > 0) return first
  const [, day = today, number = '0'] = /^(.*)\.(\d+)$/.exec(old) ?? []
  return `${day}.${Number(number) + 1}`
}

/** Each publication's file is called as its channel is; one that was renamed has its old files as well. */
async function nameFiles(db: Db): Promise<void> {
  const known = new Map((await listKeyringFiles(db)).map((one) => [one.word, one.publicationId]))
  for (const { id, name } of await listPublications(db)) {
    const word = keyringPath(channelOf(name))
    if (known.get(word) === id) continue
    await inTransaction(db, (trx) => saveKeyringFile(trx, word, id))
  }
}

async function keyFiles(db: Db): Promise<DebFile[]> {
  const files: DebFile[] = []
  for (const { word, publicationId } of await listKeyringFiles(db)) {
    const keys = await liveKeys(db, publicationId)
    const bytes = keys.flatMap(({ publicKey }) => publicKey ?? [])
    // A key whose public part is not known yet comes in a later version.
    if (bytes.length > 0) files.push({ path: word.slice(1), data: armorPublicKeys(bytes) })
  }
  return files
}

async function build(
  version: string,
  files: readonly DebFile[],
  madeAt: number,
): Promise<Pick<KeyringPackage, 'deb' | 'debSha256' | 'packages' | 'gz' | 'gzSha256'>> {
  const at = Math.floor(madeAt / 1000)
  const docs = `usr/share/doc/${KEYRING_PACKAGE}`
  const { bytes: deb, control } = await makeDeb({
    control: controlFields(version),
    files: [
      ...files,
      { path: `${docs}/changelog.gz`, data: gzipSync(changelog(version, at), { level: 9 }) },
      { path: `${docs}/copyright`, data: COPYRIGHT },
    ],
    at,
  })
  const debSha256 = sha256Of(deb)
  const place = `pool/${debSha256.slice(0, 2)}/${debSha256.slice(2)}`
  const stanza = formatStanza([
    ...control.slice(0, -1),
    ['Filename', `${place}/${KEYRING_PACKAGE}_${version}_all.deb`],
    ['Size', String(deb.length)],
    ['SHA256', debSha256],
    ...control.slice(-1),
  ])
  const packages = Buffer.from(`${stanza}\n`)
  const gz = gzipSync(packages, { level: 9 })
  return { deb, debSha256, packages, gz, gzSha256: sha256Of(gz) }
}

const MAINTAINER = 'Sluice <root@localhost>'

function controlFields(version: string): (readonly [string, string])[] {
  return [
    ['Package', KEYRING_PACKAGE],
    ['Version', version],
    ['Architecture', 'all'],
    ['Maintainer', MAINTAINER],
    ['Section', 'misc'],
    ['Priority', 'optional'],
    ['Multi-Arch', 'foreign'],
    [
      'Description',
      'keys of the channels of this Sluice\n' +
        ' The public keys that the channels of the local apt update server are signed\n' +
        ' with. A key that is about to be replaced comes together with its successor.',
    ],
  ]
}

function changelog(version: string, at: number): string {
  const date = new Date(at * 1000).toUTCString().replace('GMT', '+0000')
  return `${KEYRING_PACKAGE} (${version}) stable; urgency=medium\n\n  * The keys of this day.\n\n -- ${MAINTAINER}  ${date}\n`
}

const COPYRIGHT = `This package was made by a Sluice server of its own public keys.
Public keys are facts: nobody claims a copyright in them.
`
