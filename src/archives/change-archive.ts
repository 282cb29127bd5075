/**
 * Adding, changing and removing archives; what remote ones hold comes with the next refresh, local ones begin empty.
 */
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { readKeyring } from '../debian/keyring.ts'
import { writeAudit } from '../store/audit.ts'
import { type Db, inTransaction } from '../store/database.ts'
import {
  type ArchiveFault,
  faultsOfName,
  faultsOfSettings,
  normalizeUrl,
} from './archive-faults.ts'
import { keepLogins, withLogins } from './archive-logins.ts'
import type { ArchiveParts } from './archive-parts.ts'
import {
  type Archive,
  type ArchiveSettings,
  deleteArchive,
  forgetValidators,
  getArchive,
  insertArchive,
  updateArchive,
} from './archive-table.ts'
import { listFilesAhead, shapeLocal } from './change-local.ts'
import { refuseShrinkage } from './local-shrink.ts'
import { isFlat, normalizeSuite } from './suite-place.ts'
import { redactUrl } from './upstream.ts'

export interface ArchiveInput {
  readonly name: string
  readonly settings: ArchiveSettings
  readonly keyring: Buffer
  /** Logins for its URLs: see archive-logins.ts. */
  readonly auth?: string | undefined
}

/** What is to be other than it was. */
export interface ArchiveChange {
  readonly settings?: Partial<ArchiveSettings> | undefined
  readonly keyring?: Buffer | undefined
  /** As in `ArchiveInput`. */
  readonly auth?: string | undefined
}

export interface ChangeReason {
  readonly who: string
  readonly why?: string | undefined
}

/** Adds an archive; `ERR_USAGE` or `ERR_KEYRING` for what cannot be one, `ERR_CONFLICT` if the name is taken. */
export async function addArchive(
  parts: ArchiveParts,
  input: ArchiveInput,
  reason: ChangeReason,
): Promise<Archive> {
  const { name, keyring } = input
  refuseFirst(faultsOfName(name))
  const settings = checkSettings(input.settings, input.auth)
  await checkKeyring(settings, input.keyring)
  const madeAt = parts.clock.now()
  const insert = async (trx: Db): Promise<Archive> => {
    const archive = await insertArchive(trx, { name, keyring, settings }, madeAt)
    await writeAudit(trx, {
      at: madeAt,
      ...reason,
      what: 'archive add',
      object: `archive ${input.name}`,
      detail: shown(settings),
    })
    crashPoint('archive: before the commit')
    return archive
  }
  if (settings.kind !== 'local') return inTransaction(parts.db, insert)
  // Its id is known once it is inserted.
  return parts.archiveLock(input.name)(() =>
    shapeLocal(parts, { ...input, settings, id: 0 }, insert),
  )
}

/** Changes an archive's settings or keyring; its states stay. `ERR_REFUSED` if a local one would lose packages. */
export async function setArchive(
  parts: ArchiveParts,
  name: string,
  change: ArchiveChange,
  reason: ChangeReason,
): Promise<Archive> {
  if (change.settings?.extras?.includes('contents')) {
    const archive = await getArchive(parts.db, name)
    // What is refused below reads no package.
    checkSettings(changed(archive.settings, change.settings), change.auth)
    await listFilesAhead(parts, archive)
  }
  return parts.archiveLock(name)(async () => {
    const old = await getArchive(parts.db, name)
    const settings = checkSettings(changed(old.settings, change.settings), change.auth)
    if (settings.kind !== old.settings.kind) throw otherKind(name)
    await refuseShrinkage(parts.db, old, settings)
    if (change.keyring !== undefined) await checkKeyring(settings, change.keyring)
    const archive = { ...old, settings, keyring: change.keyring ?? old.keyring }
    const update = async (trx: Db): Promise<Archive> => {
      await updateArchive(trx, archive)
      // What is asked for now may be in the Release that was taken: it is to be read again, changed or not.
      if (takenOf(old.settings) !== takenOf(settings)) await forgetValidators(trx, old.id)
      await writeAudit(trx, {
        at: parts.clock.now(),
        ...reason,
        what: 'archive set',
        object: `archive ${name}`,
        detail: {
          ...shown(settings),
          keyring: change.keyring !== undefined,
          ...(change.auth === undefined ? {} : { logins: 'others' }),
        },
      })
      return archive
    }
    if (settings.kind === 'local') return shapeLocal(parts, archive, update)
    return inTransaction(parts.db, update)
  })
}

/** Who may upload to a local archive by a signature need not be known. */
async function checkKeyring({ kind }: ArchiveSettings, keyring: Buffer): Promise<void> {
  if (kind !== 'local' || keyring.length > 0) await readKeyring(keyring)
}

function otherKind(name: string): AppError {
  const message = `${name} cannot become another kind of archive`
  return new AppError('ERR_USAGE', { message, hint: 'make one of another name' })
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

/** A URL that stays keeps its login, though it is shown and told without. */
function changed(old: ArchiveSettings, change: Partial<ArchiveSettings> = {}): ArchiveSettings {
  const all = { ...old, ...change }
  const urls = keepLogins(all.urls, old.urls) ?? []
  return { ...all, urls, fallbacks: keepLogins(all.fallbacks, old.fallbacks) }
}

function checkSettings(told: ArchiveSettings, auth: string | undefined): ArchiveSettings {
  refuseFirst(faultsOfSettings(told))
  const settings = auth === undefined ? told : withLogins(told, auth)
  const inForm = (url: string): string => normalizeUrl(url) ?? url
  return {
    ...settings,
    suites: settings.suites.map(normalizeSuite),
    urls: settings.urls.map(inForm),
    fallbacks: settings.fallbacks?.map(inForm),
  }
}

/** What of a suite the settings ask for, to be compared. */
function takenOf(settings: ArchiveSettings): string {
  const { suites, components, architectures, sources, languages, extras } = settings
  const flat = suites.filter(isFlat)
  return JSON.stringify([components, architectures, sources, languages, extras, ...flat])
}

function refuseFirst([fault]: readonly ArchiveFault[]): void {
  if (fault === undefined) return
  const { message, hint } = fault
  throw new AppError('ERR_USAGE', { message, hint })
}

function shown(settings: ArchiveSettings): Record<string, unknown> {
  return {
    ...settings,
    urls: settings.urls.map(redactUrl),
    fallbacks: settings.fallbacks?.map(redactUrl),
    proxy: settings.proxy && redactUrl(settings.proxy),
  }
}
