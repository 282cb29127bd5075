/**
 * Taking packages out of local archives: because somebody says so, because their time is over, or because newer versions
 * are there and the archive keeps so many. Channels that follow the archive lose them; what was promoted stays where it is.
 *
 * A name means a source package with what was built from it, or a binary package, as it does for `sluice revoke`. A version
 * that was taken out can be published again, with the same bytes (upload-queue.ts).
 */
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { compareVersions } from '../debian/version.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import type { ArchiveParts } from './archive-parts.ts'
import { type Archive, getArchive, listArchives } from './archive-table.ts'
import { assertLocal, changeLocal, type LocalParts } from './change-local.ts'
import type { IndexEntry } from './index-parts.ts'
import type { LocalEdit } from './local-state.ts'
import { listEnds, placeKey, putEnds, type UploadPlace } from './upload-ends.ts'
import { listUploads, noteRemoved, type UploadRow } from './upload-table.ts'

type Parts = LocalParts & Pick<ArchiveParts, 'archiveLock' | 'revocations'>

export interface UnpublishInput {
  readonly archive: string
  readonly name: string
  /** All of them unless told. */
  readonly version?: string | undefined
  readonly suite?: string | undefined
  readonly who: string
  readonly why?: string | undefined
  /** Tells what would go, and takes nothing out. */
  readonly dryRun?: boolean | undefined
}

/** Takes packages out, and says which; `ERR_NOT_FOUND` if there are none such. */
export function unpublish(parts: Parts, input: UnpublishInput): Promise<readonly UploadRow[]> {
  return parts.archiveLock(input.archive)(async () => {
    const archive = await getArchive(parts.db, input.archive)
    assertLocal(archive)
    const rows = (await listUploads(parts.db, archive.id)).filter((row) => isMeant(row, input))
    if (rows.length === 0) throw nothingSuch(input)
    if (input.dryRun !== true) await takeOut(parts, archive, rows, input)
    return rows
  })
}

/**
 * Says when packages end that are there, or with undefined that they do not. `ERR_NOT_FOUND` if one is not there, `ERR_REFUSED` if
 * somebody else has published it than the `owner`, where that is told.
 */
export function setEnds(
  parts: Parts,
  input: Pick<UnpublishInput, 'archive' | 'who' | 'why'> & {
    readonly packages: readonly UploadPlace[]
    /** Epoch milliseconds. */
    readonly endsAt: number | undefined
    readonly owner?: string | undefined
  },
): Promise<void> {
  const { packages, endsAt, who, why, owner } = input
  return parts.archiveLock(input.archive)(async () => {
    const archive = await getArchive(parts.db, input.archive)
    assertLocal(archive)
    const rows = await listUploads(parts.db, archive.id)
    const here = new Map(rows.map((row) => [placeKey(row), row]))
    for (const one of packages) {
      const row = here.get(placeKey(one))
      if (row !== undefined && owner !== undefined) refuseOthers(archive, row, owner)
      if (row !== undefined) continue
      const { name, version, suite } = one
      throw nothingSuch({ archive: archive.name, name, version, suite })
    }
    await inTransaction(parts.db, async (trx) => {
      await putEnds(trx, archive.id, packages, endsAt)
      await writeAudit(trx, {
        at: parts.clock.now(),
        who,
        what: 'expires',
        object: `archive ${archive.name}`,
        why,
        detail: {
          packages: packages.map(placeKey).slice(0, 20),
          endsAt: endsAt === undefined ? 'never' : new Date(endsAt).toISOString(),
        },
      })
    })
  })
}

/** What was signed besides is of who handed it in. */
function refuseOthers({ name: archive }: Archive, row: UploadRow, owner: string): void {
  if (row.who === owner || row.who.startsWith(`${owner}, key `)) return
  throw new AppError('ERR_REFUSED', {
    message: `${row.name} ${row.version} was published to ${archive} by ${row.who}, not by ${owner}`,
    hint: 'who published it says how long it stays, or an administrator of the server',
  })
}

