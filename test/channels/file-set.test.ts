/** Files by number: each digest once, found again by its bytes, however many there are. */
import t from 'tap'
import { sha256Bytes, sha256Of } from '../../src/base/sha256.ts'
import { createFileSet } from '../../src/channels/file-set.ts'

t.test('each digest has one number, with the size that was told first', async (t) => {
  const set = createFileSet()
  const digests = Array.from({ length: 20_000 }, (_, at) => sha256Of(String(at)))
  const numbers = digests.map((digest, at) => set.add(digest, at))
  t.equal(set.count, digests.length)
  t.same(
    digests.map((digest) => set.add(digest, 1)),
    numbers,
  )
  t.equal(set.count, digests.length)
  const bytes = Buffer.concat(digests.map(sha256Bytes))
  t.ok(numbers.every((number, at) => set.find(bytes, at * 32) === number))
  t.ok(numbers.every((number, at) => set.sizeOf(number) === at))
  t.ok(numbers.every((number, at) => set.sha256Of(number) === digests[at]))
  t.equal(set.find(sha256Bytes(sha256Of('another')), 0), -1)
})

t.test('digests that begin alike are told apart', async (t) => {
  const set = createFileSet()
  const alike = Array.from({ length: 300 }, (_, at) => `ffffffff${sha256Of(String(at)).slice(8)}`)
  const numbers = alike.map((digest) => set.add(digest, 1))
  t.equal(new Set(numbers).size, alike.length)
  for (const [at, digest] of alike.entries()) {
    if (set.find(Buffer.from(digest, 'hex'), 0) !== numbers[at]) t.fail(digest)
  }
})
