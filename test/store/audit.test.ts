/**
 * The audit's chain: whoever changes, removes or moves a row is found out.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sha256Of } from '../../src/base/sha256.ts'
import { auditMigrations, findAuditBreak, readAudit, writeAudit } from '../../src/store/audit.ts'
import {
  closeDatabase,
  type Db,
  inTransaction,
  openDatabase,
  sql,
} from '../../src/store/database.ts'

const whys = ['first', 'second', 'third', 'fourth', 'fifth']

async function openAudit(t: Test): Promise<Db> {
  const db = await openDatabase(join(t.testdir(), 'sluice.db'), auditMigrations)
  t.teardown(() => closeDatabase(db))
  for (const [at, why] of whys.entries()) {
    const entry = { at: 1000 + at, who: 'admin', what: 'promote', object: 'channel approved', why }
    await writeAudit(db, at === 1 ? { ...entry, detail: { sources: ['hello'] } } : entry)
  }
  return db
}

t.test('tells who changed what, when and why, newest first', async (t) => {
  const db = await openAudit(t)
  t.equal(await findAuditBreak(db), undefined)
  const rows = await readAudit(db, 4)
  t.same(
    rows.map((row) => row.why),
    ['fifth', 'fourth', 'third', 'second'],
  )
  t.match(rows[3], { id: 2, at: 1001, who: 'admin', detail: { sources: ['hello'] } })
})

const tampering: readonly { title: string; statements: readonly string[]; broken: number }[] = [
  {
    title: 'a changed reason',
    statements: [`UPDATE audit SET why = 'other' WHERE id = 3`],
    broken: 3,
  },
  { title: 'a changed time', statements: ['UPDATE audit SET at = 1 WHERE id = 1'], broken: 1 },
  {
    title: 'a changed detail',
    statements: [`UPDATE audit SET detail = '{}' WHERE id = 2`],
    broken: 2,
  },
  {
    title: 'a reason taken away',
    statements: ['UPDATE audit SET why = NULL WHERE id = 5'],
    broken: 5,
  },
  { title: 'a removed row', statements: ['DELETE FROM audit WHERE id = 3'], broken: 4 },
  { title: 'a removed first row', statements: ['DELETE FROM audit WHERE id = 1'], broken: 2 },
  {
    title: 'a removed row, with the gap closed',
    statements: ['DELETE FROM audit WHERE id = 3', 'UPDATE audit SET id = id - 1 WHERE id > 3'],
    broken: 3,
  },
  {
    title: 'two rows in each other’s place',
    statements: [
      'UPDATE audit SET id = 100 WHERE id = 2',
      'UPDATE audit SET id = 2 WHERE id = 3',
      'UPDATE audit SET id = 3 WHERE id = 100',
    ],
    broken: 2,
  },
]

for (const { title, statements, broken } of tampering) {
  t.test(`finds ${title}`, async (t) => {
    const db = await openAudit(t)
    for (const statement of statements) await sql.raw(statement).execute(db)
    t.equal(await findAuditBreak(db), broken)
  })
}

t.test('finds a row that was forged with a hash of its own', async (t) => {
  const db = await openAudit(t)
  const { rows } = await sql<{ before: string }>`SELECT before FROM audit WHERE id = 3`.execute(db)
  const forged = [3, 1002, 'mallory', 'promote', 'channel approved', 'third', null, rows[0]?.before]
  const hash = sha256Of(JSON.stringify(forged))
  await sql`UPDATE audit SET who = 'mallory', hash = ${hash} WHERE id = 3`.execute(db)
  t.equal(await findAuditBreak(db), 4, 'the next row does not follow it')
})

t.test('a change that does not happen leaves no row, and no gap', async (t) => {
  const db = await openAudit(t)
  const entry = { at: 2000, who: 'admin', what: 'rollback', object: 'channel approved' }
  const broken = inTransaction(db, async (trx) => {
    await writeAudit(trx, entry)
    throw new Error('power cut')
  })
  await t.rejects(broken, { message: 'power cut' })
  await Promise.all(
    Array.from({ length: 20 }, () => inTransaction(db, (trx) => writeAudit(trx, entry))),
  )
  t.equal((await readAudit(db, 100)).length, whys.length + 20)
  t.equal(await findAuditBreak(db), undefined)
})
