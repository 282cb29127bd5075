/**
 * Files for which the disk has no room: handed on from upstream as they come, by the rules of all downloads, and not kept.
 */
import t, { type Test } from 'tap'
import { type DownloadBed, makeDownloadBed, readAll } from '../support/download-bed.ts'
import { startSluice } from '../support/sluice.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const SIZE = 3_000_000

/** A bed whose disk is always too full. */
function makeFullBed(t: Test): Promise<DownloadBed> {
  return makeDownloadBed(t, { wrap: (blobs) => ({ ...blobs, reserveBytes: 2 ** 50 }) })
}

t.test('they are given out as they come, and nothing of them is kept', async (t) => {
  const { downloads, blobs, first, file, tempFiles } = await makeFullBed(t)
  const some = await file('large', SIZE)
  for (const from of [0, 1, SIZE - 1, SIZE]) {
    const download = await downloads.open(some.wanted, some.one, {})
    const { got, error } = await readAll(download.read(from, {}))
    t.same({ got, error }, { got: SIZE - from, error: undefined })
  }
  const download = await downloads.open(some.wanted, some.one, {})
  t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256)
  t.equal(first.count(some.path), 5)
  t.notOk(await blobs.has(some.wanted.sha256))
  t.same(await tempFiles(), [])
  await t.rejects(downloads.fetch(some.wanted, some.one, {}), { code: 'ERR_DISK_FULL' })
})

t.test('each attempt has a time of its own', async (t) => {
  const { downloads, file } = await makeFullBed(t)
  const { wanted, one } = await file('large', SIZE)
  const [a, b] = [await downloads.open(wanted, one, {}), await downloads.open(wanted, one, {})]
  t.not(a.modifiedAt, b.modifiedAt)
  a.end?.()
  b.end?.()
})

t.test('a transfer that breaks goes on, there or at another mirror', async (t) => {
  const { downloads, first, second, file } = await makeFullBed(t)
  const { wanted, path, both } = await file('large', SIZE)
  first.fault(path, { kind: 'truncate', bytes: 1_000_000 })
  const download = await downloads.open(wanted, both, {})
  t.equal((await readAll(download.read(0, {}))).sha256, wanted.sha256)
  t.equal(second.requests.at(-1)?.headers.range, 'bytes=1000000-')
  first.clearFaults()
  first.fault(path, { kind: 'no-range' })
  first.fault(path, { kind: 'truncate', bytes: 1_000_000 }, { times: 1 })
  second.fault(path, { kind: 'status', status: 404 })
  const again = await downloads.open(wanted, both, {})
  t.equal((await readAll(again.read(0, {}))).sha256, wanted.sha256)
})

t.test('the end of a wrong file is never given out, nor is a small one', async (t) => {
  const { downloads, first, second, file } = await makeFullBed(t)
  const large = await file('large', SIZE)
  first.fault(large.path, { kind: 'flip', offset: 10 })
  const download = await downloads.open(large.wanted, large.one, {})
  const { got, error } = await readAll(download.read(0, {}))
  t.ok(got > 0 && got <= SIZE - 64 * 1024)
  t.match(error, { code: 'ERR_DIGEST_MISMATCH' })
  const small = await file('small', 30_000)
  first.fault(small.path, { kind: 'flip', offset: 10 })
  const right = await downloads.open(small.wanted, small.both, {})
  t.equal((await readAll(right.read(0, {}))).sha256, small.wanted.sha256, 'by the other mirror')
  second.fault(small.path, { kind: 'wrong-size' })
  await t.rejects(downloads.open(small.wanted, small.both, {}), {
    code: /ERR_(DIGEST|SIZE)_MISMATCH/,
    details: { isGone: true },
  })
})

t.test('what upstream does not have is told before anything is given out', async (t) => {
  const { downloads, first, file } = await makeFullBed(t)
  const { wanted, path, one } = await file('large', SIZE)
  first.fault(path, { kind: 'status', status: 404 })
  await t.rejects(downloads.open(wanted, one, {}), {
    code: 'ERR_UPSTREAM_STATUS',
    details: { isGone: true },
  })
  first.clearFaults()
  first.fault(path, { kind: 'hang' })
  const signal = AbortSignal.timeout(200)
  await t.rejects(downloads.open(wanted, one, { signal }), { code: 'ERR_INTERRUPTED' })
})

t.test('a reader that is slow or leaves holds nothing but his own transfer', async (t) => {
  const { downloads, first, file } = await makeFullBed(t)
  const { wanted, one, path } = await file('large', 20 * SIZE)
  const slow = await downloads.open(wanted, one, {})
  const reading = slow.read(0, {})[Symbol.asyncIterator]()
  await reading.next()
  const before = first.bytes(path)
  const quick = await downloads.open(wanted, one, {})
  t.equal((await readAll(quick.read(0, {}))).sha256, wanted.sha256)
  const slowBytes = first.requests[0]?.bytes ?? 0
  t.ok(slowBytes < 10 * SIZE, `upstream waits for him: ${before}, ${slowBytes}`)
  await reading.return?.()
  const gone = new AbortController()
  const left = await downloads.open(wanted, one, { signal: gone.signal })
  left.end?.()
  t.match((await readAll(left.read(0, {}))).error, { code: 'ERR_INTERRUPTED' })
})

t.test(
  'machines upgrade while nothing can be kept, and upstream spoils what it sends',
  async (t) => {
    const names = ['ant', 'bee', 'cat', 'dog']
    const packages = names.map((name) => ({ name, version: '1', arch: 'amd64', content: 300_000 }))
    const full = { 'disk-reserve': '1000T', 'log-level': 'silent' }
    const world = await makeWorld(t, packages, { start: { flags: { 'log-level': 'silent' } } })
    const apt = await world.machine('one', 'approved')
    await world.sluice.close()
    const sluice = await startSluice(world.sluice.dataDir, { flags: full })
    t.teardown(() => sluice.close())
    const key = `${apt.dir}/sluice.asc`
    await apt.setSources(`deb [signed-by=${key}] ${sluice.url}/channels/approved/nut stable main`)
    t.same(troubles(await apt.update()), clean)
    world.upstream.fault(/\.deb$/, { kind: 'flip', offset: 100 }, { every: 2 })
    const run = await apt.download(...names)
    t.equal(run.code, 0, JSON.stringify(troubles(run)))
    world.upstream.clearFaults()
    t.match(
      await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true }),
      {},
    )
    t.match(await sluice.api('POST', '/channels', { name: 'web', from: 'approved' }), {
      error: { code: 'ERR_DISK_FULL', message: /^nothing is published while / },
    })
  },
)
