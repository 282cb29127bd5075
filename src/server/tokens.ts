/**
 * Who may use the API: owns the table `token`. A token is 256 random bits; only its SHA-256 is kept. One may be good for nothing
 * but uploads to some archives; where these take only what their uploaders signed, it may do without if that was said.
 *
 * The first one, `admin`, is made at the first start and written to the file `token` of the data directory (0600).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { writeSecret } from '../base/durable-file.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { writeAudit } from '../store/audit.ts'
import { type Db, inTransaction, type Migration } from '../store/database.ts'

export const tokenMigrations: readonly Migration[] = [
  {
    name: 'server-tokens-1',
    statements: [
      'CREATE TABLE token (name TEXT PRIMARY KEY, hash BLOB NOT NULL, made_at INTEGER NOT NULL)',
    ],
  },
  { name: 'server-tokens-2', statements: ['ALTER TABLE token ADD COLUMN uploads TEXT'] },
  {
    name: 'server-tokens-3',
    statements: ['ALTER TABLE token ADD COLUMN direct INTEGER NOT NULL DEFAULT 0'],
  },
]

type TokenTables = {
  token: { name: string; hash: Buffer; made_at: number; uploads: string | null; direct: number }
}

/** Who has it, and what it is good for. */
export interface Token {
  readonly name: string
  /** Archives to which it may upload, and nothing else; it may everything unless told. */
  readonly uploads?: readonly string[] | undefined
  /** Its uploads need no signature, whatever the archive asks of others. */
  readonly direct?: boolean | undefined
}

export interface TokenInfo extends Token {
  /** Epoch milliseconds. */
  readonly madeAt: number
}

/** Names of all tokens. */
export async function listTokens(db: Db): Promise<TokenInfo[]> {
  const rows = await db
    .withTables<TokenTables>()
    .selectFrom('token')
    .selectAll()
    .orderBy('name')
    .execute()
  return rows.map((row) => ({ ...toToken(row), madeAt: row.made_at }))
}

/** Makes a token of this name and says it, this once; within the caller's transaction. */
export async function createToken(
  db: Db,
  {
    name,
    uploads,
    direct = false,
    who,
    madeAt,
  }: Token & { readonly who: string; readonly madeAt: number },
): Promise<string> {
  if (!/^[a-z0-9][a-z0-9.@_-]{0,62}$/.test(name)) {
    throw new AppError('ERR_USAGE', {
      message: `a token cannot be called ${JSON.stringify(name)}`,
      hint: 'lower-case letters, digits and . @ _ -',
    })
  }
  if (direct && uploads === undefined) {
    const message = 'a token that is for everything needs no right to publish without a signature'
    throw new AppError('ERR_USAGE', { message, hint: '--upload ARCHIVE --direct' })
  }
  const tables = db.withTables<TokenTables>()
  const taken = await tables.selectFrom('token').select('name').where('name', '=', name).execute()
  if (taken.length > 0) {
    throw new AppError('ERR_CONFLICT', {
      message: `there is a token ${name} already`,
      hint: `sluice token revoke ${name}`,
    })
  }
  const token = randomBytes(32).toString('base64url')
  await tables
    .insertInto('token')
    .values({
      ...{ name, hash: hashOf(token), made_at: madeAt },
      uploads: uploads === undefined ? null : JSON.stringify(uploads),
      direct: direct ? 1 : 0,
    })
    .execute()
  const detail = uploads === undefined ? {} : { detail: { uploads, direct } }
  await writeAudit(db, {
    at: madeAt,
    who,
    what: 'token create',
    object: `token ${name}`,
    ...detail,
  })
  crashPoint('token: before the commit')
  return token
}

/** Ends a token, within the caller's transaction; `ERR_NOT_FOUND` if there is none of this name. */
export async function revokeToken(
  db: Db,
  { name, who, at }: { readonly name: string; readonly who: string; readonly at: number },
): Promise<void> {
  const gone = await db
    .withTables<TokenTables>()
    .deleteFrom('token')
    .where('name', '=', name)
    .executeTakeFirst()
  if (gone.numDeletedRows === 0n) {
    throw new AppError('ERR_NOT_FOUND', {
      message: `there is no token ${name}`,
      hint: 'sluice token list',
    })
  }
  await writeAudit(db, { at, who, what: 'token revoke', object: `token ${name}` })
}

/** The token in an Authorization header, or the password there; undefined if it is none of ours. */
export async function findToken(
  db: Db,
  authorization: string | undefined,
): Promise<Token | undefined> {
  const [, kind, value = ''] =
    /^(Bearer|Basic) ([A-Za-z0-9+/=_-]{20,300})$/.exec(authorization ?? '') ?? []
  const token =
    kind === 'Basic'
      ? Buffer.from(value, 'base64')
          .toString()
          .replace(/^[^:]*:/, '')
      : value
  if (!/^[A-Za-z0-9_-]{20,100}$/.test(token)) return undefined
  const hash = hashOf(token)
  let found: Token | undefined
  // All are compared, whichever fits: the time taken tells nothing.
  for (const row of await db.withTables<TokenTables>().selectFrom('token').selectAll().execute()) {
    if (timingSafeEqual(row.hash, hash)) found = toToken(row)
  }
  return found
}

function toToken({ name, uploads, direct }: TokenTables['token']): Token {
  return uploads === null
    ? { name }
    : { name, uploads: JSON.parse(uploads), ...(direct === 0 ? {} : { direct: true }) }
}

/** Makes the admin's token and its file if the file is not there; says whether it did. */
export async function ensureAdminToken(db: Db, path: string, now: number): Promise<boolean> {
  try {
    if ((await readFile(path, 'utf8')).trim() !== '') return false
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
  const token = await inTransaction(db, async (trx) => {
    await trx.withTables<TokenTables>().deleteFrom('token').where('name', '=', 'admin').execute()
    return createToken(trx, { name: 'admin', who: 'system', madeAt: now })
  })
  crashPoint('token: row written, no file')
  await writeSecret(path, `${token}\n`)
  return true
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
