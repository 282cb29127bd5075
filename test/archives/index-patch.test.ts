/**
 * Patches between indexes, judged by the programs that apply them: ed, patch, and apt's own rred.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { buildIndex } from '../../src/archives/index-build.ts'
import { editIndex } from '../../src/archives/index-edit.ts'
import {
  chunksAt,
  type IndexEntry,
  readChunk,
  readEntries,
} from '../../src/archives/index-parts.ts'
import { createIndexPatcher, type IndexPatcher } from '../../src/archives/index-patch.ts'
import { openIndexText } from '../../src/archives/index-text.ts'
import type { Sha256 } from '../../src/base/sha256.ts'
import {
  openIndexParts,
  packagesText,
  type SamplePackage,
  seededRandom,
} from '../support/index-parts.ts'
import { run, runOk } from '../support/run.ts'
import { seedOr } from '../support/seed.ts'
import { testDir } from '../support/test-dir.ts'

type Parts = Awaited<ReturnType<typeof openIndexParts>>

async function build(parts: Parts, packages: readonly SamplePackage[]): Promise<Sha256> {
  const scratch = await openIndexText(parts.blobs.tempPath())
  try {
    await scratch.append(Readable.from([packagesText(packages)]))
    return (await buildIndex(parts, scratch, { kind: 'Packages', archiveId: 1 })).root
  } finally {
    await scratch.close()
  }
}

async function textOf(parts: Parts, root: Sha256): Promise<Buffer> {
  const texts: Buffer[] = []
  for (const chunk of await chunksAt(parts, root)) texts.push(await readChunk(parts, chunk))
  return Buffer.concat(texts)
}

async function entriesOf(parts: Parts, root: Sha256): Promise<IndexEntry[]> {
  const all: IndexEntry[] = []
  for (const chunk of await chunksAt(parts, root))
    all.push(...(await readEntries(parts, chunk, 'Packages')))
  return all
}

/** Says which program did not make `fresh` out of `old` with the script. */
async function misjudged(
  dir: string,
  old: Buffer,
  fresh: Buffer,
  script: string,
): Promise<string[]> {
  const paths = ['old', 'patch', 'by-ed', 'by-patch', 'by-rred'].map((name) => join(dir, name))
  const [from = '', patch = '', byEd = '', byPatch = '', byRred = ''] = paths
  await writeFile(from, old)
  await writeFile(patch, script, 'latin1')
  await writeFile(byEd, old)
  await writeFile(byPatch, old)
  await writeFile(byRred, '')
  const wrong: string[] = []
  const judge = async (name: string, path: string): Promise<void> => {
    if (!(await readFile(path)).equals(fresh)) wrong.push(name)
  }
  // Both are nothing without a command, or without a file to begin with.
  if (script !== '' && old.length > 0) {
    await runOk('ed', ['-s', byEd], { input: Buffer.from(`${script}w\nq\n`, 'latin1') })
    await judge('ed', byEd)
    await runOk('patch', ['--quiet', '--ed', byPatch, patch])
    await judge('patch', byPatch)
  }
  await runOk('/usr/lib/apt/methods/rred', ['-t', from, byRred, patch])
  await judge('rred', byRred)
  return wrong
}

async function openParts(t: Test): Promise<Parts & { readonly dir: string }> {
  const dir = testDir(t)
  const parts = await openIndexParts(dir)
  t.teardown(() => parts.close())
  return { ...parts, dir }
}

/** The whole patch as text; undefined where none is made. */
async function scriptOf(
  patcher: IndexPatcher,
  from: Sha256,
  to: Sha256,
  maxBytes: number,
): Promise<string | undefined> {
  const pieces = await patcher.patch(from, to, maxBytes)
  return pieces && Buffer.concat(pieces).toString('latin1')
}

const many = (count: number, version = '1'): SamplePackage[] =>
  Array.from({ length: count }, (_, at) => ({ name: `pkg${at}`, version }))

t.test('indexes edited at random become one another, by ed, patch and rred', async (t) => {
  const seed = seedOr(process.env.SEED)
  t.comment(`SEED=${seed}`)
  const random = seededRandom(seed)
  const parts = await openParts(t)
  const patcher = createIndexPatcher(parts)
  const pick = (count: number): number => Math.floor(random() * count)
  const sample = (): SamplePackage => ({
    name: `p${pick(1500)}`,
    version: `${pick(3)}-${pick(2)}`,
    source: `s${pick(40)}`,
  })
  const samples = (count: number): SamplePackage[] => {
    const all = Array.from({ length: count }, sample)
    return [...new Map(all.map((one) => [`${one.name} ${one.version}`, one])).values()]
  }
  const roots = [await build(parts, samples(1200))]
  for (let round = 0; round < 20; round++) {
    const root = roots.at(-1)
    const all = root === undefined ? [] : await entriesOf(parts, root)
    const isLarge = round % 6 === 5
    const remove = all.filter(() => random() < (isLarge ? 0.5 : 0.004))
    const add = await entriesOf(parts, await build(parts, samples(isLarge ? 600 : 3)))
    roots.push(await editIndex(parts, root, { remove, add }))
  }
  for (let round = 0; round < 25; round++) {
    // To later ones as after a promotion, and to earlier ones as after a rollback.
    const [from, to] = [pick(roots.length), pick(roots.length)]
    const [one, other] = [roots[from], roots[to]]
    if (one === undefined || other === undefined) throw new Error('no such root')
    const [old, fresh] = [await textOf(parts, one), await textOf(parts, other)]
    const script = await scriptOf(patcher, one, other, 10_000_000)
    t.same(await misjudged(parts.dir, old, fresh, script ?? 'none'), [], `${from} to ${to}`)
  }
})

