/** Verified downloads from archives that lie, break and hang: no wrong byte is kept, none is given out whole. */
import t from 'tap'
import { HOLD_BACK } from '../../src/archives/download.ts'
import { systemClock } from '../../src/base/clock.ts'
import { makeDownloadBed, readAll } from '../support/download-bed.ts'

const MiB = 1024 * 1024

t.test('a flipped bit reaches no client whole and never the store', async (t) => {
  const said: object[] = []
  const log = { info: () => undefined, warn: (fields: object) => void said.push(fields) }
  const { downloads, blobs, first, second, file, tempFiles } = await makeDownloadBed(t, { log })
  const some = await file('some.deb', 2 * MiB)
  first.fault(some.path, { kind: 'flip', offset: 5 })
  first.fault(some.path, { kind: 'rate', bytesPerSecond: 8 * MiB })
  const clients = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const download = await downloads.open(some.wanted, some.both, {})
      return { download, result: await readAll(download.read(0, {})) }
    }),
  )
  for (const { result, download } of clients) {
    t.match(result.error, {
      code: 'ERR_DIGEST_MISMATCH',
      message: /some.deb 1.0 amd64: .* are not those that the signed index names/,
      hint: /nothing of it was kept/,
    })
    t.ok(result.got <= 2 * MiB - HOLD_BACK)
    await t.rejects(download.done, { code: 'ERR_DIGEST_MISMATCH' })
  }
  t.notOk(await blobs.has(some.wanted.sha256))
  t.ok((await tempFiles()).length <= 1, 'that of the next attempt')
  t.match(said, [{ label: 'some.deb 1.0 amd64', code: 'ERR_DIGEST_MISMATCH' }])
  const again = await downloads.open(some.wanted, some.both, {})
  t.equal((await readAll(again.read(0, {}))).sha256, some.wanted.sha256)
  t.equal(second.count(), 1, 'the other mirror comes first now')
  t.equal(first.count(), 1)
  const times = new Set(clients.map(({ download }) => download.modifiedAt))
  t.equal(times.size, 1)
  t.notOk(times.has(again.modifiedAt), 'no client goes on with bytes of the bad attempt')
})

t.test('a client that asks again heals, even where there is one URL', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t, {
    clock: { ...systemClock, now: () => 5_000_500 },
  })
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'flip', offset: MiB - 1 }, { times: 2 })
  const bad = await downloads.open(some.wanted, some.one, {})
  t.match((await readAll(bad.read(0, {}))).error, { code: 'ERR_DIGEST_MISMATCH' })
  const good = await downloads.open(some.wanted, some.one, {})
  t.equal((await readAll(good.read(0, {}))).sha256, some.wanted.sha256)
  t.same([bad.modifiedAt, good.modifiedAt], [5000, 5001])
  t.equal(first.count(), 3, 'the one that was wrong again nobody saw')
  t.same(
    first.requests.map(({ headers }) => headers['cache-control']),
    [undefined, 'no-cache', 'no-cache'],
  )
})

t.test('the next attempt begins by itself, and is for all who ask then', async (t) => {
  const { downloads, blobs, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'flip', offset: 0 }, { times: 1 })
  const bad = await downloads.open(some.wanted, some.one, {})
  const waiting = downloads.fetch(some.wanted, some.one, {})
  t.match((await readAll(bad.read(0, {}))).error, { code: 'ERR_DIGEST_MISMATCH' })
  await waiting
  t.ok(await blobs.has(some.wanted.sha256))
  t.equal(first.count(), 2)
})

t.test('what is wrong each time ends after a few attempts', async (t) => {
  const { downloads, first, file, tempFiles } = await makeDownloadBed(t)
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'flip', offset: 0 })
  await t.rejects(downloads.fetch(some.wanted, some.one, {}), { code: 'ERR_DIGEST_MISMATCH' })
  t.equal(first.count(), 5)
  t.same(await tempFiles(), [])
})

t.test('a URL that lied comes last for a minute', async (t) => {
  let now = 1_000_000
  const { downloads, blobs, first, second, file } = await makeDownloadBed(t, {
    clock: { ...systemClock, now: () => now },
  })
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'flip', offset: 5 }, { times: 1 })
  const fetch = async () => {
    await downloads.fetch(some.wanted, some.both, {})
    await blobs.forget(some.wanted.sha256)
    return [first.count(), second.count()]
  }
  t.same(await fetch(), [1, 1], 'a fetch goes on to the next URL by itself')
  now += 59_000
  t.same(await fetch(), [1, 2])
  now += 2_000
  t.same(await fetch(), [2, 2])
})

t.test(
  'a small file that is wrong is taken from the next URL before anybody sees it',
  async (t) => {
    const { downloads, first, second, file } = await makeDownloadBed(t)
    const small = await file('small.deb', 5000)
    first.fault(small.path, { kind: 'flip', offset: 4999 })
    const download = await downloads.open(small.wanted, small.both, {})
    t.equal((await readAll(download.read(0, {}))).sha256, small.wanted.sha256)
    second.fault(/./, { kind: 'flip', offset: 0 })
    const other = await file('other.deb', 5000)
    await t.rejects(downloads.open(other.wanted, other.other, {}), { code: 'ERR_DIGEST_MISMATCH' })
  },
)

