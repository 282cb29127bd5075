/**
 * Publishing to local archives: what many upload at once becomes one new state and one transaction. Who is answered has his
 * package durably in the archive; channels follow later (server/upload-follow.ts).
 *
 * A name, version and architecture mean the same bytes for ever in one archive: the same ones again change nothing, others are
 * refused, also when the package was taken out since; what is revoked is refused for good.
 */
import { AppError } from '../base/errors.ts'
import { compareVersions } from '../debian/version.ts'
import { writeAudit } from '../store/audit.ts'
import type { ArchiveParts } from './archive-parts.ts'
import { type Archive, getArchive } from './archive-table.ts'
import { assertLocal, changeLocal, type LocalParts } from './change-local.ts'
import { entryKey } from './index-edit.ts'
import type { IndexEntry } from './index-parts.ts'
import type { LocalEdit } from './local-state.ts'
import { findUploads, listVersions, saveUploads, type UploadRow } from './upload-table.ts'

export interface Publication {
  readonly archive: string
  /** The archive's only one unless told. */
  readonly suite?: string | undefined
  /** The archive's first one unless told. */
  readonly component?: string | undefined
  /** Of packages whose files are in the store. */
  readonly entries: readonly IndexEntry[]
  readonly who: string
  readonly why?: string | undefined
}

/** What came of one package. */
export interface Published extends UploadRow {
  /** `unchanged`: it was there already. */
  readonly outcome: 'published' | 'unchanged'
}

export interface UploadQueue {
  /** Publishes all of it or nothing; `ERR_CONFLICT` for other bytes under a known version, `ERR_REFUSED` for what has no place. */
  publish(input: Publication): Promise<Published[]>
}

const MOST_TOGETHER = 200

interface Waiting {
  readonly input: Publication
  readonly done: PromiseWithResolvers<Published[]>
}

type QueueParts = LocalParts & Pick<ArchiveParts, 'archiveLock' | 'revocations'>

/** A queue in which nothing waits. */
export function createUploadQueue(parts: QueueParts): UploadQueue {
  const waiting = new Map<string, Waiting[]>()
  const next = (archive: string): void => {
    parts
      .archiveLock(archive)(async () => {
        const all = waiting.get(archive) ?? []
        waiting.delete(archive)
        for (let at = 0; at < all.length; at += MOST_TOGETHER)
          await publishTogether(parts, archive, all.slice(at, at + MOST_TOGETHER))
      })
      .catch(() => undefined)
  }
  return {
    publish: (input) => {
      const done = Promise.withResolvers<Published[]>()
      const before = waiting.get(input.archive)
      if (before !== undefined) before.push({ input, done })
      else {
        waiting.set(input.archive, [{ input, done }])
        next(input.archive)
      }
      return done.promise
    },
  }
}

async function publishTogether(
  parts: QueueParts,
  name: string,
  some: readonly Waiting[],
): Promise<void> {
  try {
    const archive = await getArchive(parts.db, name)
    assertLocal(archive)
    const taken: Taken[] = []
    for (const { input, done } of some) {
      try {
        taken.push({ ...(await admit(parts, archive, input, taken)), input, done })
      } catch (error) {
        done.reject(error)
      }
    }
    await write(parts, archive, taken)
    for (const { done, published } of taken) done.resolve([...published])
  } catch (error) {
    // Those that were answered already stay so.
    for (const { done } of some) done.reject(error)
  }
}

interface Admitted {
  readonly suite: string
  readonly edit: LocalEdit
  readonly published: readonly Published[]
}
type Taken = Admitted & Waiting

async function write(parts: QueueParts, archive: Archive, taken: readonly Taken[]): Promise<void> {
  const edits = new Map<string, LocalEdit[]>()
  for (const { suite, edit } of taken) {
    if (edit.add.length > 0) edits.set(suite, [...(edits.get(suite) ?? []), edit])
  }
  if (edits.size === 0) return
  await changeLocal(parts, archive, edits, async (trx) => {
    for (const { published, input, suite } of taken) {
      const rows = published.filter(({ outcome }) => outcome === 'published')
      if (rows.length === 0) continue
      await saveUploads(
        trx,
        archive.id,
        rows.map(({ outcome: _, ...row }) => row),
      )
      await writeAudit(trx, {
        at: parts.clock.now(),
        who: input.who,
        what: 'publish',
        object: `archive ${archive.name} suite ${suite}`,
        why: input.why,
        detail: { packages: rows.map((row) => `${entryKey(row)} ${row.sha256}`).slice(0, 20) },
      })
    }
  })
}

