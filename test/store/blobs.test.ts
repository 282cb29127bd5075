/**
 * Blobs: what is kept under a digest has it, whatever goes wrong on the way; what a crash left is put in order.
 */
import { chmod, mkdir, readdir, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Sha256, sha256Of } from '../../src/base/sha256.ts'
import { blobTotals, listFileBlobs } from '../../src/store/blob-lists.ts'
import {
  type BlobStore,
  blobMigrations,
  openBlobStore,
  putRows,
  readRows,
} from '../../src/store/blobs.ts'
import { closeDatabase, type Db, inTransaction, openDatabase } from '../../src/store/database.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'

const text = Buffer.from('some bytes of a package\n'.repeat(10_000))
const sha256 = sha256Of(text)
const size = text.length

interface World {
  readonly dir: string
  db: Db
  blobs: BlobStore
  /** Closes all and opens it again, as after a crash. */
  reopen(): Promise<void>
}

async function openWorld(t: Test): Promise<World> {
  const dir = testDir(t)
  const open = async (): Promise<Pick<World, 'db' | 'blobs'>> => {
    const db = await openDatabase(join(dir, 'sluice.db'), blobMigrations)
    return { db, blobs: await openBlobStore(db, dir) }
  }
  const world: World = {
    dir,
    ...(await open()),
    reopen: async () => {
      await closeDatabase(world.db)
      Object.assign(world, await open())
    },
  }
  t.teardown(() => closeDatabase(world.db))
  return world
}

async function put(blobs: BlobStore, data: Buffer, expected = { sha256: sha256Of(data) }) {
  const writer = await blobs.create()
  for (let at = 0; at < data.length; at += 50_000) {
    await writer.write(data.subarray(at, at + 50_000))
  }
  await writer.commit({ size: data.length, ...expected })
}

/** All files below `blobs/` and `tmp/`. */
async function filesIn({ dir }: World): Promise<string[]> {
  const found: string[] = []
  for (const folder of ['blobs', 'tmp']) {
    for (const one of await readdir(join(dir, folder), { recursive: true, withFileTypes: true })) {
      if (one.isFile()) found.push(join(one.parentPath, one.name).slice(dir.length + 1))
    }
  }
  return found.sort()
}

const nameOf = (digest: Sha256): string => `blobs/${digest.slice(0, 2)}/${digest.slice(2)}`

t.test('keeps bytes under their digest: read-only, with the time told', async (t) => {
  const world = await openWorld(t)
  const writer = await world.blobs.create()
  await writer.write(text.subarray(0, 1000))
  t.equal(writer.written, 1000)
  t.equal((await stat(writer.path)).size, 1000, 'others may read the temp file while it grows')
  await writer.write(text.subarray(1000))
  t.notOk(await world.blobs.has(sha256), 'and it is no blob before it is complete')
  await writer.commit({ sha256, size, modifiedAt: 1_700_000_000 })
  await writer.abort()

  t.same(await filesIn(world), [nameOf(sha256)], 'the temp file is gone')
  const path = world.blobs.filePath(sha256)
  t.equal((await runOk('sha256sum', [path])).stdout, `${sha256}  ${path}\n`)
  t.equal((await stat(path)).mode & 0o777, 0o444)
  t.ok(await world.blobs.has(sha256))
  t.same(await world.blobs.read(sha256), text)
  t.same(await listFileBlobs(world.db), [{ sha256, size }])
  t.match(await blobTotals(world.db), { rows: 0, files: 1, fileBytes: size })
  const open = await world.blobs.openFile(sha256)
  t.match(open, { size, modifiedAt: 1_700_000_000 })
  await open?.handle.close()
})

t.test('keeps nothing of bytes that are not those promised', async (t) => {
  const world = await openWorld(t)
  const other = sha256Of('something else')
  await t.rejects(put(world.blobs, text, { sha256: other }), {
    code: 'ERR_DIGEST_MISMATCH',
    details: { expected: other, found: sha256 },
  })
  const short = await world.blobs.create()
  await short.write(text.subarray(1))
  await t.rejects(short.commit({ sha256, size }), {
    code: 'ERR_SIZE_MISMATCH',
    details: { expected: size, found: size - 1 },
  })
  const given = await world.blobs.create()
  await given.write(text)
  await given.abort()
  t.same(await filesIn(world), [])
  t.same(await listFileBlobs(world.db), [])
  t.notOk(await world.blobs.has(sha256))
  t.equal(await world.blobs.openFile(sha256), undefined)
  await put(world.blobs, text)
  t.same(await world.blobs.read(sha256), text, 'and the right ones are taken afterwards')
})

t.test('many that bring the same blob at once all succeed, and leave one file', async (t) => {
  const world = await openWorld(t)
  await Promise.all(Array.from({ length: 12 }, () => put(world.blobs, text)))
  t.same(await filesIn(world), [nameOf(sha256)])
  t.same(await listFileBlobs(world.db), [{ sha256, size }])
})

