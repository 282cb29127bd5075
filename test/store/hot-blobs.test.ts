/**
 * What is held of blobs that are served often: within its bounds, and never longer than the store has them.
 */
import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Sha256, sha256Of } from '../../src/base/sha256.ts'
import { blobMigrations, openBlobStore } from '../../src/store/blobs.ts'
import { closeDatabase, openDatabase } from '../../src/store/database.ts'
import {
  createHotBlobs,
  type HotBlobs,
  type HotLimits,
  type SmallBlob,
} from '../../src/store/hot-blobs.ts'
import { testDir } from '../support/test-dir.ts'

interface Bed {
  readonly dir: string
  readonly hot: HotBlobs
  path(sha256: Sha256): string
  put(data: Buffer): Promise<Sha256>
  /** The store finds that its file is not what it should be. */
  forget(sha256: Sha256): Promise<void>
}

async function openBed(t: Test, limits: Partial<HotLimits>): Promise<Bed> {
  const dir = testDir(t)
  const db = await openDatabase(`${dir}/sluice.db`, blobMigrations)
  t.teardown(() => closeDatabase(db))
  const blobs = await openBlobStore(db, dir)
  const hot = createHotBlobs(blobs.filePath, limits)
  blobs.news.listen({ gone: hot.drop })
  const put = async (data: Buffer): Promise<Sha256> => {
    const path = blobs.filePath(sha256Of(data))
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, data)
    return sha256Of(data)
  }
  return { dir, hot, path: blobs.filePath, put, forget: blobs.forget }
}

async function readAll(hot: HotBlobs, sha256: Sha256): Promise<Buffer | undefined> {
  const blob = await hot.open(sha256)
  if (blob === undefined) return undefined
  const data = Buffer.alloc(blob.size)
  for (let at = 0; at < blob.size; ) at += await blob.read(data.subarray(at), at, blob.size - at)
  blob.release()
  return data
}

/** Nothing is read at once for a while when that was slow. */
async function pass(hot: HotBlobs, sha256: Sha256): Promise<SmallBlob> {
  for (;;) {
    const blob = hot.passing(sha256)
    if (blob !== undefined) return blob
    await sleep(5)
  }
}

/** The blobs' files that this process has open. */
async function openFiles(dir: string): Promise<string[]> {
  const links = (await readdir('/proc/self/fd')).map((fd) =>
    readlink(`/proc/self/fd/${fd}`).catch(() => ''),
  )
  return (await Promise.all(links)).filter((path) => path.startsWith(`${dir}/blobs/`))
}

const filled = (size: number, seed: number): Buffer => Buffer.alloc(size, `${seed} `)

t.test(
  'memory holds what came first until others are asked for often, and no more than it may',
  async (t) => {
    const { hot, put } = await openBed(t, { bytes: 100_000 })
    const all = await Promise.all(Array.from({ length: 40 }, (_, at) => put(filled(9000, at))))
    for (const [at, sha256] of all.entries()) {
      t.ok((await readAll(hot, sha256))?.equals(filled(9000, at)))
      t.ok(hot.held().bytes <= 100_000, `${hot.held().bytes} bytes`)
    }
    t.equal(hot.held().files, 0)
    const [first, last] = [all.at(0), all.at(-1)]
    t.equal(all.filter((sha256) => hot.small(sha256) !== undefined).length, 10)
    t.ok(first && hot.small(first)?.data.equals(filled(9000, 0)))
    t.equal(last && hot.small(last), undefined, 'who asks once drives out nobody')
    for (let times = 0; times < 8; times++) if (last) await readAll(hot, last)
    t.ok(last && hot.small(last)?.data.equals(filled(9000, 39)))
    t.equal(all.filter((sha256) => hot.small(sha256) !== undefined).length, 10)
  },
)

t.test(
  'a larger file is opened once for all who read it, and closed when nobody does',
  async (t) => {
    const { dir, hot, put } = await openBed(t, { smallBytes: 1000 })
    const sha256 = await put(filled(50_000, 1))
    const readers = await Promise.all(Array.from({ length: 20 }, () => hot.open(sha256)))
    t.equal((await openFiles(dir)).length, 1)
    t.equal(hot.small(sha256), undefined)
    const buffer = Buffer.alloc(10)
    for (const reader of readers) t.equal(await reader?.read(buffer, 49_990, 10), 10)
    for (const reader of readers) reader?.release()
    while ((await openFiles(dir)).length > 0) await sleep(20)
    t.equal(hot.held().files, 0)
  },
)

