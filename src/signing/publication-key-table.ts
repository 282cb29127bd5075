/**
 * The keys of publications: owns the table `publication_key`.
 *
 * A publication has one key, `current`; while that is being replaced a `next` one beside it, and both sign. A `retired` key
 * signs no more and never comes back. The private part is elsewhere: a file (key-files.ts), or wherever `sign-command`
 * has it; the public part is here, since clients and old generations need it for longer.
 */
import { AppError } from '../base/errors.ts'
import type { Db, Migration } from '../store/database.ts'

/** For publication-table.ts: after its first migration, whose column `fingerprint` goes into this table. */
export const publicationKeyMigrations: readonly Migration[] = [
  {
    name: 'publication-keys-1',
    statements: [
      `CREATE TABLE publication_key (
        fingerprint TEXT PRIMARY KEY, publication_id INTEGER NOT NULL, state TEXT NOT NULL, source TEXT NOT NULL,
        public_key BLOB, made_at INTEGER NOT NULL, changed_at INTEGER NOT NULL
      ) WITHOUT ROWID`,
      `INSERT INTO publication_key (fingerprint, publication_id, state, source, made_at, changed_at)
        SELECT fingerprint, id, 'current', 'file', 0, 0 FROM publication`,
    ],
  },
]

export type KeyState = 'current' | 'next' | 'retired'
/** Who has the private part: the signing process, or the command of `sign-command`. */
export type KeySource = 'file' | 'command'

export interface PublicationKey {
  /** 40 upper-case hex digits. */
  readonly fingerprint: string
  readonly publicationId: number
  readonly state: KeyState
  readonly source: KeySource
  /** Its packets; absent only until a key of an older data directory is looked for. */
  readonly publicKey?: Buffer | undefined
  /** Epoch milliseconds; 0 as long as the public part is absent. */
  readonly madeAt: number
  /** When it got its state. */
  readonly changedAt: number
}

type KeyTables = {
  publication_key: {
    fingerprint: string
    publication_id: number
    state: string
    source: string
    public_key: Buffer | null
    made_at: number
    changed_at: number
  }
}

/** All keys, or those of one publication, oldest first. */
export async function listPublicationKeys(
  db: Db,
  publicationId?: number,
): Promise<PublicationKey[]> {
  const rows = await db
    .withTables<KeyTables>()
    .selectFrom('publication_key')
    .selectAll()
    .$if(publicationId !== undefined, (query) =>
      query.where('publication_id', '=', publicationId ?? 0),
    )
    .orderBy('made_at')
    .orderBy('fingerprint')
    .execute()
  return rows.map((row) => ({
    fingerprint: row.fingerprint,
    publicationId: row.publication_id,
    state: row.state as KeyState,
    source: row.source as KeySource,
    publicKey: row.public_key ?? undefined,
    madeAt: row.made_at,
    changedAt: row.changed_at,
  }))
}

/** The keys that sign: the current one, then the next one if there is one. */
export async function liveKeys(db: Db, publicationId: number): Promise<PublicationKey[]> {
  const keys = await listPublicationKeys(db, publicationId)
  return (['current', 'next'] as const).flatMap((state) =>
    keys.filter((key) => key.state === state),
  )
}

/** Adds a key; within the caller's transaction. `ERR_CONFIG` if a publication has it already. */
export async function insertPublicationKey(db: Db, key: PublicationKey): Promise<void> {
  const known = await listPublicationKeys(db)
  if (known.some(({ fingerprint }) => fingerprint === key.fingerprint)) {
    throw new AppError('ERR_CONFIG', {
      message: `key ${key.fingerprint} is in use already`,
      hint: 'each publication needs a key of its own: one channel’s Release must be worth nothing at another’s URL',
    })
  }
  await db
    .withTables<KeyTables>()
    .insertInto('publication_key')
    .values({
      fingerprint: key.fingerprint,
      publication_id: key.publicationId,
      state: key.state,
      source: key.source,
      public_key: key.publicKey ?? null,
      made_at: key.madeAt,
      changed_at: key.changedAt,
    })
    .execute()
}

/** Moves a key on; within the caller's transaction. */
export async function setKeyState(
  db: Db,
  fingerprint: string,
  state: KeyState,
  at: number,
): Promise<void> {
  await db
    .withTables<KeyTables>()
    .updateTable('publication_key')
    .set({ state, changed_at: at })
    .where('fingerprint', '=', fingerprint)
    .execute()
}

/** Adds the public part that an older data directory did not keep. */
export async function fillPublicKey(
  db: Db,
  fingerprint: string,
  { publicKey, madeAt }: { readonly publicKey: Buffer; readonly madeAt: number },
): Promise<void> {
  await db
    .withTables<KeyTables>()
    .updateTable('publication_key')
    .set({ public_key: publicKey, made_at: madeAt, changed_at: madeAt })
    .where('fingerprint', '=', fingerprint)
    .execute()
}
