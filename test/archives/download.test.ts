/** Verified downloads with many readers: fetched once, streamed to everybody, and never held up by one of them. */
import { stat, truncate } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { HOLD_BACK } from '../../src/archives/download.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { makeDownloadBed, readAll } from '../support/download-bed.ts'

const MiB = 1024 * 1024

t.test('50 clients of one cold file: fetched once, streamed to all while it arrives', async (t) => {
  const { downloads, blobs, first, file } = await makeDownloadBed(t)
  const big = await file('big.deb', 20 * MiB)
  const all = Promise.withResolvers<void>()
  first.fault(big.path, { kind: 'hold', bytes: MiB, until: all.promise })
  const before = process.memoryUsage().arrayBuffers
  let peak = 0
  let reading = 0
  const client = async () => {
    const download = await downloads.open(big.wanted, big.one, {})
    let isFirst = true
    const result = await readAll(download.read(0, {}), () => {
      if (isFirst && ++reading === 50) all.resolve()
      isFirst = false
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
    })
    return { ...result, modifiedAt: download.modifiedAt }
  }
  const results = await Promise.all(Array.from({ length: 50 }, client))
  await downloads.fetch(big.wanted, big.one, {})
  const { mtimeMs } = await stat(blobs.filePath(big.wanted.sha256))
  const whole = { got: big.data.length, sha256: big.wanted.sha256, error: undefined }
  for (const result of results) t.same(result, { ...whole, modifiedAt: mtimeMs / 1000 })
  t.equal(first.count(), 1)
  t.equal(first.bytes(), big.data.length, 'upstream sent 1.00 of the file')
  t.equal(reading, 50, 'everybody had bytes while most was held back')
  t.ok(peak < 48 * MiB, `buffers grew by ${Math.round(peak / MiB)} MiB`)
  t.equal(downloads.active, 0)
})

t.test('a slow client does not slow the fetch, and gets the same bytes in the end', async (t) => {
  const { downloads, blobs, file } = await makeDownloadBed(t)
  const big = await file('big.deb', 8 * MiB)
  const download = await downloads.open(big.wanted, big.one, {})
  let isDone = false
  const result = await readAll(download.read(0, {}), async () => {
    if (isDone) return
    await download.done
    isDone = true
  })
  t.same(result, { got: big.data.length, sha256: big.wanted.sha256, error: undefined })
  t.ok(await blobs.has(big.wanted.sha256))
})

t.test('the last 64 KiB wait until the digest was right', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'stall', bytes: MiB - 1 })
  const stop = new AbortController()
  const download = await downloads.open(some.wanted, some.one, {})
  let got = 0
  const reading = readAll(download.read(0, { signal: stop.signal }), (so) => {
    got = so
    if (so === MiB - HOLD_BACK) setTimeout(() => stop.abort(), 100)
  })
  t.match((await reading).error, { code: 'ERR_INTERRUPTED' })
  t.equal(got, MiB - HOLD_BACK)
})

t.test('then nobody waits until the disk has a large file for certain', async (t) => {
  const reading = Promise.withResolvers<void>()
  const { downloads, file } = await makeDownloadBed(t, {
    wrap: (blobs) => ({
      ...blobs,
      create: async () => {
        const writer = await blobs.create()
        const commit: typeof writer.commit = async (expected) => {
          await writer.commit(expected)
          await reading.promise
        }
        return { ...writer, commit }
      },
    }),
  })
  const some = await file('some.deb', 5 * MiB)
  const download = await downloads.open(some.wanted, some.one, {})
  t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256)
  t.equal(downloads.active, 1, 'it is not in the store yet')
  reading.resolve()
  await downloads.close()
  t.equal(downloads.active, 0)
})

t.test('a client may begin anywhere, early or late', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', 2 * MiB)
  first.fault(some.path, { kind: 'rate', bytesPerSecond: 8 * MiB })
  const download = await downloads.open(some.wanted, some.one, {})
  for (const from of [MiB + 5, 2 * MiB - 1, 2 * MiB]) {
    const result = await readAll(download.read(from, {}))
    t.equal(result.error, undefined)
    t.equal(result.sha256, sha256Of(some.data.subarray(from)), `from ${from}`)
  }
  t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256)
  t.equal(first.count(), 1)
})

