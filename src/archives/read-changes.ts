/**
 * A `.changes` that was handed in, before its files are read: whose it is, whether he may, where it goes, and what is missing.
 */
import { nowSeconds } from '../base/clock.ts'
import { AppError } from '../base/errors.ts'
import { type Changes, readChanges } from '../debian/changes-file.ts'
import { readKeyring } from '../debian/keyring.ts'
import { quoted, refused } from '../debian/upload-refusal.ts'
import { type SignedText, unverified, verifyUpload } from '../debian/upload-signature.ts'
import { mayUpload } from '../debian/uploaders.ts'
import type { Archive } from './archive-table.ts'
import type { LocalParts } from './change-local.ts'

export interface ChangesPlace {
  readonly suite: string
  readonly component: string | undefined
}

export interface KnownChanges extends ChangesPlace {
  readonly changes: Changes
  /** Fingerprint of the key by which it is allowed; undefined where nobody had to sign. */
  readonly signer: string | undefined
}

export interface ChangesAsked {
  readonly name: string
  readonly data: Buffer
  /** Only who is among the uploaders may, and must have signed it; else who hands it in answers for it. */
  readonly mustBeSigned: boolean
  readonly suite?: string | undefined
  readonly component?: string | undefined
}

/** Whether it is said who may upload there: who is not asked who he is has to have signed then. */
export function takesSignedOnly({ keyring, settings }: Archive): boolean {
  return keyring.length > 0 || (settings.uploaders ?? []).length > 0
}

/** Reads and judges it; `ERR_REFUSED` without a good signature or the right, `ERR_PACKAGE` for what is no `.changes`. */
export async function judgeChanges(
  parts: Pick<LocalParts, 'clock'>,
  archive: Archive,
  asked: ChangesAsked,
): Promise<KnownChanges> {
  const { name, data, mustBeSigned } = asked
  const signed = mustBeSigned ? await verify(parts, archive, name, data) : unverified(name, data)
  const changes = readChanges(name, signed)
  const place = placeOf(archive, changes, asked)
  if (!mustBeSigned) return { changes, ...place, signer: undefined }
  const verdict = mayUpload(archive.settings.uploaders ?? [], {
    signers: signed.signers,
    source: changes.source,
    packages: changes.binaries,
    suite: place.suite,
    architectures: changes.architectures,
  })
  if (verdict.kind === 'allowed') return { changes, ...place, signer: verdict.fingerprint }
  throw new AppError('ERR_REFUSED', {
    message: `${name}: ${verdict.why}`,
    hint: `the administrator changes that: sluice archive set ${archive.name} --uploader 'KEY SOURCE…'`,
    details: { reason: 'not-allowed' },
  })
}

async function verify(
  { clock }: Pick<LocalParts, 'clock'>,
  archive: Archive,
  name: string,
  data: Buffer,
): Promise<SignedText> {
  if (archive.keyring.length === 0) {
    throw new AppError('ERR_REFUSED', {
      message: `${archive.name} knows no keys of uploaders, so that nothing signed is taken`,
      hint: `sluice archive set ${archive.name} --keyring FILE --uploader 'KEY SOURCE…'`,
    })
  }
  const ring = await readKeyring(archive.keyring)
  return verifyUpload(name, data, { ring, at: nowSeconds(clock) })
}

/** The suite is the one of its changelog, where the archive has that, else the archive's only one. */
function placeOf(
  { name, settings }: Archive,
  changes: Changes,
  asked: Pick<ChangesAsked, 'name' | 'suite' | 'component'>,
): ChangesPlace {
  const { suites, components } = settings
  const { distribution } = changes
  const [only = ''] = suites
  const known = suites.includes(distribution) ? distribution : undefined
  const suite = asked.suite ?? known ?? (suites.length === 1 ? only : undefined)
  if (suite === undefined) {
    const hint = `build it for one of ${suites.join(', ')} (the changelog says which), or say --suite`
    const what = `${name} has no suite ${quoted(distribution)}`
    throw refused({ reason: 'suite', what, hint, member: asked.name, field: 'Distribution' })
  }
  const [main = ''] = components
  const named = new Set(
    changes.files
      .filter((file) => /\.(deb|dsc)$/.test(file.name))
      .map(({ section = '' }) => (section.includes('/') ? section.split('/')[0] : main)),
  )
  const [component] = named
  if (asked.component === undefined && named.size > 1) {
    const what = `its packages are of several components: ${[...named].join(', ')}`
    const hint = 'say --component, or give all of them sections of one'
    throw refused({ reason: 'component', what, hint, member: asked.name, field: 'Files' })
  }
  return { suite, component: asked.component ?? component }
}
