/**
 * Digests: owns the table `digest`. What is told, to whom and when, and how far that went.
 *
 * `done_until` is the last due time that was dealt with: what comes due later is to be sent, whatever was missed
 * meanwhile as one. `told_until` is how far the last digest that was taken told what went: where one cannot be sent, the
 * next tells it too. Channels are kept by id, so that they may be renamed.
 */
import { AppError } from '../base/errors.ts'
import type { Db, Migration } from '../store/database.ts'
import type { Timetable } from './timetable.ts'

export const digestMigrations: readonly Migration[] = [
  {
    name: 'desk-digests-1',
    statements: [
      `CREATE TABLE digest (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
        from_id INTEGER NOT NULL, to_id INTEGER NOT NULL, recipients TEXT NOT NULL, webhook TEXT,
        schedule TEXT NOT NULL, time_zone TEXT NOT NULL, always INTEGER NOT NULL, enabled INTEGER NOT NULL,
        made_at INTEGER NOT NULL, done_until INTEGER NOT NULL, told_until INTEGER NOT NULL,
        sent_at INTEGER, trouble TEXT
      )`,
    ],
  },
]

/** Where a digest goes: to these addresses, or as JSON to this URL, which may have a secret in it. */
export type DigestTarget =
  | { readonly kind: 'mail'; readonly recipients: readonly string[] }
  | { readonly kind: 'webhook'; readonly url: string }

export interface DigestSettings extends Timetable {
  readonly name: string
  /** Ids of the channels: what the first has and the second has not waits; what came to the second went. */
  readonly fromId: number
  readonly toId: number
  readonly target: DigestTarget
  /** Also where there is nothing to tell. */
  readonly isAlways: boolean
  readonly isEnabled: boolean
}

/** Why the last one was not sent, or not to all. */
export interface DigestTrouble {
  readonly code: string
  readonly message: string
  readonly hint?: string | undefined
  /** Epoch milliseconds of the first failure. */
  readonly since: number
  /** The due time that it is about; how often it was tried, and when it will be again, if it will. */
  readonly due: number
  readonly tries: number
  readonly retryAt?: number | undefined
  /** The mail server took it for some of the recipients. */
  readonly isPartly?: boolean | undefined
}

export interface Digest extends DigestSettings {
  readonly id: number
  /** Epoch milliseconds, all of them. */
  readonly madeAt: number
  readonly doneUntil: number
  readonly toldUntil: number
  readonly sentAt?: number | undefined
  readonly trouble?: DigestTrouble | undefined
}

type DigestRow = {
  id: number
  name: string
  from_id: number
  to_id: number
  recipients: string
  webhook: string | null
  schedule: string
  time_zone: string
  always: number
  enabled: number
  made_at: number
  done_until: number
  told_until: number
  sent_at: number | null
  trouble: string | null
}
type DigestTables = { digest: DigestRow }

/** All digests, by name. */
export async function listDigests(db: Db): Promise<Digest[]> {
  const rows = await db
    .withTables<DigestTables>()
    .selectFrom('digest')
    .selectAll()
    .orderBy('name')
    .execute()
  return rows.map(toDigest)
}

/** The digest of this name, if there is one. */
export async function findDigest(db: Db, name: string): Promise<Digest | undefined> {
  const row = await db
    .withTables<DigestTables>()
    .selectFrom('digest')
    .selectAll()
    .where('name', '=', name)
    .executeTakeFirst()
  return row && toDigest(row)
}

/** The digest of this name; `ERR_NOT_FOUND` if there is none. */
export async function getDigest(db: Db, name: string): Promise<Digest> {
  const found = await findDigest(db, name)
  if (found !== undefined) return found
  throw new AppError('ERR_NOT_FOUND', {
    message: `there is no digest ${name}`,
    hint: 'sluice digest list',
  })
}

/** Adds a digest, within the caller's transaction; its name must be free. */
export async function insertDigest(
  db: Db,
  settings: DigestSettings,
  times: Pick<Digest, 'madeAt' | 'doneUntil' | 'toldUntil'>,
): Promise<void> {
  const { madeAt, doneUntil, toldUntil } = times
  await db
    .withTables<DigestTables>()
    .insertInto('digest')
    .values({
      ...columnsOf(settings),
      made_at: madeAt,
      done_until: doneUntil,
      told_until: toldUntil,
    } as DigestRow)
    .execute()
}

/** Changes a digest's settings, and when its times begin to count; within the caller's transaction. */
export async function updateDigest(
  db: Db,
  id: number,
  settings: DigestSettings,
  doneUntil: number,
): Promise<void> {
  await db
    .withTables<DigestTables>()
    .updateTable('digest')
    .set({ ...columnsOf(settings), done_until: doneUntil, trouble: null })
    .where('id', '=', id)
    .execute()
}

/** Notes how far a digest went; what is not named stays. */
export async function noteProgress(
  db: Db,
  id: number,
  { doneUntil, toldUntil, sentAt, trouble }: Partial<Digest>,
): Promise<void> {
  await db
    .withTables<DigestTables>()
    .updateTable('digest')
    .set({
      ...(doneUntil === undefined ? {} : { done_until: doneUntil }),
      ...(toldUntil === undefined ? {} : { told_until: toldUntil }),
      ...(sentAt === undefined ? {} : { sent_at: sentAt }),
      trouble: trouble === undefined ? null : JSON.stringify(trouble),
    })
    .where('id', '=', id)
    .execute()
}

/** Removes a digest; within the caller's transaction. */
export async function deleteDigestRow(db: Db, id: number): Promise<void> {
  await db.withTables<DigestTables>().deleteFrom('digest').where('id', '=', id).execute()
}

function columnsOf(settings: DigestSettings): Partial<DigestRow> {
  const { target } = settings
  return {
    name: settings.name,
    from_id: settings.fromId,
    to_id: settings.toId,
    recipients: JSON.stringify(target.kind === 'mail' ? target.recipients : []),
    webhook: target.kind === 'webhook' ? target.url : null,
    schedule: settings.schedule,
    time_zone: settings.timeZone,
    always: Number(settings.isAlways),
    enabled: Number(settings.isEnabled),
  }
}

function toDigest(row: DigestRow): Digest {
  const recipients: string[] = JSON.parse(row.recipients)
  return {
    id: row.id,
    name: row.name,
    fromId: row.from_id,
    toId: row.to_id,
    target:
      row.webhook === null ? { kind: 'mail', recipients } : { kind: 'webhook', url: row.webhook },
    schedule: row.schedule,
    timeZone: row.time_zone,
    isAlways: row.always === 1,
    isEnabled: row.enabled === 1,
    madeAt: row.made_at,
    doneUntil: row.done_until,
    toldUntil: row.told_until,
    sentAt: row.sent_at ?? undefined,
    trouble: row.trouble === null ? undefined : JSON.parse(row.trouble),
  }
}
