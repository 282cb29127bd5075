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
  /** Whether it has still these archives, whatever became of their suites. */
  readonly holdsArchives: () => boolean
}

/** A reader of the archives of `db`, which asks it only after something was written. */
export function createArchiveReader(db: Db): () => Promise<KnownArchives> {
  let known: { changes: Changes; archives: Promise<KnownArchives> } | undefined
  return () => {
    const changes = countNow()
    if (known === undefined || !isSame(known.changes, changes)) {
      const archives = readArchives(db, changes)
      known = { changes, archives }
      archives.catch(() => {
        if (known?.archives === archives) known = undefined
      })
    }
    return known.archives
  }
}

type Changes = Readonly<Record<'archives' | 'suites', ChangeCount>>

function countNow(): Changes {
  return { archives: countChanges('archives'), suites: countChanges('suites') }
}

function isSame(one: Changes, other: Changes): boolean {
  return one.archives === other.archives && one.suites === other.suites
}

async function readArchives(db: Db, changes: Changes): Promise<KnownArchives> {
  const archives = await listArchives(db)
  const suites = new Map<number, readonly ArchiveSuite[]>()
  for (const archive of archives) suites.set(archive.id, await listSuites(db, archive))
  return {
    archives,
    suites,
    holds: () => isSame(countNow(), changes),
    holdsArchives: () => countChanges('archives') === changes.archives,
  }
}