/** Takes out what is over, and what is older than what the archive keeps; what went. Nothing of an archive that is no more. */
export function tidyArchive(parts: Parts, name: string): Promise<readonly UploadRow[]> {
  return parts.archiveLock(name)(async () => {
    const archive = (await listArchives(parts.db)).find((one) => one.name === name)
    if (archive?.settings.kind !== 'local') return []
    const { over, older } = await listUntidy(parts, archive)
    const who = 'system'
    if (over.length > 0) await takeOut(parts, archive, over, { who, why: 'its time is over' })
    crashPoint('unpublish: what is over is out')
    const why = `the newest ${archive.settings.keepVersions} versions are kept`
    if (older.length > 0) await takeOut(parts, archive, older, { who, why })
    return [...over, ...older]
  })
}

/** What of a local archive is to be taken out now. What is revoked counts as no version, and stays to be given back. */
export async function listUntidy(
  parts: Pick<Parts, 'db' | 'clock' | 'revocations'>,
  archive: Archive,
): Promise<{ readonly over: readonly UploadRow[]; readonly older: readonly UploadRow[] }> {
  const rows = await listUploads(parts.db, archive.id)
  const ends = await listEnds(parts.db, archive.id)
  const now = parts.clock.now()
  const over = rows.filter((row) => (ends.get(placeKey(row)) ?? Number.POSITIVE_INFINITY) <= now)
  const left = rows.filter((row) => !over.includes(row) && parts.revocations.of(row) === undefined)
  const { keepVersions = 0 } = archive.settings
  return { over, older: keepVersions === 0 ? [] : olderThan(left, keepVersions) }
}

/** Those that are older than the newest so many of the same package, architecture, suite and component. */
function olderThan(rows: readonly UploadRow[], keep: number): UploadRow[] {
  const groups = Map.groupBy(rows, (row) => placeKey({ ...row, version: '' }))
  return [...groups.values()].flatMap((all) =>
    all.sort((a, b) => compareVersions(b.version, a.version)).slice(keep),
  )
}

function isMeant(row: UploadRow, { name, version, suite }: Omit<UnpublishInput, 'who'>): boolean {
  if (suite !== undefined && suite !== row.suite) return false
  const isBinary = row.name === name && (version === undefined || row.version === version)
  const isOfSource = row.source === name && (version === undefined || row.sourceVersion === version)
  return isBinary || isOfSource
}

function nothingSuch({ archive, name, version, suite }: Omit<UnpublishInput, 'who'>): AppError {
  const what = version === undefined ? name : `${name} ${version}`
  return new AppError('ERR_NOT_FOUND', {
    message: `${archive}${suite === undefined ? '' : ` ${suite}`} has no ${what}`,
    hint: `sluice archive packages ${archive}`,
  })
}

const NO_TEXT = Buffer.alloc(0)

/** The caller holds the archive's lock. */
async function takeOut(
  parts: LocalParts,
  archive: Archive,
  rows: readonly UploadRow[],
  { who, why }: Pick<UnpublishInput, 'who' | 'why'>,
): Promise<void> {
  const edits = new Map<string, LocalEdit[]>()
  for (const row of rows) {
    // A suite that the archive has no more has no state either.
    if (!archive.settings.suites.includes(row.suite)) continue
    const edit = { component: row.component, add: [], remove: [entryOf(row)] }
    edits.set(row.suite, [...(edits.get(row.suite) ?? []), edit])
  }
  const at = parts.clock.now()
  await changeLocal(parts, archive, edits, async (trx) => {
    await noteRemoved(trx, archive.id, rows, at)
    await putEnds(trx, archive.id, rows, undefined)
    const packages = rows.map((row) => `${placeKey(row)} ${row.sha256}`).slice(0, 20)
    await writeAudit(trx, {
      ...{ at, who, why, what: 'unpublish', object: `archive ${archive.name}` },
      detail: { packages, more: Math.max(0, rows.length - packages.length) },
    })
  })
}

/** As much of its stanza as it takes to find it. */
function entryOf(row: UploadRow): IndexEntry {
  const { name, version, architecture, source, sourceVersion } = row
  const kind = architecture === 'source' ? 'Sources' : 'Packages'
  return { kind, name, version, architecture, source, sourceVersion, files: [], text: NO_TEXT }
}
