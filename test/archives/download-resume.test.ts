/** Transfers that break or stand still go on where they were, from the same or another mirror, and mix no two files. */
import t from 'tap'
import { makeDownloadBed, readAll } from '../support/download-bed.ts'
import type { TestUpstream } from '../support/upstream-server.ts'

const MiB = 1024 * 1024

/** Holds the next transfer of that path until what this gives is called, which is then done once, before the rest comes. */
function atFirst(mirror: TestUpstream, path: string, change: () => void): () => void {
  const rest = Promise.withResolvers<void>()
  mirror.fault(path, { kind: 'hold', bytes: MiB, until: rest.promise }, { times: 1 })
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    change()
    rest.resolve()
  }
}

t.test('a broken transfer goes on where it broke, with no byte asked for twice', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', 2 * MiB)
  first.fault(some.path, { kind: 'truncate', bytes: 700_001 }, { times: 2 })
  const download = await downloads.open(some.wanted, some.one, {})
  const result = await readAll(download.read(0, {}))
  t.same(result, { got: 2 * MiB, sha256: some.wanted.sha256, error: undefined })
  t.equal(first.bytes(), 2 * MiB)
  t.same(
    first.requests.map(({ headers, status }) => [headers.range, status]),
    [
      [undefined, 200],
      ['bytes=700001-', 206],
      ['bytes=1400002-', 206],
    ],
  )
})

t.test('one that breaks again and again comes to its end, however often', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'truncate', bytes: 200_000 })
  const download = await downloads.open(some.wanted, some.one, {})
  t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256)
  t.equal(first.count(), 6)
  t.equal(first.bytes(), MiB)
})

t.test('a mirror that breaks twice leaves the rest to the next', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t)
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'truncate', bytes: 100_000 })
  await downloads.fetch(some.wanted, some.both, {})
  t.equal(first.count(), 2)
  t.equal(second.requests[0]?.headers.range, 'bytes=200000-')
  t.equal(first.bytes() + second.bytes(), MiB)
})

t.test('a mirror that hangs in the middle is left for the next, which goes on there', async (t) => {
  // So long that a machine which is busy does not pause for it.
  const upstream = { stallMs: 2000, firstByteTimeoutMs: 2000 }
  const { downloads, first, second, file } = await makeDownloadBed(t, { upstream })
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'stall', bytes: 500_000 })
  await downloads.fetch(some.wanted, some.both, {})
  t.equal(second.requests[0]?.headers.range, 'bytes=500000-')
  t.equal(first.bytes() + second.bytes(), MiB)
  const other = await file('other.deb', MiB)
  first.fault(other.path, { kind: 'hang' })
  await downloads.fetch(other.wanted, other.both, {})
  t.equal(first.count(other.path), 1)
})

t.test('a server without ranges sends all again, and the known part is skipped', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'truncate', bytes: 600_000 }, { times: 1 })
  first.fault(some.path, { kind: 'no-range' })
  const download = await downloads.open(some.wanted, some.one, {})
  const result = await readAll(download.read(0, {}))
  t.same(result, { got: MiB, sha256: some.wanted.sha256, error: undefined })
  t.equal(first.bytes(), MiB + 600_000)
})

t.test('a file that was replaced in the middle is not mixed with the old one', async (t) => {
  let replace = () => {}
  const log = { info: () => undefined, warn: () => replace() }
  const { downloads, first, second, file } = await makeDownloadBed(t, { log })
  replace = () => first.fault('/some.deb', { kind: 'wrong-size', by: 1000 })
  const some = await file('some.deb', MiB)
  first.fault(some.path, { kind: 'truncate', bytes: 600_000 }, { times: 1 })
  const download = await downloads.open(some.wanted, some.both, {})
  t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256)
  t.equal(first.count(), 2)
  t.equal(second.requests[0]?.headers.range, 'bytes=600000-')
  t.equal(second.bytes(), MiB - 600_000)
})

t.test('nor is one of the same length', async (t) => {
  let replace = () => {}
  const log = { info: () => undefined, warn: () => replace() }
  const { downloads, first, second, file } = await makeDownloadBed(t, { log })
  const some = await file('some.deb', MiB)
  replace = () => first.fault(some.path, { kind: 'flip', offset: 10 })
  first.fault(some.path, { kind: 'truncate', bytes: 600_000 }, { times: 1 })
  first.fault(some.path, { kind: 'no-range' })
  const download = await downloads.open(some.wanted, some.both, {})
  t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256)
  const ifRange = first.requests[1]?.headers['if-range']
  t.ok(Date.parse(String(ifRange)) > 0, 'the rest is asked for if the file is still the same')
  t.equal(second.requests[0]?.headers.range, 'bytes=600000-')
  t.equal(second.requests[0]?.headers['if-range'], undefined, 'which is between us and one mirror')
})

