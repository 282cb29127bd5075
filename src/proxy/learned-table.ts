/**
 * Suites of archives that nobody told this server of, learned from what machines asked for: owns the table
 * `learned_suite`. They are none of the archives that channels follow, and never become one by themselves.
 */
import type { Sha256 } from '../base/sha256.ts'
import type { Db, Migration } from '../store/database.ts'

export const learnedMigrations: readonly Migration[] = [
  {
    name: 'proxy-learned-1',
    statements: [
      `CREATE TABLE learned_suite (
        id INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, base TEXT NOT NULL, suite TEXT NOT NULL,
        used_at INTEGER NOT NULL, facts TEXT NOT NULL, UNIQUE (origin, base, suite)
      )`,
    ],
  },
]

/** Where a suite is. */
export interface SuitePlace {
  /** `http://deb.archive.example`, with the port where it is another than the scheme's. */
  readonly origin: string
  /** Path of the archive's root, decoded, without slashes at its ends; empty for the host's own. */
  readonly base: string
  /** Below `dists/`; empty for an archive without, whose Release is in its root. */
  readonly suite: string
}

/** What upstream had at one time, by the word of one Release. */
export interface LearnedState {
  /** Blobs. */
  readonly inRelease?: Sha256 | undefined
  readonly release?: Sha256 | undefined
  readonly releaseGpg?: Sha256 | undefined
  /** Epoch seconds. */
  readonly date?: number | undefined
  readonly validUntil?: number | undefined
  /** As upstream wrote them. */
  readonly lastModified?: string | undefined
  readonly etag?: string | undefined
  /** Whether indexes can be had by their digests. */
  readonly isByHash: boolean
  /** Fingerprints of the keys of `learn-keyrings` that signed it; empty if it was taken for its digests alone. */
  readonly signers: readonly string[]
  /** Epoch seconds: Last-Modified of what is called by name; later than that of every state before. */
  readonly modifiedAt: number
  /** Index files that are blobs: path below the suite -> digest. */
  readonly files: Readonly<Record<string, Sha256>>
  /** Tables of what those of them name (path-table.ts): digest of the index -> digest of the table. */
  readonly tables: Readonly<Record<string, Sha256>>
}

/** What does not help to find it. */
export interface LearnedFacts {
  /** Newest first. */
  readonly states: readonly LearnedState[]
  /** Which index files clients asked for, and on which day the last of them: days since 1970. */
  readonly asked: Readonly<Record<string, number>>
  /** Epoch milliseconds. */
  readonly checkedAt: number
  readonly changedAt: number
  /** What is wrong since when. */
  readonly problem?:
    | { readonly code: string; readonly message: string; readonly since: number }
    | undefined
}

export interface LearnedSuite extends SuitePlace, LearnedFacts {
  readonly id: number
  /** Epoch milliseconds. */
  readonly usedAt: number
}

type LearnedTables = {
  learned_suite: {
    id: number
    origin: string
    base: string
    suite: string
    used_at: number
    facts: string
  }
}

/** What names a state. */
export function stateKey({ inRelease, release }: LearnedState): Sha256 | undefined {
  return inRelease ?? release
}

/** All of them. */
export async function listLearned(db: Db): Promise<LearnedSuite[]> {
  const rows = await db
    .withTables<LearnedTables>()
    .selectFrom('learned_suite')
    .selectAll()
    .orderBy('origin')
    .orderBy('base')
    .orderBy('suite')
    .execute()
  return rows.map((row) => {
    const facts: LearnedFacts = JSON.parse(row.facts)
    const { id, origin, base, suite, used_at: usedAt } = row
    return { ...facts, id, origin, base, suite, usedAt }
  })
}

/** Writes a suite; within the caller's transaction. */
export async function saveLearned(db: Db, one: Omit<LearnedSuite, 'id'>): Promise<number> {
  const { origin, base, suite, usedAt, states, asked, checkedAt, changedAt, problem } = one
  const facts: LearnedFacts = { states, asked, checkedAt, changedAt, problem }
  const row = { origin, base, suite, used_at: usedAt, facts: JSON.stringify(facts) }
  const { id } = await db
    .withTables<LearnedTables>()
    .insertInto('learned_suite')
    .values(row as LearnedTables['learned_suite'])
    .onConflict((on) => on.columns(['origin', 'base', 'suite']).doUpdateSet(row))
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

/** Forgets suites; their blobs go with the next collections. */
export async function deleteLearned(db: Db, ids: readonly number[]): Promise<void> {
  await db.withTables<LearnedTables>().deleteFrom('learned_suite').where('id', 'in', ids).execute()
}