t.test('so many files are open at a time and no more, but for those that are read', async (t) => {
  const { dir, hot, put } = await openBed(t, { smallBytes: 1000, files: 4 })
  const all = await Promise.all(Array.from({ length: 12 }, (_, at) => put(filled(5000, at))))
  for (const [at, sha256] of all.entries()) {
    t.ok((await readAll(hot, sha256))?.equals(filled(5000, at)))
    t.ok(hot.held().files <= 4)
  }
  const readers = await Promise.all(all.map((sha256) => hot.open(sha256)))
  t.equal((await openFiles(dir)).length, 12)
  for (const reader of readers) reader?.release()
  while ((await openFiles(dir)).length > 4) await sleep(20)
  t.ok(hot.held().files <= 4)
})

t.test(
  'a small file that was read lately is read at once, as long as it is what it was',
  async (t) => {
    const { hot, path, put, forget } = await openBed(t, { bytes: 20_000 })
    const all = await Promise.all(Array.from({ length: 5 }, (_, at) => put(filled(9000, at))))
    for (const sha256 of all) t.equal(hot.passing(sha256), undefined, 'nobody read it yet')
    for (const sha256 of all) await readAll(hot, sha256)
    // Memory has the first two.
    const [, , first = sha256Of(Buffer.alloc(0)), second = first, third = first] = all
    t.equal(hot.small(first), undefined, 'memory has others')
    const one = await pass(hot, first)
    t.equal(one.size, 9000)
    t.ok(one.data.equals(filled(9000, 2)))
    const giveBack = hot.keepPassing()
    t.ok((await pass(hot, second)).data.equals(filled(9000, 3)))
    t.ok(one.data.equals(filled(9000, 2)), 'what somebody has stays as it is')
    giveBack()
    hot.keepPassing()
    const next = await pass(hot, second)
    t.equal(next.data.buffer, one.data.buffer, 'and is used again when he gives it back')
    for (let times = 0; times < 8; times++) await pass(hot, first)
    t.ok(hot.small(first)?.data.equals(filled(9000, 2)), 'what passes often comes into memory')
    t.ok(hot.held().bytes <= 20_000)
    await forget(first)
    t.equal(hot.passing(first), undefined, 'one that is gone')
    t.equal(hot.small(first), undefined)
    await writeFile(path(second), filled(8999, 3))
    t.equal(hot.passing(second), undefined, 'one that became shorter')
    await writeFile(path(third), filled(9001, 4))
    t.equal(hot.passing(third), undefined, 'or longer')
  },
)

t.test('what the store takes away is not given to anybody any more', async (t) => {
  const { hot, put, forget } = await openBed(t, { smallBytes: 10_000 })
  for (const size of [5000, 50_000]) {
    const data = filled(size, 7)
    const sha256 = await put(data)
    t.ok((await readAll(hot, sha256))?.equals(data))
    const reader = await hot.open(sha256)
    await forget(sha256)
    t.equal(hot.small(sha256), undefined)
    t.equal(await hot.open(sha256), undefined)
    const buffer = Buffer.alloc(100)
    t.equal(await reader?.read(buffer, size - 100, 100), 100, 'who reads it reads on')
    t.ok(buffer.equals(data.subarray(-100)))
    reader?.release()
    await put(data)
    t.ok((await readAll(hot, sha256))?.equals(data), 'when it is here again it is given again')
  }
})

t.test('a file that goes while it is read into memory does not stay there', async (t) => {
  const { hot, put, forget } = await openBed(t, {})
  const data = filled(100_000, 3)
  const sha256 = await put(data)
  const opening = hot.open(sha256)
  await forget(sha256)
  await opening
  t.equal(hot.small(sha256), undefined)
  t.equal(await hot.open(sha256), undefined)
  t.equal(hot.held().bytes, 0)
})

t.test('an empty file, and one that is not there', async (t) => {
  const { hot, put } = await openBed(t, {})
  t.equal((await readAll(hot, await put(Buffer.alloc(0))))?.length, 0)
  t.equal(await hot.open(sha256Of(Buffer.from('none'))), undefined)
  t.same(hot.held().files, 0)
})
