/**
 * The audit's chain: whoever changes, removes or moves a row is found out, and the row is named. Rows are edited in the
 * file itself, by another connection, while no server has it open.
 */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { sha256Of } from '../../src/base/sha256.ts'
import {
  type AuditCheck,
  type AuditFilter,
  type AuditRow,
  auditMigrations,
  checkAudit,
  pagesOfAudit,
  readAudit,
  writeAudit,
} from '../../src/store/audit.ts'
import { closeDatabase, type Db, inTransaction, openDatabase } from '../../src/store/database.ts'
import { testDir } from '../support/test-dir.ts'

const whys = ['first', 'second', 'third', 'fourth', 'fifth']
const object = 'channel approved'

async function openAudit(t: Test, path: string): Promise<Db> {
  const db = await openDatabase(path, auditMigrations)
  t.teardown(() => closeDatabase(db))
  return db
}

/** A file with five rows, closed. */
async function makeAudit(t: Test): Promise<string> {
  const path = join(testDir(t), 'sluice.db')
  const db = await openDatabase(path, auditMigrations)
  for (const [at, why] of whys.entries()) {
    const entry = { at: 1000 + at, who: 'admin', what: 'promote', object, why }
    await writeAudit(db, at === 1 ? { ...entry, detail: { sources: ['hello'] } } : entry)
  }
  await closeDatabase(db)
  return path
}

function edit(path: string, statements: readonly string[]): void {
  const file = new Database(path)
  for (const statement of statements) file.exec(statement)
  file.close()
}

/** What is found after the edit, and still is after the server has gone on. */
async function checkEdited(t: Test, statements: readonly string[]): Promise<AuditCheck['problem']> {
  const path = await makeAudit(t)
  edit(path, statements)
  const db = await openAudit(t, path)
  const { problem } = await checkAudit(db)
  await writeAudit(db, { at: 3000, who: 'admin', what: 'rollback', object })
  const after = await checkAudit(db)
  t.ok(after.problem, 'rows that are written later hide nothing')
  return problem
}

t.test('tells who changed what, when and why, newest first', async (t) => {
  const db = await openAudit(t, await makeAudit(t))
  t.match(await checkAudit(db), { rows: 5, hash: /^[0-9a-f]{64}$/, problem: undefined })
  const rows = await readAudit(db, 4)
  t.same(
    rows.map((row) => row.why),
    ['fifth', 'fourth', 'third', 'second'],
  )
  t.match(rows[3], { id: 2, at: 1001, who: 'admin', detail: { sources: ['hello'] } })
})

interface Tampering {
  readonly title: string
  readonly statements: readonly string[]
  readonly id: number
  readonly message: RegExp
}

const shift = 'UPDATE audit SET id = id - 1 WHERE id >'
const tampering: readonly Tampering[] = [
  {
    title: 'a changed reason',
    statements: [`UPDATE audit SET why = 'other' WHERE id = 3`],
    ...{ id: 3, message: /row 3 was changed/ },
  },
  {
    title: 'a changed time of the first row',
    statements: ['UPDATE audit SET at = 1 WHERE id = 1'],
    ...{ id: 1, message: /row 1 was changed/ },
  },
  {
    title: 'a changed detail',
    statements: [`UPDATE audit SET detail = '{}' WHERE id = 2`],
    ...{ id: 2, message: /row 2 was changed/ },
  },
  {
    title: 'a reason taken away from the last row',
    statements: ['UPDATE audit SET why = NULL WHERE id = 5'],
    ...{ id: 5, message: /row 5 was changed/ },
  },
  {
    title: 'a removed row',
    statements: ['DELETE FROM audit WHERE id = 3'],
    ...{ id: 4, message: /row 4 follows row 2: row 3 is missing/ },
  },
  {
    title: 'a removed first row',
    statements: ['DELETE FROM audit WHERE id = 1'],
    ...{ id: 2, message: /row 2 follows the beginning: row 1 is missing/ },
  },
  {
    title: 'a removed last row',
    statements: ['DELETE FROM audit WHERE id = 5'],
    ...{ id: 5, message: /row 5, at the end, is missing/ },
  },
  {
    title: 'removed last rows',
    statements: ['DELETE FROM audit WHERE id > 2'],
    ...{ id: 3, message: /row 3 to 5, at the end, is missing/ },
  },
  {
    title: 'all rows removed',
    statements: ['DELETE FROM audit'],
    ...{ id: 1, message: /row 1 to 5, at the end, is missing/ },
  },
  {
    title: 'a removed row, with the gap closed',
    statements: ['DELETE FROM audit WHERE id = 3', `${shift} 3`],
    ...{ id: 3, message: /row 3 is not the one that was written after row 2/ },
  },
  {
    title: 'a removed first row, with the gap closed',
    statements: ['DELETE FROM audit WHERE id = 1', `${shift} 1`],
    ...{ id: 1, message: /row 1 is not the one that was written after the beginning/ },
  },
  {
    title: 'two rows in each other’s place',
    statements: [
      'UPDATE audit SET id = 100 WHERE id = 2',
      'UPDATE audit SET id = 2 WHERE id = 3',
      'UPDATE audit SET id = 3 WHERE id = 100',
    ],
    ...{ id: 2, message: /row 2 is not the one that was written after row 1/ },
  },
  {
    title: 'a row before the first one',
    statements: [
      'INSERT INTO audit SELECT 0, at, who, what, object, why, detail, before, hash FROM audit WHERE id = 1',
    ],
    ...{ id: 0, message: /row 0 stands before the first one/ },
  },
]

