/**
 * Damaged files: `sluice verify` finds them, puts them aside, and fetches them again if anybody has them.
 */
import { chmod, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { getFile, type PoolFile, poolFiles } from '../support/pool-files.ts'
import { runSluice } from '../support/program.ts'
import { startSluice } from '../support/sluice.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

interface Shelf extends World {
  readonly files: ReadonlyMap<string, PoolFile>
  /** Turns one bit of a stored file. */
  damage(sha256: string): Promise<void>
  blobPath(sha256: string): string
  verify(...args: string[]): ReturnType<typeof runSluice>
}

const names = ['ant', 'bee', 'cat']

/** A world whose three packages are all in the store. */
async function makeShelf(t: Test): Promise<Shelf> {
  const world = await makeWorld(
    t,
    names.map((name) => ({ name, version: '1', arch: 'amd64', content: 3000 })),
    { start: { flags: { 'log-level': 'silent' } } },
  )
  const { sluice } = world
  const files = await poolFiles(world)
  for (const file of files.values()) await getFile(world, file)
  const blobPath = (sha256: string): string =>
    join(sluice.dataDir, 'blobs', sha256.slice(0, 2), sha256.slice(2))
  const env = { SLUICE_URL: sluice.url, SLUICE_TOKEN: sluice.token }
  return {
    ...world,
    files,
    blobPath,
    damage: async (sha256) => {
      const path = blobPath(sha256)
      const data = await readFile(path)
      data[1000] = (data[1000] ?? 0) ^ 1
      await chmod(path, 0o644)
      await writeFile(path, data)
    },
    verify: (...args) => runSluice(['verify', ...args], { env }),
  }
}

function sumOf({ files }: Shelf, name: string): string {
  return files.get(`${name}_1`)?.sha256 ?? ''
}

t.test('one that was changed on the disk is put aside, fetched again, and served', async (t) => {
  const shelf = await makeShelf(t)
  const { sluice, verify, machine } = shelf
  t.match(await verify(), { code: 0, stdout: /^all is well: .* files?\n$/ })
  const ant = sumOf(shelf, 'ant')
  await shelf.damage(ant)
  t.match(await verify('--quick'), { code: 0, stdout: /^all is well: / }, 'its size is right')
  const told = await verify()
  t.equal(told.code, 0)
  t.match(
    told.stdout,
    new RegExp(
      `^wrong +blob ${ant} ant_1_amd64.deb: its file was damaged and is put aside; it was fetched again$`,
      'm',
    ),
  )
  t.match(told.stdout, /^1 problem in .*; 1 file fetched again$/m)
  t.same(await readdir(join(sluice.dataDir, 'quarantine')), [ant])
  t.match(await verify(), { code: 0, stdout: /^all is well: / })
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install(...names)), clean)
})

t.test('one that nobody has any more is lost, by name', async (t) => {
  const shelf = await makeShelf(t)
  const { dir, upstream, verify, files } = shelf
  const [ant, bee, cat] = names.map((name) => sumOf(shelf, name))
  await shelf.damage(ant ?? '')
  await rm(join(dir, 'archive', files.get('ant_1')?.path ?? ''))
  await truncate(shelf.blobPath(bee ?? ''), 100)
  upstream.fault(/bee_1/, { kind: 'status', status: 503 })
  await rm(shelf.blobPath(cat ?? ''))
  const told = await verify('--json')
  t.equal(told.code, 3)
  const { problems, files: became } = JSON.parse(told.stdout)
  t.same(became, { fetched: 1, waiting: 1, lost: 1 })
  const byName = (name: string): unknown =>
    problems.find(({ what }: { what: string }) => what.includes(name))
  t.match(byName('ant_1'), {
    outcome: 'lost',
    message: /put aside, and it is lost: /,
    hint: /backup/,
  })
  t.match(byName('bee_1'), { outcome: 'waiting', message: /it is fetched again when wanted: / })
  t.match(byName('cat_1'), {
    outcome: 'fetched',
    message: 'its file was gone; it was fetched again',
  })
  upstream.clearFaults()
  t.match(await getFile(shelf, files.get('bee_1') as PoolFile), { status: 200, cache: 'MISS' })
  t.match(await getFile(shelf, files.get('ant_1') as PoolFile), { status: 404 })
  t.match(await verify(), { code: 0, stdout: /^all is well: / })
})

t.test('one that lost its end is noticed before a byte of it is sent', async (t) => {
  const shelf = await makeShelf(t)
  const bee = shelf.files.get('bee_1') as PoolFile
  await chmod(shelf.blobPath(bee.sha256), 0o644)
  await truncate(shelf.blobPath(bee.sha256), 2000)
  t.same(await getFile(shelf, bee), { status: 200, cache: 'MISS', sha256: bee.sha256 })
  t.same(await readdir(join(shelf.sluice.dataDir, 'quarantine')), [bee.sha256])
  t.match(await shelf.verify(), { code: 0, stdout: /^all is well: / })
})

t.test('a machine that asks for the same file again at once has it looked at', async (t) => {
  const shelf = await makeShelf(t)
  const ant = shelf.files.get('ant_1') as PoolFile
  await shelf.damage(ant.sha256)
  t.not((await getFile(shelf, ant)).sha256, ant.sha256, 'it is not read again for each machine')
  while ((await getFile(shelf, ant)).sha256 !== ant.sha256);
  t.same(await readdir(join(shelf.sluice.dataDir, 'quarantine')), [ant.sha256])
})

t.test('an index of upstream is fetched again too', async (t) => {
  const { sluice, verify, machine } = await makeShelf(t)
  const root = join(sluice.dataDir, 'blobs')
  const files = await readdir(root, { recursive: true, withFileTypes: true })
  for (const file of files.filter((one) => one.isFile())) await rm(join(file.parentPath, file.name))
  const told = await verify('--quick', '--json')
  t.equal(told.code, 0, told.stdout)
  const { files: became } = JSON.parse(told.stdout)
  t.match(became, { waiting: 0, lost: 0 })
  t.ok(became.fetched > names.length)
  t.match(await verify(), { code: 0, stdout: /^all is well: / })
  t.same(troubles(await (await machine('one', 'testing')).update()), clean)
})

t.test('small blobs in the database are looked at too', async (t) => {
  const { sluice } = await makeShelf(t)
  await sluice.close()
  const db = new Database(join(sluice.dataDir, 'sluice.db'))
  const { changes } = db
    .prepare(
      `UPDATE blob SET data = zeroblob(length(data)) WHERE sha256 IN (SELECT release FROM release LIMIT 1)`,
    )
    .run()
  db.close()
  t.equal(changes, 1)
  const again = await startSluice(sluice.dataDir, { flags: { 'log-level': 'silent' } })
  t.teardown(() => again.close())
  const env = { SLUICE_URL: again.url, SLUICE_TOKEN: again.token }
  t.match(await runSluice(['verify'], { env }), {
    code: 1,
    stdout: /^wrong +blob [0-9a-f]{64}: its bytes in the database are not what its name says$/m,
  })
})