/** Whether the archive takes it, besides those that are taken already. */
export async function admit(
  parts: Pick<QueueParts, 'db' | 'clock' | 'revocations'>,
  archive: Archive,
  input: Publication,
  taken: readonly Admitted[] = [],
): Promise<Admitted> {
  const place = placeOf(archive, input)
  const known = [
    ...(await findUploads(parts.db, archive.id, input.entries)),
    ...taken.flatMap((one) => one.published),
  ]
  const published = input.entries.map((entry): Published => {
    const [file] = entry.files
    if (file === undefined)
      throw new AppError('ERR_INTERNAL', { message: 'a package without a file' })
    checkArchitecture(archive, entry)
    parts.revocations.refuse(entry)
    const same = known.filter((row) => entryKey(row) === entryKey(entry))
    const other = same.find(({ sha256 }) => sha256 !== file.sha256)
    if (other !== undefined) throw otherBytes(archive, entry, other)
    const isHere = same.some(
      ({ suite, component, removedAt }) =>
        suite === place.suite && component === place.component && removedAt === undefined,
    )
    const { name, version, architecture, source, sourceVersion } = entry
    return {
      ...{ name, version, architecture, source, sourceVersion, ...place },
      ...{ sha256: file.sha256, size: file.size, who: input.who, at: parts.clock.now() },
      outcome: isHere ? 'unchanged' : 'published',
    }
  })
  const add = input.entries.filter((_, at) => published[at]?.outcome === 'published')
  for (const entry of add) await refuseOlder(parts, archive, { ...entry, ...place })
  return { suite: place.suite, edit: { component: place.component, add, remove: [] }, published }
}

/** Refuses what would be taken out at once, since so many newer ones are there. */
async function refuseOlder(
  { db, revocations }: Pick<QueueParts, 'db' | 'revocations'>,
  { id, name: archive, settings }: Archive,
  entry: IndexEntry & { readonly suite: string; readonly component: string },
): Promise<void> {
  const { keepVersions = 0 } = settings
  if (keepVersions === 0) return
  const { name, version } = entry
  const newer = (await listVersions(db, id, entry)).filter(
    (row) => compareVersions(row.version, version) > 0 && revocations.of(row) === undefined,
  )
  if (newer.length < keepVersions) return
  throw new AppError('ERR_REFUSED', {
    message: `${archive} keeps the newest ${keepVersions} versions, and has so many newer ones than ${name} ${version}`,
    hint: `sluice archive set ${archive} --keep-versions ${keepVersions + 1}`,
  })
}

/** Where in the archive it goes; `ERR_USAGE` and `ERR_REFUSED` for what has no place. */
export function placeOf(
  { name, settings }: Archive,
  input: Pick<Publication, 'suite' | 'component'>,
): { readonly suite: string; readonly component: string } {
  const { suites, components } = settings
  const [only = '', ...more] = suites
  if (input.suite === undefined && more.length > 0) {
    throw new AppError('ERR_USAGE', {
      message: `${name} has the suites ${suites.join(', ')}: which one?`,
      hint: `--suite ${only}`,
    })
  }
  const place = { suite: input.suite ?? only, component: input.component ?? components[0] ?? '' }
  for (const [what, value, all] of [
    ['suite', place.suite, suites],
    ['component', place.component, components],
  ] as const) {
    if (all.includes(value)) continue
    throw new AppError('ERR_REFUSED', {
      message: `${name} has no ${what} ${value}, but ${all.join(', ')}`,
      hint: `sluice archive set ${name} --${what} ${[...all, value].join(' ')}`,
    })
  }
  return place
}

function checkArchitecture({ name, settings }: Archive, entry: IndexEntry): void {
  const all = [...settings.architectures, 'all', 'source']
  if (all.includes(entry.architecture)) return
  const own = settings.architectures
  throw new AppError('ERR_REFUSED', {
    message: `${entry.name} ${entry.version} is for ${entry.architecture}, and ${name} for ${own.join(', ')}`,
    hint: `sluice archive set ${name} --arch ${[...own, entry.architecture].join(' ')}`,
  })
}

function otherBytes(archive: Archive, entry: IndexEntry, before: UploadRow): AppError {
  const { name, version, architecture } = entry
  const what = architecture === 'source' ? 'source package' : `package for ${architecture}`
  const gone = before.removedAt === undefined ? '' : ', and taken out since'
  return new AppError('ERR_CONFLICT', {
    message: `${name} ${version} was published to ${archive.name} as another ${what}${gone} (SHA-256 ${before.sha256})`,
    hint: 'raise the version: machines that have the one would never get the other',
    details: { name, version, architecture, sha256: before.sha256 },
  })
}
