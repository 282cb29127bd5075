/**
 * What `sluice verify` tells of a store in which something was damaged by hand.
 */
import { cp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })

/** The data of a server with two generations of approved and one .deb, all well. */
const whole = join(testDir(t), 'whole')

t.test('a store that is whole is well', async (t) => {
  const { sluice, publish, machine } = await makeWorld(t, [hello('1')])
  await publish([hello('2')])
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello')), clean)
  t.match(await sluice.api('POST', '/verify', {}), { generations: 4, chunks: 2, problems: [] })
  t.match(await sluice.api('POST', '/verify', { deep: true }), { problems: [] })
  await sluice.close()
  await cp(sluice.dataDir, whole, { recursive: true })
})

/** A server over a copy of that, whose database was changed while no server ran. */
async function damaged(t: Test, statement: string): Promise<TestSluice> {
  const dataDir = join(testDir(t), 'var')
  await cp(whole, dataDir, { recursive: true })
  const db = new Database(join(dataDir, 'sluice.db'))
  const { changes } = db.prepare(statement).run()
  db.close()
  t.ok(changes > 0)
  const sluice = await startSluice(dataDir, { flags: { 'log-level': 'silent' } })
  t.teardown(() => sluice.close())
  return sluice
}

const isRow = 'data IS NOT NULL AND sha256 IN'
const cases = [
  {
    title: 'a Release file',
    sql: `DELETE FROM blob WHERE ${isRow} (SELECT release FROM release ORDER BY id LIMIT 1)`,
    problems: [{ what: 'testing@1 nut stable', message: 'a Release file of it is missing' }],
  },
  {
    title: 'a signed Release',
    sql: 'DELETE FROM release WHERE id = (SELECT min(id) FROM release)',
    problems: [{ what: 'testing@1 nut stable', message: /^signed Release \d+ is missing$/ }],
  },
  {
    title: 'a suite state',
    sql: `DELETE FROM blob WHERE sha256 = (SELECT unhex(state) FROM generation_suite WHERE channel_id = 1 AND serial = 1)`,
    problems: [{ message: /is not in the store/ }, { message: /is not in the store/ }],
  },
  {
    title: 'the bytes of a chunk',
    sql: `DELETE FROM blob WHERE sha256 = (SELECT member FROM chunk ORDER BY id LIMIT 1)`,
    problems: [{ what: /^chunk / }, { what: /^chunk /, message: 'its bytes are missing' }],
  },
  {
    title: 'a chunk',
    sql: 'DELETE FROM chunk WHERE id = (SELECT min(id) FROM chunk)',
    problems: [{ what: /^chunk /, message: /there is no row of it/ }],
  },
  {
    title: 'other bytes of a chunk',
    sql: `UPDATE blob SET data = x'00' WHERE sha256 = (SELECT member FROM chunk ORDER BY id LIMIT 1)`,
    problems: [{ what: /^chunk /, message: 'its bytes are not what its name says' }],
  },
  {
    title: 'a Date floor',
    sql: 'UPDATE publication_suite SET date_floor = date_floor - 1 WHERE publication_id = 1',
    problems: [{ what: 'testing@2 nut stable', message: /^its Date is later than the floor/ }],
  },
  {
    title: 'the forms of an index',
    sql: `UPDATE index_form SET gz = randomblob(32) WHERE root IN (SELECT root FROM index_form LIMIT 1)`,
    problems: [{ message: 'its Release names other bytes as main/binary-amd64/Packages.gz' }],
  },
]

for (const { title, sql, problems } of cases) {
  t.test(`tells ${title} that is wrong, and what to do`, async (t) => {
    const sluice = await damaged(t, sql)
    const report = await sluice.api('POST', '/verify', {})
    t.match(report.problems, problems)
    t.ok(report.problems.every((one: { hint?: string }) => /restore/.test(one.hint ?? '')))
    const refused = await sluice.api('POST', '/gc', {})
    const isSafe =
      refused.error !== undefined || refused.deleted.rows + refused.deleted.chunks === 0
    t.ok(isSafe, 'and nothing is deleted by what it says')
  })
}

t.test('a head that is no generation is told, and keeps collections from deleting', async (t) => {
  const sluice = await damaged(t, "UPDATE channel SET head = 7 WHERE name = 'approved'")
  t.match(await sluice.api('POST', '/verify', {}), {
    problems: [{ what: 'channel approved', message: 'its head 7 is no generation' }],
  })
  t.match(await sluice.api('POST', '/gc', {}), {
    error: { code: 'ERR_STORE', hint: /sluice verify/ },
  })
})

t.test('a file that is gone is told once, and fetched again', async (t) => {
  const { sluice, machine } = await makeWorld(t, [hello('1')])
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello')), clean)
  const root = join(sluice.dataDir, 'blobs')
  const files = await readdir(root, { recursive: true, withFileTypes: true })
  for (const file of files.filter((one) => one.isFile())) await rm(join(file.parentPath, file.name))
  const { problems } = await sluice.api('POST', '/verify', {})
  t.equal(problems.length, files.filter((one) => one.isFile()).length)
  t.match(problems, [{ what: /^blob /, message: /gone; it was fetched again/ }])
  t.match(await sluice.api('POST', '/verify', {}), { problems: [] })
  const other = await machine('other', 'approved')
  t.same(troubles(await other.update()), clean)
  t.same(troubles(await other.install('hello')), clean)
})