t.test('a download goes on when all its clients left', async (t) => {
  const { downloads, blobs, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', 4 * MiB)
  const rest = Promise.withResolvers<void>()
  first.fault(some.path, { kind: 'hold', bytes: 2 * MiB, until: rest.promise })
  const stop = new AbortController()
  const download = await downloads.open(some.wanted, some.one, { signal: stop.signal })
  const left = readAll(download.read(0, { signal: stop.signal }), () => stop.abort())
  t.match((await left).error, { code: 'ERR_INTERRUPTED' })
  for await (const _chunk of download.read(0, {})) break
  t.equal(downloads.active, 1)
  rest.resolve()
  await download.done
  t.ok(await blobs.has(some.wanted.sha256))
})

t.test('a small file is given only when it is verified', async (t) => {
  const { downloads, blobs, file } = await makeDownloadBed(t)
  const small = await file('small.deb', HOLD_BACK)
  const download = await downloads.open(small.wanted, small.one, {})
  t.equal((await readAll(download.read(0, {}))).sha256, small.wanted.sha256)
  await download.done
  t.ok(await blobs.has(small.wanted.sha256))
  const empty = await file('empty.deb', 0)
  const none = await downloads.open(empty.wanted, empty.one, {})
  t.match(await readAll(none.read(0, {})), { got: 0, error: undefined })
})

t.test('what is here is not fetched again, and keeps its time', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', 200_000)
  const cold = await downloads.open(some.wanted, some.one, {})
  await cold.done
  const warm = await downloads.open(some.wanted, some.one, {})
  t.equal(warm.modifiedAt, cold.modifiedAt)
  t.equal((await readAll(warm.read(0, {}))).sha256, some.wanted.sha256)
  await downloads.fetch(some.wanted, some.one, {})
  t.equal(first.count(), 1)
  const other = { ...some.wanted, size: some.wanted.size + 1 }
  await t.rejects(downloads.open(other, some.one, {}), { code: 'ERR_SIZE_MISMATCH' })
  t.equal(first.count(), 1, 'an index with another size does not harm the blob')
})

t.test('a blob that lost its end is fetched again', async (t) => {
  const { downloads, blobs, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', 200_000)
  await downloads.fetch(some.wanted, some.one, {})
  await truncate(blobs.filePath(some.wanted.sha256), 100_000)
  const download = await downloads.open(some.wanted, some.one, {})
  t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256)
  t.equal(first.count(), 2)
})

t.test('a client learns that the blob was evicted while it read', async (t) => {
  const { downloads, blobs, file } = await makeDownloadBed(t)
  const some = await file('some.deb', 2 * MiB)
  const download = await downloads.open(some.wanted, some.one, {})
  await download.done
  await blobs.forget(some.wanted.sha256)
  t.match((await readAll(download.read(0, {}))).error, { code: 'ERR_BLOB_MISSING' })
})

t.test('who waits can leave before the first byte; the others stay', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', 200_000)
  const rest = Promise.withResolvers<void>()
  first.fault(some.path, { kind: 'hold', bytes: 100_000, until: rest.promise })
  const stop = new AbortController()
  const leaving = downloads.fetch(some.wanted, some.one, { signal: stop.signal })
  const staying = downloads.fetch(some.wanted, some.one, {})
  leaving.catch(() => undefined)
  await setImmediate()
  stop.abort()
  await t.rejects(leaving, { code: 'ERR_INTERRUPTED' })
  rest.resolve()
  await staying
  t.equal(first.count(), 1)
  const late = downloads.open(some.wanted, some.one, { signal: AbortSignal.abort() })
  t.equal((await late).modifiedAt > 0, true, 'nothing has to be waited for')
})

t.test('closing lets downloads end, unless told to break them off', async (t) => {
  const { downloads, blobs, first, file, tempFiles } = await makeDownloadBed(t)
  const [some, never] = [await file('some.deb', MiB), await file('never.deb', MiB)]
  const rest = Promise.withResolvers<void>()
  first.fault(some.path, { kind: 'hold', bytes: MiB / 2, until: rest.promise })
  first.fault(never.path, { kind: 'stall', bytes: 500_000 })
  await downloads.open(some.wanted, some.one, {})
  const broken = await downloads.open(never.wanted, never.one, {})
  const reading = readAll(broken.read(0, {}))
  const stop = new AbortController()
  const closing = downloads.close({ signal: stop.signal })
  await t.rejects(downloads.open((await file('x', 5)).wanted, some.one, {}), {
    code: 'ERR_INTERRUPTED',
  })
  const ending = downloads.fetch(some.wanted, some.one, {})
  rest.resolve()
  await ending
  stop.abort()
  await closing
  t.match((await reading).error, { code: 'ERR_INTERRUPTED' })
  t.ok(await blobs.has(some.wanted.sha256))
  t.notOk(await blobs.has(never.wanted.sha256))
  t.same(await tempFiles(), [])
})
