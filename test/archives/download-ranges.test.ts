/** Large files in several parts at once, from all mirrors: the same bytes, in order for clients, each asked for once. */
import t from 'tap'
import { HOLD_BACK } from '../../src/archives/download.ts'
import { makeDownloadBed, readAll } from '../support/download-bed.ts'

const MiB = 1024 * 1024
const size = 36 * MiB + 12_345
const options = { parallelRanges: 4 }

t.test('both mirrors give parts, and clients get all in order', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t, options)
  const some = await file('some.deb', size)
  const begun = Promise.withResolvers<void>()
  for (const mirror of [first, second]) {
    mirror.fault(some.path, { kind: 'rate', bytesPerSecond: 6 * MiB })
    mirror.fault(some.path, { kind: 'hold', bytes: MiB, until: begun.promise })
  }
  const download = await downloads.open(some.wanted, some.both, {})
  let atFirst = 0
  const results = await Promise.all(
    [0, 1, 2].map(() =>
      readAll(download.read(0, {}), () => {
        if (atFirst === 0) atFirst = first.bytes() + second.bytes()
        begun.resolve()
      }),
    ),
  )
  for (const result of results)
    t.same(result, { got: size, sha256: some.wanted.sha256, error: undefined })
  t.ok(atFirst < size / 2, 'the first bytes came while most was on its way')
  t.equal(first.bytes() + second.bytes(), size, 'no byte came twice')
  t.ok(first.bytes() > size / 4 && second.bytes() > size / 4)
  await download.done
})

t.test('a small file comes in one', async (t) => {
  const { downloads, first, second, file } = await makeDownloadBed(t, options)
  const some = await file('some.deb', 30 * MiB)
  await downloads.fetch(some.wanted, some.both, {})
  t.same([first.count(), second.count()], [1, 0])
})

t.test(
  'a mirror without ranges, one that breaks and one that is gone are made up for',
  async (t) => {
    const { downloads, first, second, file } = await makeDownloadBed(t, options)
    for (const [name, fault] of [
      ['no-range', { kind: 'no-range' }],
      ['truncate', { kind: 'truncate', bytes: 1_000_000 }],
      ['absent', { kind: 'status', status: 404 }],
    ] as const) {
      const some = await file(`${name}.deb`, size)
      first.fault(some.path, fault)
      const download = await downloads.open(some.wanted, some.both, {})
      t.equal((await readAll(download.read(0, {}))).sha256, some.wanted.sha256, name)
      t.ok(second.bytes(some.path) > size * 0.8, name)
    }
  },
)

t.test('where none gives parts, it comes as ever', async (t) => {
  const { downloads, first, file } = await makeDownloadBed(t, options)
  const some = await file('some.deb', size)
  first.fault(some.path, { kind: 'no-range' })
  await downloads.fetch(some.wanted, some.one, {})
  const other = await file('other.deb', size)
  first.fault(other.path, { kind: 'truncate', bytes: 5 * MiB })
  await downloads.fetch(other.wanted, other.one, {})
  t.ok(first.bytes(other.path) < size + 20 * MiB)
})

t.test('a part that is wrong is given to nobody whole, and kept nowhere', async (t) => {
  const { downloads, blobs, first, second, file } = await makeDownloadBed(t, options)
  const some = await file('some.deb', size)
  for (const mirror of [first, second])
    mirror.fault(some.path, { kind: 'flip', offset: 20 * MiB }, { times: 1 })
  for (const mirror of [first, second]) mirror.fault(some.path, { kind: 'flip', offset: 21 * MiB })
  const download = await downloads.open(some.wanted, some.both, {})
  const { got, error } = await readAll(download.read(0, {}))
  t.match(error, { code: 'ERR_DIGEST_MISMATCH' })
  t.ok(got <= size - HOLD_BACK)
  for (const mirror of [first, second]) mirror.clearFaults()
  await downloads.fetch(some.wanted, some.both, {})
  t.ok(await blobs.has(some.wanted.sha256))
})
