/**
 * What is doomed is deleted only if nobody asked for it since; whoever brings it again while it goes has it afterwards.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Sha256, sha256Of } from '../../src/base/sha256.ts'
import { type BlobRow, listBlobs, type Removal } from '../../src/store/blob-removal.ts'
import { type BlobStore, blobMigrations, openBlobStore, putRows } from '../../src/store/blobs.ts'
import { closeDatabase, type Db, openDatabase } from '../../src/store/database.ts'
import { doom, doomedSince, nextDoomed } from '../../src/store/doomed.ts'
import { seededRandom } from '../support/index-parts.ts'
import { seedOr } from '../support/seed.ts'
import { testDir } from '../support/test-dir.ts'

interface Store {
  readonly db: Db
  readonly blobs: BlobStore
}

const lowest = '0'.repeat(64) as Sha256

async function openStore(t: Test): Promise<Store> {
  const dir = testDir(t)
  const db = await openDatabase(join(dir, 'sluice.db'), blobMigrations)
  t.teardown(() => closeDatabase(db))
  return { db, blobs: await openBlobStore(db, dir) }
}

async function put({ blobs }: Store, text: string): Promise<Sha256> {
  const data = Buffer.from(text)
  const writer = await blobs.create()
  await writer.write(data)
  await writer.commit({ sha256: sha256Of(data), size: data.length })
  return sha256Of(data)
}

function removal(
  before: number,
  named: readonly Sha256[] = [],
): Removal & { told: (readonly BlobRow[])[] } {
  const told: (readonly BlobRow[])[] = []
  return {
    before,
    told,
    named: async () => new Set(named),
    note: async (_trx, removed) => {
      told.push([...removed].sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1)))
    },
  }
}

t.test('what is doomed long enough goes with its file, and nothing else', async (t) => {
  const store = await openStore(t)
  const { db, blobs } = store
  const [old, fresh, named, kept] = await Promise.all(
    ['old', 'fresh', 'named', 'kept'].map((text) => put(store, text)),
  )
  const [row] = await putRows(db, [Buffer.from('a small one')])
  if (!old || !fresh || !named || !kept || !row) throw new Error('not put')
  await doom(db, 'blob', [old, row, named], 1000)
  await doom(db, 'blob', [fresh, old], 2000)
  t.same(
    await nextDoomed(db, 'blob', { before: 2000, after: undefined, limit: 10 }),
    [old, row, named].sort(),
  )
  t.equal((await doomedSince(db, 'blob', [old])).get(old), 1000, 'the first time counts')

  const told = removal(2000, [named])
  await blobs.removeDoomed([old, fresh, named, kept, row], told)
  const gone = [
    { sha256: old, size: 3, isFile: true },
    { sha256: row, size: 11, isFile: false },
  ]
  t.same(told.told, [gone.sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1))])
  t.same(
    (await listBlobs(db, undefined, 10)).map((one) => one.sha256),
    [fresh, named, kept].sort(),
  )
  t.notOk(existsSync(blobs.filePath(old)))
  t.ok([fresh, named, kept].every((digest) => existsSync(blobs.filePath(digest))))
  t.same(
    [...(await doomedSince(db, 'blob', [old, fresh, named, kept, row])).keys()].sort(),
    [fresh, named].sort(),
  )
})

t.test('whoever asks for a doomed blob, or puts it again, keeps it', async (t) => {
  const store = await openStore(t)
  const { db, blobs } = store
  const asked = await put(store, 'asked for')
  const among = await put(store, 'asked for among others')
  const again = await put(store, 'fetched again')
  const small = Buffer.from('put again')
  const [row = asked] = await putRows(db, [small])
  await doom(db, 'blob', [asked, among, again, row], 1000)
  t.ok(await blobs.has(asked))
  t.equal((await blobs.present([among, lowest])).size, 1)
  await put(store, 'fetched again')
  await putRows(db, [small])
  const told = removal(5000)
  await blobs.removeDoomed([asked, among, again, row], told)
  t.same(told.told, [[]])
  t.equal((await blobs.present([asked, among, again, row])).size, 4)
})

t.test('a blob that comes again while it is deleted is here, or not, but never half', async (t) => {
  const store = await openStore(t)
  const { db, blobs } = store
  const seed = seedOr(process.env.SLUICE_SEED)
  t.comment(`SLUICE_SEED=${seed}`)
  const random = seededRandom(seed)
  const turns = async (count: number): Promise<void> => {
    for (let turn = 0; turn < count; turn++) await (random() < 0.5 ? undefined : turnOfLoop())
  }
  // Others of the batch whose files go first: so there is a while between the row's end and the file's.
  const others = Array.from({ length: 60 }, (_, at) => Buffer.from(`another ${at}`))
  let halves = 0
  let missing = 0
  for (let round = 0; round < 60; round++) {
    const text = `comes and goes ${round}`
    const digest = await put(store, text)
    const batch = [...(await putRows(db, others)), digest]
    await doom(db, 'blob', batch, 1000)
    const remove = turns(Math.floor(random() * 20)).then(() =>
      blobs.removeDoomed(batch, removal(5000)),
    )
    const bring = turns(Math.floor(random() * 10)).then(() => put(store, text))
    const ask = turns(Math.floor(random() * 20)).then(() => blobs.has(digest))
    await bring
    if (!(await blobs.has(digest))) missing++
    const wasHere = await ask
    await remove
    const isHere = (await listBlobs(db, undefined, 1000)).some((one) => one.sha256 === digest)
    if (isHere !== existsSync(blobs.filePath(digest))) halves++
    if (wasHere && !isHere) missing++
  }
  t.equal(halves, 0, 'row and file are always both here')
  t.equal(missing, 0, 'who brought it, or was told that it is here, has it')
})

const turnOfLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