t.test('an answer of another length gives no byte to anybody', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t)
  const some = await file('some.deb', MiB)
  for (const by of [-5, 5]) {
    first.clearFaults()
    first.fault(some.path, { kind: 'wrong-size', by })
    await t.rejects(downloads.open(some.wanted, some.one, {}), {
      code: 'ERR_SIZE_MISMATCH',
      message: /some.deb 1.0 amd64/,
      hint: /update/,
    })
  }
  t.equal(first.count(), 2, 'and is not tried again at once')
  const download = await downloads.open(some.wanted, some.both, {})
  t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256)
  t.equal(second.count(), 1)
})

t.test('an answer without a length is judged by its bytes', async (t) => {
  const { downloads, blobs, first, file, tempFiles } = await makeDownloadBed(t)
  first.fault(/./, { kind: 'chunked' })
  first.fault('/short.deb', { kind: 'wrong-size', by: -5 })
  first.fault('/long.deb', { kind: 'wrong-size', by: 5 })
  first.fault('/longer.deb', { kind: 'wrong-size', by: 5 })
  first.fault('/longer.deb', { kind: 'flip', offset: 7 })
  const expected = { short: 'ERR_SIZE_MISMATCH', long: undefined, longer: 'ERR_DIGEST_MISMATCH' }
  for (const [name, code] of Object.entries(expected)) {
    const next = await file(`${name}.deb`, MiB)
    const download = await downloads.open(next.wanted, next.one, {})
    const { error, got } = await readAll(download.read(0, {}))
    t.match(error, code === undefined ? undefined : { code }, name)
    t.equal(got === MiB, code === undefined)
    await download.done.catch(() => undefined)
    t.equal(await blobs.has(next.wanted.sha256), code === undefined)
  }
  await downloads.close()
  t.same(await tempFiles(), [])
})

t.test('a login page, a loop, a 404 and a dead mirror are passed over', async (t) => {
  const { downloads, blobs, first, second, file } = await makeDownloadBed(t)
  const some = await file('some.deb', 200_000)
  first.fault('/portal', { kind: 'html' })
  first.fault('/loop', { kind: 'redirect', to: '/loop' })
  first.fault('/packed', { kind: 'headers', headers: { 'Content-Encoding': 'gzip' } })
  first.fault('/gone', { kind: 'close' })
  const bad = ['portal', 'loop', 'none', 'gone'].map((name) => `${first.url}/${name}`)
  await downloads.fetch(some.wanted, { urls: [...bad, ...some.other.urls] }, {})
  t.ok(await blobs.has(some.wanted.sha256))
  t.equal(second.count(), 1)
  const other = await file('other.deb', 200_000)
  const error = await downloads.fetch(other.wanted, { urls: bad }, {}).catch((caught) => caught)
  t.match(error, {
    code: 'ERR_UPSTREAM_UNREACHABLE',
    message: /other.deb 1.0 amd64 could not be fetched: .*\/gone: connection closed/,
    details: { tried: { length: 6 } },
  })
  await t.rejects(downloads.fetch(other.wanted, { urls: bad.slice(2, 3) }, {}), {
    code: 'ERR_UPSTREAM_STATUS',
    details: { status: 404 },
  })
  await t.rejects(downloads.fetch(other.wanted, { urls: [] }, {}), { code: 'ERR_NOT_FOUND' })
})

t.test('tries are bounded, and waiting between them can be ended', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'status', status: 503 })
  const clients = Array.from({ length: 10 }, () => downloads.open(some.wanted, some.one, {}))
  for (const client of clients) {
    await t.rejects(client, { code: 'ERR_UPSTREAM_STATUS', details: { status: 503 } })
  }
  t.equal(first.count(), 3, 'ten clients do not try more often than one')
  const waiting = downloads.open(some.wanted, some.one, {})
  waiting.catch(() => undefined)
  await downloads.close({ signal: AbortSignal.abort() })
  await t.rejects(waiting, { code: 'ERR_INTERRUPTED' })
})

t.test('a client with another source does not fail for the sake of the first', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'rate', bytesPerSecond: 4 * MiB })
  first.fault(some.path, { kind: 'flip', offset: 3 })
  const early = downloads.fetch(some.wanted, some.one, {})
  const late = downloads.fetch(some.wanted, some.other, {})
  await t.rejects(early, { code: 'ERR_DIGEST_MISMATCH' })
  await late
})

t.test('a full disk ends the download and blames no mirror', async (t) => {
  let isFull = true
  const { downloads, file, first, second, tempFiles } = await makeDownloadBed(t, {
    wrap: (blobs) => ({
      ...blobs,
      create: async () => {
        const writer = await blobs.create()
        if (!isFull) return writer
        const full = Object.assign(new Error('no space'), { code: 'ENOSPC' })
        return { ...writer, write: () => Promise.reject(full) }
      },
    }),
  })
  const some = await file('some.deb', MiB)
  await t.rejects(downloads.fetch(some.wanted, some.both, {}), { code: 'ERR_DISK_FULL' })
  t.same(await tempFiles(), [])
  isFull = false
  await downloads.fetch(some.wanted, some.both, {})
  t.same([first.count(), second.count()], [2, 0])
})
