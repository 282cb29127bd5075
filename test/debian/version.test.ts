/** The order and syntax of versions, judged by dpkg itself. */
import t from 'tap'
import { fieldValue, splitStanzas } from '../../src/debian/control.ts'
import { compareVersions, isVersion, withoutEpoch } from '../../src/debian/version.ts'
import { run, runOk } from '../support/run.ts'
import { drawFrom, newSeed, readRealIndex } from './real-index.ts'

type Pair = readonly [a: string, b: string]

const nasty = [
  ...['1.0', '1.0-0', '1.0-00', '0:1.0', '00:1.0-0', '1.0-1', '1.0-1~', '1.0~', '1.0~~', '1.0~~a'],
  ...['1.0~rc1-1', '1.0+b1', '1.0-1+b1', '1.0-1+deb12u1', '1.0-1~bpo12+1', '1.0a', '1.0.', '1.0.0'],
  ...['4.0-rc1-1', '4.0+dfsg-1', '4.0-1', '4.0-1-1', '4.0.1-1', '4.00-1', '04.0-1', '4:0-1', '1:0'],
  ...['1:1.0', '2:0.1~', '10:0', '2147483647:1', '0.1', '0', '0~', '0-0~', '1A', '1a', '1Z', '1z'],
  ...['1.0+git20240101.abcdef', '1.0+git20240102', '20240101', '20240101000000000000000000000001'],
  ...['20240101000000000000000000000002', '1.2.3-4.5', '1.2.3-4.10', '1.2-3.4-5', '1:2:3-4', '1+1'],
  ...['1.~', '1.a', '1-a~b', '1-0.1', '1-0', '1+', '1~+', '1~-1', '1++', '1.0+~1.0', '1.1'],
]

/** dpkg must say yes to the relation that we see; the pairs of which it says no come back. */
async function refutedByDpkg(pairs: readonly Pair[]): Promise<string[]> {
  const lines = pairs.map(([a, b]) => `${a} ${relation(compareVersions(a, b))} ${b}\n`)
  const half = Math.ceil(lines.length / 2)
  const script =
    'while read -r a op b; do dpkg --compare-versions "$a" "$op" "$b" || echo "$a $op $b"; done'
  const judged = await Promise.all(
    [lines.slice(0, half), lines.slice(half)].map((part) =>
      runOk('sh', ['-c', script], { input: part.join(''), timeoutMs: 900_000 }),
    ),
  )
  return judged.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line !== ''))
}

function relation(order: number): 'lt' | 'eq' | 'gt' {
  if (order === 0) return 'eq'
  return order < 0 ? 'lt' : 'gt'
}

async function realVersions(): Promise<string[]> {
  const buf = await readRealIndex()
  const places = splitStanzas(buf)
  const versions = new Set<string>()
  for (let at = 0; at < places.length; at += 2) {
    versions.add(fieldValue(buf, places[at] ?? 0, places[at + 1] ?? 0, 'Version') ?? '')
  }
  return [...versions]
}

t.test('10,000 pairs from the real index are ordered as dpkg orders them', async (t) => {
  const seed = newSeed()
  t.comment(`SLUICE_SEED=${seed}`)
  const draw = drawFrom(seed)
  const versions = (await realVersions()).sort(compareVersions)
  t.ok(versions.length > 1000, 'the index is a real one')
  const pairs: Pair[] = []
  while (pairs.length < 10_000) {
    // Half of them are neighbours in the order, where the difference lies deep in the text.
    const at = draw(versions.length)
    const near = Math.min(versions.length - 1, at + 1 + draw(5))
    const other = pairs.length % 2 === 0 ? near : draw(versions.length)
    const pair: Pair = [versions[at] ?? '', versions[other] ?? '']
    pairs.push(draw(2) === 0 ? pair : [pair[1], pair[0]])
  }
  t.same(await refutedByDpkg(pairs), [])
})

t.test('pairs that are known to go wrong are ordered as dpkg orders them', async (t) => {
  const pairs: Pair[] = [
    ['4.0-rc1-1', '4.0+dfsg-1'],
    ['1.0', '1.0-0'],
    ['1.0~rc1', '1.0'],
    ['1:0.1', '2.0'],
    ['0:1.0', '1.0'],
    ['1:2:3-4', '1:2-4'],
  ]
  const draw = drawFrom(42)
  while (pairs.length < 1500) {
    pairs.push([nasty[draw(nasty.length)] ?? '', nasty[draw(nasty.length)] ?? ''])
  }
  t.same(await refutedByDpkg(pairs), [])
  for (const [a, b] of pairs) {
    const isMirrored = Math.sign(compareVersions(a, b)) === -Math.sign(compareVersions(b, a))
    if (!isMirrored) t.fail(`${a} and ${b} compare differently the other way round`)
  }
})

t.test('a version is one when dpkg validates it', async (t) => {
  const bad = ['', ':1', '1:', 'a:1', '-1', '1-', '1.0-1-', '2147483648:1', '99999999999:1', 'abc']
  const odd = ['1_2', '1-a_b', '1.0-1:2', '1:1.0-1:2', '1/2', '1 2', '1\t2', 'v1.0', '1.0-é', '~1']
  const found: string[] = []
  for (const text of [...nasty, ...bad, ...odd]) {
    const { code } = await run('dpkg', ['--validate-version', text])
    if ((code === 0) !== isVersion(text)) found.push(`${text}: dpkg ends with ${code}`)
  }
  t.same(found, [])
  t.same(
    (await realVersions()).filter((version) => !isVersion(version)),
    [],
  )
})

t.test('file names carry a version without its epoch', async (t) => {
  t.same(['1:2-3', '2-3', '0:1:2-3'].map(withoutEpoch), ['2-3', '2-3', '1:2-3'])
})
