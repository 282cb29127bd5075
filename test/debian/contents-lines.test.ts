/**
 * Merging Contents: as if all lines were in memory, whatever the bytes of the paths and however they come in pieces.
 */
import t from 'tap'
import {
  type ContentsLine,
  type ContentsLines,
  contentsPath,
  formatContents,
  mergeLines,
  ownerName,
  readContentsLines,
  withoutOwners,
} from '../../src/debian/contents-lines.ts'
import { makeRandom } from '../support/fuzz.ts'
import { seedOr } from '../support/seed.ts'

type Owners = Map<string, Set<string>>

async function* inPieces(data: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += length) yield data.subarray(at, at + length)
}

async function all(lines: ContentsLines): Promise<ContentsLine[]> {
  const found: ContentsLine[] = []
  for await (const some of lines) found.push(...some)
  return found
}

/** The plain way: bytes compared by Buffer. */
function textOf(owners: Owners): Buffer {
  const order = (a: [string, unknown], b: [string, unknown]): number =>
    Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0]))
  const lines = [...owners].sort(order).map(([path, names]) => {
    const bytes = Buffer.from(path)
    const pad = Buffer.alloc(Math.max(0, 55 - bytes.length) + 1, ' ')
    return Buffer.concat([bytes, pad, Buffer.from(`${[...names].sort().join(',')}\n`)])
  })
  return Buffer.concat(lines)
}

t.test('merged and thinned out, it is what one has who starts afresh', async (t) => {
  const seed = seedOr(process.env.SEED)
  const random = makeRandom(seed)
  const pick = <T>(some: readonly T[]): T =>
    some[Math.floor(random() * some.length)] ?? (some[0] as T)
  // Bytes that look like white space, are above others in another order than UTF-16 has, or sort about the slash.
  const words = ['a', 'à', 'b c', '\u{1f600}', '\uffee', 'é,x', '-', '.', 'z'.repeat(60), ' d']
  for (let round = 0; round < 40; round += 1) {
    const packages = Array.from({ length: Math.ceil(random() * 6) }, (_, at) => {
      const paths = Array.from({ length: Math.floor(random() * 60) }, () =>
        Array.from({ length: Math.ceil(random() * 3) }, () => pick(words)).join('/'),
      )
      return { owner: ownerName(pick(['net', 'contrib/web', undefined]), `pkg${at}`), paths }
    })
    const owners = (some: typeof packages): Owners => {
      const found: Owners = new Map()
      for (const { owner, paths } of some)
        for (const path of paths) found.set(path, (found.get(path) ?? new Set()).add(owner))
      return found
    }
    const sources = packages.map((one) => readContentsLines(inPieces(textOf(owners([one])), 7)))
    const merged = formatContents(await all(mergeLines(sources)))
    t.ok(merged.equals(textOf(owners(packages))), `seed ${seed}, round ${round}: merged`)
    const length = Math.ceil(random() * 100)
    const thin = withoutOwners(readContentsLines(inPieces(merged, length)), new Set(['pkg0']))
    const left = formatContents(await all(mergeLines([thin])))
    t.ok(left.equals(textOf(owners(packages.slice(1)))), `seed ${seed}, round ${round}: less one`)
  }
})

t.test('what would break a line does not come into one', (t) => {
  t.equal(ownerName('net,x', 'app'), 'app')
  t.equal(ownerName('a b', 'app'), 'app')
  t.equal(ownerName('non-free/net', 'app'), 'non-free/net/app')
  t.equal(contentsPath('a\nb'), undefined)
  t.equal(contentsPath('  '), undefined)
  t.equal(contentsPath('usr/a  '), 'usr/a')
  t.equal(Buffer.from(contentsPath('usr/à') ?? '', 'latin1').toString(), 'usr/à')
  t.end()
})
