/** A mirror that is silent at first gets a rival, so that nobody waits for its time-out. */
import t from 'tap'
import { makeDownloadBed, readAll } from '../support/download-bed.ts'

const rivalAfterMs = 50

t.test('who answers first is taken', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t, { rivalAfterMs })
  const some = await file('some.deb', 300_000)
  first.fault(some.path, { kind: 'hang' })
  const download = await downloads.open(some.wanted, some.both, {})
  t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256)
  t.same([first.bytes(), second.bytes()], [0, 300_000])
})

t.test('one that answers in time has none', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t, { rivalAfterMs: 300_000 })
  const some = await file('some.deb', 300_000)
  await downloads.fetch(some.wanted, some.both, {})
  t.same([first.count(), second.count()], [1, 0])
})

t.test('a rival that fails changes nothing', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t, {
    rivalAfterMs,
    upstream: { firstByteTimeoutMs: 2000 },
  })
  const some = await file('some.deb', 300_000)
  first.fault(some.path, { kind: 'hang' }, { times: 1 })
  second.fault(some.path, { kind: 'status', status: 404 })
  await downloads.fetch(some.wanted, some.both, {})
  t.same([first.count(), second.count()], [2, 1])
})

t.test('the slower of two that answer is let go', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t, { rivalAfterMs: 0 })
  const some = await file('some.deb', 4_000_000)
  const slow = { kind: 'rate', bytesPerSecond: 2_000_000 } as const
  for (const mirror of [first, second]) mirror.fault(some.path, slow)
  const download = await downloads.open(some.wanted, some.both, {})
  t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256)
  t.ok(Math.min(first.bytes(), second.bytes()) < 3_500_000)
})
