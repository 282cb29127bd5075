/**
 * The database's file: how much of it holds nothing, and how it is made smaller.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { blobMigrations, putRows } from '../../src/store/blobs.ts'
import {
  closeDatabase,
  fileBytes,
  giveBackPages,
  inTransaction,
  openDatabase,
  sql,
} from '../../src/store/database.ts'
import { testDir } from '../support/test-dir.ts'

t.test('pages that hold nothing are given back, and what is kept stays', async (t) => {
  const path = join(testDir(t), 'sluice.db')
  const db = await openDatabase(path, blobMigrations)
  const blobs = Array.from({ length: 400 }, (_, at) => Buffer.alloc(20_000, `blob ${at} `))
  const digests = await putRows(db, blobs)
  const full = await fileBytes(db)
  t.ok(full.whole > 8_000_000 && full.unused < 100_000)
  await inTransaction(db, async (trx) => {
    for (const digest of digests.slice(0, 300))
      await sql`DELETE FROM blob WHERE sha256 = unhex(${digest})`.execute(trx)
  })
  const emptied = await fileBytes(db)
  t.equal(emptied.whole, full.whole, 'nothing is given back by itself')
  t.ok(emptied.unused > 6_000_000)
  t.equal(await giveBackPages(db, 100), 100)
  // Somebody's transaction that is open meanwhile is his alone.
  const failing = inTransaction(db, async (trx) => {
    await sql`DELETE FROM blob`.execute(trx)
    throw new Error('taken back')
  })
  await Promise.all([t.rejects(failing), giveBackPages(db, 100_000)])
  const shrunk = await fileBytes(db)
  t.equal(shrunk.unused, 0)
  t.ok(shrunk.whole < full.whole / 3)
  await closeDatabase(db)
  t.equal(statSync(path).size, shrunk.whole)
  const again = new Database(path, { readonly: true })
  t.equal(again.pragma('integrity_check', { simple: true }), 'ok')
  t.equal(again.prepare('SELECT count(*) FROM blob').pluck().get(), 100)
  again.close()
})

t.test('a database that was made before pages could be given back is left as it is', async (t) => {
  const path = join(testDir(t), 'sluice.db')
  const old = new Database(path)
  old.exec('CREATE TABLE something (data BLOB)')
  old.prepare('INSERT INTO something VALUES (zeroblob(1000000))').run()
  old.exec('DELETE FROM something')
  old.close()
  const db = await openDatabase(path, blobMigrations)
  t.ok((await fileBytes(db)).unused > 900_000)
  t.equal(await giveBackPages(db, 1000), 0)
  await closeDatabase(db)
})