t.test('a server that sends another part than asked for is passed over', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t)
  const ranges = [
    'bytes 499999-1048575/1048576',
    'bytes 500000-1048574/1048576',
    'bytes 500000-1048575/9',
  ]
  for (const [at, range] of [...ranges, ''].entries()) {
    const next = await file(`${at}.deb`, MiB)
    const body = 'x'.repeat(MiB - 500_000)
    const headers = { 'Content-Range': range }
    first.fault(next.path, { kind: 'truncate', bytes: 500_000 })
    const told = Promise.withResolvers<void>()
    first.fault(next.path, { kind: 'hold', bytes: 200_000, until: told.promise }, { times: 1 })
    const download = await downloads.open(next.wanted, next.both, {})
    first.fault(next.path, { kind: 'status', status: 206, body, headers })
    told.resolve()
    t.equal((await readAll(download.read(0, {}))).sha256, next.wanted.sha256, range)
    t.equal(second.bytes(next.path), MiB - 500_000)
  }
})

t.test('an upstream that starts anew in the middle breaks no stream', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t)
  const some = await file('some.deb', 4 * MiB)
  first.fault(some.path, { kind: 'truncate', bytes: 2 * MiB }, { times: 1 })
  const goDown = atFirst(first, some.path, () => {
    first.fault(some.path, { kind: 'status', status: 503 }, { times: 4 })
  })
  const download = await downloads.open(some.wanted, some.one, {})
  const result = await readAll(download.read(0, {}), goDown)
  t.same(result, { got: 4 * MiB, sha256: some.wanted.sha256, error: undefined })
  t.equal(first.count(), 6)
})

t.test('what came before all mirrors failed is gone on with, by clients too', async (t) => {
  const { downloads, first, second, file, tempFiles } = await makeDownloadBed(t, {
    breakPatienceMs: 0,
  })
  const other = await file('other.deb', 4 * MiB)
  first.fault(other.path, { kind: 'truncate', bytes: 2 * MiB }, { times: 1 })
  const goDown = atFirst(first, other.path, () => {
    first.fault(other.path, { kind: 'status', status: 503 })
  })
  const broken = await downloads.open(other.wanted, other.one, {})
  const half = await readAll(broken.read(0, {}), goDown)
  t.match(half.error, { code: 'ERR_UPSTREAM_STATUS' })
  t.equal(half.got, 2 * MiB)
  t.equal((await tempFiles()).length, 1)
  const again = await downloads.open(other.wanted, other.other, {})
  t.equal(again.modifiedAt, broken.modifiedAt, 'the same bytes: clients may go on, too')
  const rest = await readAll(again.read(half.got, {}))
  t.equal(rest.got, 2 * MiB)
  t.equal(second.requests[0]?.headers.range, `bytes=${2 * MiB}-`)
  await again.done
  t.same(await tempFiles(), [])
})

t.test('if it was wrong, it is not joined with other bytes', async (t) => {
  const { downloads, blobs, first, second, file } = await makeDownloadBed(t, { breakPatienceMs: 0 })
  const some = await file('some.deb', 4 * MiB)
  first.fault(some.path, { kind: 'truncate', bytes: 2 * MiB }, { times: 1 })
  first.fault(some.path, { kind: 'flip', offset: 9 }, { times: 1 })
  const goDown = atFirst(first, some.path, () => {
    first.fault(some.path, { kind: 'status', status: 503 })
  })
  const broken = await downloads.open(some.wanted, some.one, {})
  await readAll(broken.read(0, {}), goDown)
  const wrong = await downloads.open(some.wanted, some.other, {})
  t.match((await readAll(wrong.read(0, {}))).error, { code: 'ERR_DIGEST_MISMATCH' })
  const right = await downloads.open(some.wanted, some.other, {})
  t.not(right.modifiedAt, broken.modifiedAt)
  t.equal((await readAll(right.read(0, {}))).sha256, some.wanted.sha256)
  await right.done
  t.ok(await blobs.has(some.wanted.sha256))
  t.equal(second.count(), 2)
})
