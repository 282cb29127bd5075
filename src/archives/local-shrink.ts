/**
 * What a local archive has in a suite, component or architecture that its settings are to name no more. Such settings are
 * refused: nobody else has those packages, and they would be gone from all that follows without having been taken out.
 */
import { AppError } from '../base/errors.ts'
import type { Db } from '../store/database.ts'
import type { Archive, ArchiveSettings } from './archive-table.ts'
import { normalizeSuite } from './suite-place.ts'
import { listUploads } from './upload-table.ts'

type Key = 'suites' | 'components' | 'architectures'

export interface Shrinkage {
  /** Which setting, and what of it goes. */
  readonly key: Key
  readonly value: string
  /** Name of one of its packages. */
  readonly example: string
  readonly message: string
}

/** What stands in the way of these settings; nothing for archives of others. */
export async function findShrinkage(
  db: Db,
  { id, name, settings }: Archive,
  next: Pick<ArchiveSettings, Key>,
): Promise<Shrinkage[]> {
  if (settings.kind !== 'local') return []
  const suites = next.suites.map(normalizeSuite)
  const gone = {
    suites: settings.suites.filter((one) => !suites.includes(one)),
    components: settings.components.filter((one) => !next.components.includes(one)),
    architectures: settings.architectures.filter((one) => !next.architectures.includes(one)),
  }
  if (Object.values(gone).every((some) => some.length === 0)) return []
  const rows = await listUploads(db, id)
  const found: Shrinkage[] = []
  for (const [key, field] of [
    ['suites', 'suite'],
    ['components', 'component'],
    ['architectures', 'architecture'],
  ] as const) {
    for (const value of gone[key]) {
      const [first, ...more] = rows.filter((row) => row[field] === value)
      if (first === undefined) continue
      const others = more.length === 0 ? '' : ` and ${more.length} more`
      const message = `${field} ${value} of ${name} still has ${first.name} ${first.version}${others}`
      found.push({ key, value, example: first.name, message })
    }
  }
  return found
}

/** Throws `ERR_REFUSED` if packages stand in the way. */
export async function refuseShrinkage(
  db: Db,
  archive: Archive,
  next: Pick<ArchiveSettings, Key>,
): Promise<void> {
  const [first] = await findShrinkage(db, archive, next)
  if (first === undefined) return
  throw new AppError('ERR_REFUSED', {
    message: first.message,
    hint: `take out what is there first: sluice unpublish ${first.example} --from ${archive.name}`,
  })
}
