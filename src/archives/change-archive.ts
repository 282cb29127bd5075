/**
 * Adding, changing and removing remote archives; what they hold comes with the next refresh.
 */
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { readKeyring } from '../debian/keyring.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import type { ArchiveParts } from './archive-parts.ts'
import {
  type Archive,
  type ArchiveSettings,
  deleteArchive,
  extraKinds,
  forgetValidators,
  getArchive,
  insertArchive,
  updateArchive,
} from './archive-table.ts'
import { redactUrl } from './upstream.ts'

export interface ArchiveInput {
  readonly name: string
  readonly settings: ArchiveSettings
  readonly keyring: Buffer
}

export interface ChangeReason {
  readonly who: string
  readonly why?: string | undefined
}

/** The archive of its own that each channel has, for the package of its keys. */
export const KEYRING_ARCHIVE = 'sluice'

const word = /^[A-Za-z0-9][A-Za-z0-9.+~_-]*$/
const languagePattern = /^[a-z]{2,3}(?:_[A-Z]{2})?(?:@[a-z]+)?$/
const suitePattern = /^[A-Za-z0-9][A-Za-z0-9.+~_-]*(\/[A-Za-z0-9][A-Za-z0-9.+~_-]*)*$/

/** Adds an archive; `ERR_USAGE` or `ERR_KEYRING` for what cannot be one, `ERR_CONFLICT` if the name is taken. */
export async function addArchive(
  parts: ArchiveParts,
  input: ArchiveInput,
  reason: ChangeReason,
): Promise<Archive> {
  if (!/^[a-z0-9][a-z0-9.+-]{0,62}$/.test(input.name)) {
    throw refuse(
      `an archive cannot be called ${JSON.stringify(input.name)}`,
      'lower-case letters, digits, dots, plus and minus',
    )
  }
  if (input.name === KEYRING_ARCHIVE) {
    throw refuse(
      `an archive cannot be called ${input.name}: each channel has one of this name, with the package of its keys`,
      'take another name',
    )
  }
  const settings = checkSettings(input.settings)
  await readKeyring(input.keyring)
  const madeAt = parts.clock.now()
  return inTransaction(parts.db, async (trx) => {
    const archive = await insertArchive(trx, { ...input, settings }, madeAt)
    await writeAudit(trx, {
      at: madeAt,
      ...reason,
      what: 'archive add',
      object: `archive ${input.name}`,
      detail: shown(settings),
    })
    crashPoint('archive: before the commit')
    return archive
  })
}

/** Changes an archive's settings or keyring; its states stay. */
export function setArchive(
  parts: ArchiveParts,
  name: string,
  change: { readonly settings?: Partial<ArchiveSettings>; readonly keyring?: Buffer | undefined },
  reason: ChangeReason,
): Promise<Archive> {
  return parts.archiveLock(name)(async () => {
    const old = await getArchive(parts.db, name)
    const settings = checkSettings({ ...old.settings, ...change.settings })
    if (change.keyring !== undefined) await readKeyring(change.keyring)
    const archive = { ...old, settings, keyring: change.keyring ?? old.keyring }
    await inTransaction(parts.db, async (trx) => {
      await updateArchive(trx, archive)
      // What is asked for now may be in the Release that was taken: it is to be read again, changed or not.
      if (takenOf(old.settings) !== takenOf(settings)) await forgetValidators(trx, old.id)
      await writeAudit(trx, {
        at: parts.clock.now(),
        ...reason,
        what: 'archive set',
        object: `archive ${name}`,
        detail: { ...shown(settings), keyring: change.keyring !== undefined },
      })
    })
    return archive
  })
}

/** Removes an archive; what channels hold of it stays, but what was not fetched can no longer be. */
export function removeArchive(
  parts: ArchiveParts,
  name: string,
  reason: ChangeReason,
): Promise<void> {
  return parts.archiveLock(name)(async () => {
    const archive = await getArchive(parts.db, name)
    await inTransaction(parts.db, async (trx) => {
      await deleteArchive(trx, archive.id)
      await writeAudit(trx, {
        at: parts.clock.now(),
        ...reason,
        what: 'archive remove',
        object: `archive ${name}`,
      })
    })
  })
}

function checkSettings(settings: ArchiveSettings): ArchiveSettings {
  const urls = settings.urls.map(checkUrl)
  if (urls.length === 0)
    throw refuse('an archive needs a URL', 'sluice archive add NAME URL --suite S')
  const lists = {
    suite: settings.suites,
    component: settings.components,
    architecture: settings.architectures,
  }
  for (const [what, values] of Object.entries(lists)) {
    if (values.length === 0)
      throw refuse(
        `an archive needs at least one ${what}`,
        `--${what === 'architecture' ? 'arch' : what} …`,
      )
    const bad = values.find((value) => !(what === 'architecture' ? word : suitePattern).test(value))
    if (bad !== undefined)
      throw refuse(`${JSON.stringify(bad)} is no ${what}`, 'see the Release file of the archive')
  }
  const badLanguage = settings.languages?.find((one) => !languagePattern.test(one))
  if (badLanguage !== undefined)
    throw refuse(`${JSON.stringify(badLanguage)} is no language`, 'such as en, de, pt_BR')
  const badExtra = settings.extras?.find((one) => !extraKinds.includes(one))
  if (badExtra !== undefined)
    throw refuse(
      `${JSON.stringify(badExtra)} cannot be taken`,
      `there are ${extraKinds.join(', ')}`,
    )
  return { ...settings, urls, fallbacks: settings.fallbacks?.map(checkUrl) }
}

/** What of a suite the settings ask for, to be compared. */
function takenOf(settings: ArchiveSettings): string {
  const { components, architectures, sources, languages, extras } = settings
  return JSON.stringify([components, architectures, sources, languages, extras])
}

function checkUrl(text: string): string {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw refuse(
      `${redactUrl(text)} is no http or https URL`,
      'the archive’s root, the folder that holds dists/',
    )
  }
  return url.href.replace(/\/+$/, '')
}

function refuse(message: string, hint: string): AppError {
  return new AppError('ERR_USAGE', { message, hint })
}

function shown(settings: ArchiveSettings): Record<string, unknown> {
  return {
    ...settings,
    urls: settings.urls.map(redactUrl),
    fallbacks: settings.fallbacks?.map(redactUrl),
    proxy: settings.proxy && redactUrl(settings.proxy),
  }
}
