/**
 * A set of digests holds what was added and nothing else, however many there are.
 */
import t from 'tap'
import { createDigestSet } from '../../src/base/digest-set.ts'
import { type Sha256, sha256In, sha256Of } from '../../src/base/sha256.ts'

t.test('a set of digests is a set', async (t) => {
  const set = createDigestSet()
  const inside = Array.from({ length: 5000 }, (_, at) => sha256Of(`inside ${at}`))
  t.ok(inside.every((digest) => set.add(digest)))
  t.notOk(
    inside.some((digest) => set.add(digest)),
    'a second time changes nothing',
  )
  t.equal(set.size, 5000)
  t.ok(inside.every((digest) => set.has(digest)))
  t.notOk(inside.some((_, at) => set.has(sha256Of(`outside ${at}`))))
  const near = inside.map((digest) => digest.replace(/.$/, '0') as Sha256)
  t.ok(
    near.every((digest) => set.has(digest)),
    'the first half of a digest stands for it',
  )
  const beside = inside.map(
    (digest) => `${digest.slice(0, 24)}00000000${digest.slice(32)}` as Sha256,
  )
  t.notOk(
    beside.some((digest) => set.has(digest)),
    'all of that half',
  )
})

t.test('digests are found wherever they stand in a text, and only whole ones', (t) => {
  const [one, two] = [sha256Of('one'), sha256Of('two')]
  for (let blanks = 0; blanks < 70; blanks++) {
    const lead = ' '.repeat(blanks)
    t.same(sha256In(Buffer.from(`${lead}${one}`)), [one])
    t.same(sha256In(Buffer.from(`${lead}SHA256: ${one}\n ${two} 12 name\n`)), [one, two])
    const others = `${lead}${one}0 ${one.slice(1)} ${one.toUpperCase()} ${one}${two}\n`
    t.same(sha256In(Buffer.from(others)), [])
  }
  t.end()
})
