/**
 * Fallback URLs: asked for a file when no other URL has it, and for nothing else; and whether a file is gone for good.
 */
import t from 'tap'
import { isGone, type Source } from '../../src/archives/download.ts'
import { makeDownloadBed, readAll, type TestFile } from '../support/download-bed.ts'

const withFallback = ({ one, other }: TestFile): Source => ({
  urls: one.urls,
  fallbacks: other.urls,
})
const absent = { kind: 'status', status: 404 } as const

t.test('a fallback is asked when the file is gone', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t)
  const some = await file('some.deb', 1000)
  first.fault(some.path, { kind: 'status', status: 410 })
  await downloads.fetch(some.wanted, withFallback(some), {})
  t.equal(first.count(), 1)
  t.equal(second.count(), 1)
})

t.test('it is not asked for what is there, or only ill for the moment', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t)
  const here = await file('here.deb', 1000)
  await downloads.fetch(here.wanted, withFallback(here), {})
  for (const [name, status] of [
    ['ill', 503],
    ['barred', 403],
  ] as const) {
    const some = await file(`${name}.deb`, 1000)
    first.fault(some.path, { kind: 'status', status })
    const failure = await downloads
      .fetch(some.wanted, withFallback(some), {})
      .catch((error: unknown) => error)
    t.ok(failure instanceof Error && !isGone(failure), name)
  }
  const moment = await file('moment.deb', 1000)
  first.fault(moment.path, { kind: 'status', status: 500 }, { times: 1 })
  await downloads.fetch(moment.wanted, withFallback(moment), {})
  t.equal(second.count(), 0)
})

t.test('wrong bytes everywhere else lead to it, for the next reader at once', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t)
  const small = await file('small.deb', 1000)
  first.fault(small.path, { kind: 'flip', offset: 5 })
  await downloads.fetch(small.wanted, withFallback(small), {})
  t.equal(second.count(small.path), 1)
  const large = await file('large.deb', 400_000)
  first.fault(large.path, { kind: 'flip', offset: 5 })
  const broken = await downloads.open(large.wanted, withFallback(large), {})
  t.match((await readAll(broken.read(0, {}))).error, { code: 'ERR_DIGEST_MISMATCH' })
  const again = await downloads.open(large.wanted, withFallback(large), {})
  t.equal((await readAll(again.read(0, {}))).sha256, large.wanted.sha256)
  t.equal(first.count(large.path), 1)
})

t.test('a file is gone when each URL says so for good', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t)
  const fate = async (some: TestFile, source: Source): Promise<boolean> => {
    const error = await downloads.fetch(some.wanted, source, {}).catch((thrown: unknown) => thrown)
    return isGone(error)
  }
  const both = await file('both.deb', 1000)
  first.fault(both.path, absent)
  second.fault(both.path, absent)
  t.equal(await fate(both, both.both), true)
  t.equal(await fate(both, withFallback(both)), true)
  const half = await file('half.deb', 1000)
  first.fault(half.path, absent)
  second.fault(half.path, { kind: 'status', status: 503 })
  t.equal(await fate(half, half.both), false, 'one may have it')
  t.equal(await fate(half, withFallback(half)), false, 'the fallback may have it')
  const wrong = await file('wrong.deb', 1000)
  first.fault(wrong.path, absent)
  second.fault(wrong.path, { kind: 'wrong-size', by: 3 })
  t.equal(await fate(wrong, wrong.both), true, 'another file in its place')
  const other = await file('other.deb', 1000)
  first.fault(other.path, { kind: 'status', status: 503 })
  second.fault(other.path, { kind: 'flip', offset: 1 })
  t.equal(await fate(other, other.both), false)
})
