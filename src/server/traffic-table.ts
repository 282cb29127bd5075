/**
 * What was sent and fetched on each day for each archive: owns the table `traffic`.
 *
 * Days are those of the machine's time zone. The last 35 have rows of their own; what is older is added up in one row for
 * each archive, whose day is ''. So there are never more than some tens of rows for an archive.
 */
import { type Db, inTransaction, type Migration, sql } from '../store/database.ts'

export const trafficMigrations: readonly Migration[] = [
  {
    name: 'server-traffic-1',
    statements: [
      `CREATE TABLE traffic (
        day TEXT NOT NULL, archive TEXT NOT NULL, hits INTEGER NOT NULL, misses INTEGER NOT NULL,
        passes INTEGER NOT NULL, hit_bytes INTEGER NOT NULL, miss_bytes INTEGER NOT NULL,
        pass_bytes INTEGER NOT NULL, fetched_bytes INTEGER NOT NULL, PRIMARY KEY (day, archive)
      ) WITHOUT ROWID`,
    ],
  },
]

/** What clients were sent and what was fetched for it. */
export interface Amounts {
  hits: number
  misses: number
  passes: number
  /** Of bodies that were sent. */
  hitBytes: number
  missBytes: number
  passBytes: number
  /** That upstream sent. */
  fetchedBytes: number
}

/** Amounts of an archive; '' is what belongs to none. */
export interface ArchiveAmounts extends Amounts {
  readonly archive: string
}

/** Nothing yet. */
export function noAmounts(): Amounts {
  return {
    hits: 0,
    misses: 0,
    passes: 0,
    hitBytes: 0,
    missBytes: 0,
    passBytes: 0,
    fetchedBytes: 0,
  }
}

/** Adds what came on this day (`2026-11-21`), and adds up what is older than `oldest`. */
export async function addTraffic(
  db: Db,
  day: string,
  oldest: string,
  some: readonly ArchiveAmounts[],
): Promise<void> {
  const rows = some.map((one) => [one.archive, ...figuresOf(one)])
  await inTransaction(db, async (trx) => {
    await sql`INSERT INTO traffic
      SELECT ${day}, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
        value ->> 7
      FROM json_each(${JSON.stringify(rows)}) WHERE true ${added}`.execute(trx)
    const old = sql`day <> '' AND day < ${oldest}`
    await sql`INSERT INTO traffic SELECT '', archive, ${sums} FROM traffic WHERE ${old} GROUP BY archive ${added}`.execute(
      trx,
    )
    await sql`DELETE FROM traffic WHERE ${old}`.execute(trx)
  })
}

/** What came since this day, by archive; since ever without one. */
export async function sumTraffic(db: Db, since: string): Promise<ArchiveAmounts[]> {
  const { rows } =
    await sql<ArchiveAmounts>`SELECT archive, sum(hits) AS hits, sum(misses) AS misses,
      sum(passes) AS passes, sum(hit_bytes) AS "hitBytes", sum(miss_bytes) AS "missBytes",
      sum(pass_bytes) AS "passBytes", sum(fetched_bytes) AS "fetchedBytes"
    FROM traffic WHERE day >= ${since} GROUP BY archive ORDER BY archive`.execute(db)
  return rows
}

const added = sql`ON CONFLICT DO UPDATE SET hits = hits + excluded.hits, misses = misses + excluded.misses,
  passes = passes + excluded.passes, hit_bytes = hit_bytes + excluded.hit_bytes,
  miss_bytes = miss_bytes + excluded.miss_bytes, pass_bytes = pass_bytes + excluded.pass_bytes,
  fetched_bytes = fetched_bytes + excluded.fetched_bytes`

const sums = sql`sum(hits), sum(misses), sum(passes), sum(hit_bytes), sum(miss_bytes), sum(pass_bytes),
  sum(fetched_bytes)`

function figuresOf(one: Amounts): number[] {
  return [
    one.hits,
    one.misses,
    one.passes,
    one.hitBytes,
    one.missBytes,
    one.passBytes,
    one.fetchedBytes,
  ]
}