t.test('the first and the last stanza, and all of them, come, change and go', async (t) => {
  const parts = await openParts(t)
  const patcher = createIndexPatcher(parts)
  const packages = many(400).sort((a, b) => (a.name < b.name ? -1 : 1))
  const [first, ...rest] = packages
  const last = rest.pop()
  if (first === undefined || last === undefined) throw new Error('no packages')
  const bumped = (one: SamplePackage): SamplePackage => ({ ...one, version: '2' })
  const indexes = {
    whole: packages,
    'without the first': [...rest, last],
    'without the last': [first, ...rest],
    'with a newer first': [bumped(first), ...rest, last],
    'with a newer last': [first, ...rest, bumped(last)],
    'with a newer first and last': [bumped(first), ...rest, bumped(last)],
    'with one before and one behind': [
      { name: 'aaa', version: '1' },
      ...packages,
      { name: 'zzz', version: '1' },
    ],
    'with two versions of all': [...packages, ...packages.map(bumped)],
    'newer throughout': packages.map(bumped),
    empty: [],
  }
  const whole = await build(parts, packages)
  for (const [name, other] of Object.entries(indexes)) {
    const root = await build(parts, other)
    for (const [from, to] of [
      [whole, root],
      [root, whole],
    ] as const) {
      const [old, fresh] = [await textOf(parts, from), await textOf(parts, to)]
      const script = await scriptOf(patcher, from, to, 10_000_000)
      t.same(await misjudged(parts.dir, old, fresh, script ?? 'none'), [], name)
    }
  }
  t.equal(await scriptOf(patcher, whole, whole, 0), '', 'nothing to change')
})

t.test('one newer package takes the lines that are newer, and nothing is read twice', async (t) => {
  const parts = await openParts(t)
  const patcher = createIndexPatcher(parts)
  const packages = many(3000)
  const old = await build(parts, packages)
  const fresh = await build(
    parts,
    packages.map((one) => (one.name === 'pkg77' ? { ...one, version: '2' } : one)),
  )
  const script = await scriptOf(patcher, old, fresh, 10_000)
  t.match(script, /^\d+,\d+c\nVersion: 2\n/)
  t.notMatch(script, /Description/, 'what did not change is not in it')
  const noMore = createIndexPatcher({ ...parts, texts: { ...parts.texts, get: never } })
  t.equal(await scriptOf(patcher, old, fresh, 10_000), script)
  await t.rejects(scriptOf(noMore, old, fresh, 10_000), 'another one has to read')
})

t.test(
  'of two large patches that differ by one package all but one piece is the same',
  async (t) => {
    const parts = await openParts(t)
    const patcher = createIndexPatcher(parts)
    const newer = (isNewer: (at: number) => boolean): SamplePackage[] =>
      many(9000).map((one, at) => (isNewer(at) ? { ...one, version: '2' } : one))
    const [old, older] = [
      await build(
        parts,
        newer((at) => at === 4000),
      ),
      await build(parts, many(9000)),
    ]
    const fresh = await build(
      parts,
      newer((at) => at % 3 === 1),
    )
    const one = (await patcher.patch(old, fresh, 1_000_000)) ?? []
    const other = (await patcher.patch(older, fresh, 1_000_000)) ?? []
    const piece = Buffer.concat(one).length / one.length
    t.ok(piece < 32_000, `pieces have ${piece.toFixed(0)} bytes`)
    t.equal(other.filter((some) => !one.includes(some)).length, 1)
  },
)

t.test('a patch that would be too large is not made', async (t) => {
  const parts = await openParts(t)
  const patcher = createIndexPatcher(parts)
  const [old, newer] = [await build(parts, many(2000)), await build(parts, many(2000, '2'))]
  t.equal(await scriptOf(patcher, old, newer, 20_000), undefined)
  t.equal(await scriptOf(patcher, await build(parts, []), old, 20_000), undefined)
  t.ok(await scriptOf(patcher, old, newer, 2_000_000))
})

t.test('a line that ed would take for the end of a command makes no patch', async (t) => {
  const parts = await openParts(t)
  const patcher = createIndexPatcher(parts)
  const old = await build(parts, many(50))
  const [entry] = await entriesOf(parts, await build(parts, [{ name: 'pkg7', version: '2' }]))
  if (entry === undefined) throw new Error('no entry')
  const text = Buffer.from(`${entry.text}.\n`)
  const odd = await editIndex(parts, old, { remove: [], add: [{ ...entry, text }] })
  t.equal(await scriptOf(patcher, old, odd, 1_000_000), undefined)
  t.ok(await scriptOf(patcher, odd, old, 1_000_000), 'such a line may go')
})

t.test('rred refuses what is no script', async (t) => {
  const dir = testDir(t, { old: 'a\n', patch: 'hello\n', new: '' })
  const paths = ['old', 'new', 'patch'].map((name) => join(dir, name))
  t.not((await run('/usr/lib/apt/methods/rred', ['-t', ...paths])).code, 0)
})

function never(): Promise<never> {
  return Promise.reject(new Error('a chunk was read'))
}