for (const { title, statements, id, message } of tampering) {
  t.test(`finds ${title}`, async (t) => {
    t.match(await checkEdited(t, statements), { id, message })
  })
}

/** A row with a hash of its own, as somebody makes it who knows how. */
function forged(path: string, id: number, why: string): string[] {
  const file = new Database(path, { readonly: true })
  const before: unknown = file.prepare('SELECT before FROM audit WHERE id = ?').pluck().get(id)
  file.close()
  const hash = sha256Of(
    JSON.stringify([id, 999 + id, 'admin', 'promote', object, why, null, before]),
  )
  return [`UPDATE audit SET why = '${why}', hash = '${hash}' WHERE id = ${id}`]
}

t.test('finds a row that was forged with a hash of its own', async (t) => {
  const path = await makeAudit(t)
  edit(path, forged(path, 3, 'other'))
  t.match(await checkAudit(await openAudit(t, path)), { rows: 3, problem: { id: 4 } })
})

t.test('finds a forged last row, and one that was added', async (t) => {
  const path = await makeAudit(t)
  edit(path, forged(path, 5, 'other'))
  const db = await openAudit(t, path)
  t.match((await checkAudit(db)).problem, { id: 5, message: /not the one written last/ })

  const other = await makeAudit(t)
  edit(other, [
    'INSERT INTO audit SELECT 6, at, who, what, object, why, detail, hash, 0 FROM audit WHERE id = 5',
  ])
  edit(other, forged(other, 6, 'more'))
  const second = await openAudit(t, other)
  t.match((await checkAudit(second)).problem, { id: 6 })
})

t.test('finds that the record of the end is gone', async (t) => {
  t.match(await checkEdited(t, ['DELETE FROM audit_end']), { message: /record of the last row/ })
})

t.test('a change that does not happen leaves no row, and no gap', async (t) => {
  const db = await openAudit(t, await makeAudit(t))
  const entry = { at: 2000, who: 'admin', what: 'rollback', object }
  const broken = inTransaction(db, async (trx) => {
    await writeAudit(trx, entry)
    throw new Error('power cut')
  })
  await t.rejects(broken, { message: 'power cut' })
  await Promise.all(
    Array.from({ length: 20 }, () => inTransaction(db, (trx) => writeAudit(trx, entry))),
  )
  t.equal((await readAudit(db, 100)).length, whys.length + 20)
  t.match(await checkAudit(db), { rows: whys.length + 20, problem: undefined })
})

t.test('rows written before the end was kept are taken over, with their end', async (t) => {
  const path = await makeAudit(t)
  edit(path, ['DROP TABLE audit_end', `DELETE FROM migration WHERE name = 'store-audit-2'`])
  const db = await openAudit(t, path)
  t.match(await checkAudit(db), { rows: 5, problem: undefined })
  await writeAudit(db, { at: 3000, who: 'admin', what: 'rollback', object })
  t.match(await checkAudit(db), { rows: 6, problem: undefined })
})

t.test('rows are found by time, token, what was done, and what it was done to', async (t) => {
  const db = await openAudit(t, join(testDir(t), 'sluice.db'))
  const objects = ['channel a', 'channel a generation 7', 'channel ab', 'archive a', '100%']
  const whats = ['promote', 'channel create', 'channel set', 'channels']
  // More rows than are looked at between two breaths.
  await inTransaction(db, async (trx) => {
    for (let at = 0; at < 1300; at++) {
      const who = at === 3 ? 'rare' : 'admin'
      const [what = '', about = ''] = [whats[at % 4], objects[at % 5]]
      await writeAudit(trx, { at, who, what, object: about })
    }
  })
  const found = async (filter: AuditFilter): Promise<AuditRow[]> => {
    const rows: AuditRow[] = []
    for await (const page of pagesOfAudit(db, filter)) rows.push(...page)
    return rows
  }
  const times = async (filter: AuditFilter): Promise<number[]> =>
    (await found(filter)).map((row) => row.at)
  t.same(await times({ who: 'rare' }), [3])
  t.same(await times({ since: 1298 }), [1299, 1298])
  t.same(await times({ until: 2 }), [1, 0])
  t.same(await times({ since: 5, until: 7 }), [6, 5])
  t.equal((await found({})).length, 1300)
  const named = async (filter: AuditFilter, name: 'what' | 'object'): Promise<string[]> =>
    [...new Set((await found(filter)).map((row) => row[name]))].sort()
  t.same(await named({ object: 'channel a' }, 'object'), ['channel a', 'channel a generation 7'])
  t.same(await named({ object: '100%' }, 'object'), ['100%'])
  t.same(await named({ what: 'channel' }, 'what'), ['channel create', 'channel set'])
  t.same(await named({ what: 'channel set', object: 'archive a' }, 'what'), ['channel set'])
  t.same(await found({ what: 'promote', who: 'nobody' }), [])
  t.same(
    (await readAudit(db, 2, { what: 'promote' })).map((row) => row.at),
    [1296, 1292],
  )
})
