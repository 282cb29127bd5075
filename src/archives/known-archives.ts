/**
 * All archives and their suites in memory, as they are in the database: requests ask for them, and none waits for a
 * query. What was read holds until one of the tables' owners has written (archive-table.ts, origins.ts tell `noteChange`
 * of each write, with the connection held): then it is read anew by who asks next.
 */
import type { Db } from '../store/database.ts'
import { type Archive, type ArchiveSuite, listArchives, listSuites } from './archive-table.ts'
import { type ChangeCount, countChanges } from './changes.ts'

/** Archives as they were at one time; never changed. */
export interface KnownArchives {
  /** By name. */
  readonly archives: readonly Archive[]
  /** Of one of `archives`, in the order of its settings. */
  readonly suites: ReadonlyMap<number, readonly ArchiveSuite[]>
  /** Whether that is what the database has still. */
  readonly holds: () => boolean
}

/** A reader of the archives of `db`, which asks it only after something was written. */
export function createArchiveReader(db: Db): () => Promise<KnownArchives> {
  let known: { changes: ChangeCount; archives: Promise<KnownArchives> } | undefined
  return () => {
    const changes = countChanges('archives')
    if (known?.changes !== changes) {
      const archives = readArchives(db, changes)
      known = { changes, archives }
      archives.catch(() => {
        if (known?.archives === archives) known = undefined
      })
    }
    return known.archives
  }
}

async function readArchives(db: Db, changes: ChangeCount): Promise<KnownArchives> {
  const archives = await listArchives(db)
  const suites = new Map<number, readonly ArchiveSuite[]>()
  for (const archive of archives) suites.set(archive.id, await listSuites(db, archive))
  return { archives, suites, holds: () => countChanges('archives') === changes }
}