t.test('many different ones at once are all there', async (t) => {
  const world = await openWorld(t)
  const all = Array.from({ length: 60 }, (_, at) => Buffer.from(`blob ${at}`))
  await Promise.all(all.map((data) => put(world.blobs, data)))
  const digests = all.map((data) => sha256Of(data))
  t.equal((await world.blobs.present([...digests, sha256])).size, all.length)
  t.same((await filesIn(world)).length, all.length)
})

t.test('a file that the disk cut short is replaced by the whole one', async (t) => {
  const world = await openWorld(t)
  await put(world.blobs, text)
  const path = world.blobs.filePath(sha256)
  await chmod(path, 0o644)
  await truncate(path, 100)
  await put(world.blobs, text)
  t.same(await world.blobs.read(sha256), text)
})

t.test('puts in order what a crash left', async (t) => {
  const world = await openWorld(t)
  await put(world.blobs, text)
  const lost = Buffer.from('lost by the disk')
  await put(world.blobs, lost)
  const kept = Buffer.from('kept as row')
  await putRows(world.db, [kept])
  const { dir } = world
  const found = Buffer.from('linked before the crash, no row yet')
  const path = world.blobs.filePath(sha256Of(found))
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, found)
  await runOk('rm', ['-f', world.blobs.filePath(sha256Of(lost))])
  await writeFile(join(dir, 'tmp', '77-0'), 'half a file')
  await writeFile(join(dir, 'blobs', 'README'), 'of an administrator')
  await mkdir(join(dir, 'blobs', 'lost+found'))
  await world.reopen()

  t.same(await world.blobs.read(sha256), text, 'what was whole is')
  t.same(await world.blobs.read(sha256Of(found)), found, 'a file without a row gets one')
  t.notOk(await world.blobs.has(sha256Of(lost)), 'a row without a file goes')
  await t.rejects(world.blobs.read(sha256Of(lost)), { code: 'ERR_BLOB_MISSING' })
  t.same(await world.blobs.read(sha256Of(kept)), kept, 'rows with their bytes stay')
  const expected = [nameOf(sha256), nameOf(sha256Of(found)), 'blobs/README'].sort()
  t.same(await filesIn(world), expected, 'temp files go, what is no blob is left alone')
  await put(world.blobs, lost)
  t.same(await world.blobs.read(sha256Of(lost)), lost)
})

t.test('reads no more than it is told', async (t) => {
  const { db, blobs } = await openWorld(t)
  await put(blobs, text)
  const [row = sha256] = await putRows(db, [Buffer.from('ten bytes!')])
  t.equal((await blobs.read(sha256, size)).length, size)
  await t.rejects(blobs.read(sha256, size - 1), { code: 'ERR_TOO_LARGE' })
  t.equal((await blobs.read(row, 10)).length, 10)
  await t.rejects(blobs.read(row, 9), { code: 'ERR_TOO_LARGE' })
  await t.rejects(blobs.read(sha256Of('never seen')), {
    code: 'ERR_BLOB_MISSING',
    hint: /sluice verify/,
  })
})

t.test('forgets a damaged blob, so that it can be fetched again', async (t) => {
  const world = await openWorld(t)
  await put(world.blobs, text)
  await chmod(world.blobs.filePath(sha256), 0o644)
  await writeFile(world.blobs.filePath(sha256), Buffer.alloc(size))
  const gone: string[] = []
  world.blobs.news.listen({ gone: (digest) => gone.push(digest) })
  await world.blobs.forget(sha256)
  t.same(await filesIn(world), [])
  t.same([...new Set(gone)], [sha256], 'who remembers something of it is told')
  t.same(await readdir(join(world.dir, 'quarantine')), [sha256], 'it can be looked at')
  t.notOk(await world.blobs.has(sha256))
  await world.blobs.forget(sha256)
  await put(world.blobs, text)
  t.same(await world.blobs.read(sha256), text)
})

t.test('small blobs are rows, there with their transaction or not at all', async (t) => {
  const { db, blobs } = await openWorld(t)
  const small = ['one', 'two', 'three'].map((word) => Buffer.from(word))
  const digests = await putRows(db, small)
  t.same(await putRows(db, small), digests, 'again changes nothing')
  t.same(await readRows(db, digests.toReversed()), small.toReversed(), 'in the order asked for')
  t.match(await blobTotals(db), { rows: 3, rowBytes: 11, files: 0 })
  await t.rejects(readRows(db, [...digests, sha256]), { code: 'ERR_BLOB_MISSING' })
  const broken = inTransaction(db, async (trx) => {
    await putRows(trx, [Buffer.from('four')])
    throw new Error('power cut')
  })
  await t.rejects(broken, { message: 'power cut' })
  t.notOk(await blobs.has(sha256Of('four')))
})

t.test('a blob that came as a file can be a row as well', async (t) => {
  const world = await openWorld(t)
  const data = Buffer.from('an index so small that it is one chunk')
  const digest = sha256Of(data)
  await put(world.blobs, data)
  t.same(await putRows(world.db, [data]), [digest])
  t.same(await readRows(world.db, [digest]), [data])
  await world.reopen()
  t.same(await readRows(world.db, [digest]), [data], 'after the sweep too')
  t.same(await world.blobs.read(digest), data)
})
