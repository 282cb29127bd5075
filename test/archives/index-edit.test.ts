/**
 * Indexes: the same stanzas give the same bytes, whichever way they came to stand there.
 */
import { Readable } from 'node:stream'
import t from 'tap'
import { type BuiltIndex, buildIndex } from '../../src/archives/index-build.ts'
import { editIndex } from '../../src/archives/index-edit.ts'
import {
  chunksAt,
  type IndexEntry,
  readChunk,
  readEntries,
} from '../../src/archives/index-parts.ts'
import { openIndexText } from '../../src/archives/index-text.ts'
import type { IndexKind } from '../../src/archives/suite-state.ts'
import type { Sha256 } from '../../src/base/sha256.ts'
import {
  openIndexParts,
  packagesText,
  type SamplePackage,
  seededRandom,
  sourcesText,
  translationText,
} from '../support/index-parts.ts'
import { seedOr } from '../support/seed.ts'
import { testDir } from '../support/test-dir.ts'

type Parts = Awaited<ReturnType<typeof openIndexParts>>

async function buildText(
  parts: Parts,
  text: Buffer,
  kind: IndexKind = 'Packages',
): Promise<BuiltIndex> {
  const scratch = await openIndexText(parts.blobs.tempPath())
  try {
    await scratch.append(Readable.from([text]))
    return await buildIndex(parts, scratch, { kind, archiveId: 1 })
  } finally {
    await scratch.close()
  }
}

async function build(parts: Parts, packages: readonly SamplePackage[]): Promise<Sha256> {
  return (await buildText(parts, packagesText(packages))).root
}

async function entriesOf(
  parts: Parts,
  root: Sha256,
  kind: IndexKind = 'Packages',
): Promise<IndexEntry[]> {
  const all: IndexEntry[] = []
  for (const chunk of await chunksAt(parts, root))
    all.push(...(await readEntries(parts, chunk, kind)))
  return all
}

t.test('the order in which upstream lists stanzas does not matter', async (t) => {
  const parts = await openIndexParts(testDir(t))
  t.teardown(() => parts.close())
  const packages = Array.from({ length: 900 }, (_, at) => ({
    name: `pkg${at}`,
    version: `1.${at % 7}`,
  }))
  const root = await build(parts, packages)
  t.equal(await build(parts, packages.toReversed()), root)
  t.ok((await chunksAt(parts, root)).length > 5, 'it is more than one chunk')
})

t.test('a package in several versions stays in one chunk, sorted as dpkg does', async (t) => {
  const parts = await openIndexParts(testDir(t))
  t.teardown(() => parts.close())
  const versions = ['1.10-1', '1.9-1', '1:0.1-1', '1.9~rc1-1', '1.9-1+b1']
  const root = await build(
    parts,
    versions.map((version) => ({ name: 'many', version })),
  )
  const entries = await entriesOf(parts, root)
  t.same(
    entries.map((entry) => entry.version),
    ['1.9~rc1-1', '1.9-1', '1.9-1+b1', '1.10-1', '1:0.1-1'],
  )
})

t.test('more than 256 names without a cut are cut by force', async (t) => {
  const parts = await openIndexParts(testDir(t))
  t.teardown(() => parts.close())
  const packages = Array.from({ length: 5000 }, (_, at) => ({ name: `n${at}`, version: '1' }))
  for (const chunk of await chunksAt(parts, await build(parts, packages))) {
    if (chunk.stanzas > 256) t.fail(`a chunk has ${chunk.stanzas} names`)
  }
})

t.test('a stanza that cannot be taken is left out and named', async (t) => {
  const parts = await openIndexParts(testDir(t))
  t.teardown(() => parts.close())
  const text = Buffer.concat([
    packagesText([{ name: 'good', version: '1' }]),
    Buffer.from(
      '\nPackage: bad\nVersion: 1\nArchitecture: amd64\nFilename: ../../etc/passwd\nSize: 1\n',
    ),
    Buffer.from(`SHA256: ${'0'.repeat(64)}\n`),
  ])
  const built = await buildText(parts, text)
  t.same(
    built.skipped.map((one) => one.package),
    ['bad'],
  )
  t.same(
    (await entriesOf(parts, built.root)).map((entry) => entry.name),
    ['good'],
  )
})

t.test(
  'what is published of a stanza points into the pool by digest, and is kept byte for byte',
  async (t) => {
    const parts = await openIndexParts(testDir(t))
    t.teardown(() => parts.close())
    const [entry] = await entriesOf(
      parts,
      await build(parts, [{ name: 'hello', version: '2:1.0-1' }]),
    )
    t.match(entry?.files[0]?.path, /^pool\/[0-9a-f]{2}\/[0-9a-f]{62}\/hello_1\.0-1_amd64\.deb$/)
    t.match(String(entry?.text), /\nDescription: the package hello\n$/)
  },
)

t.test('an index edited at random is the one built afresh from what it holds', async (t) => {
  const seed = seedOr(process.env.SEED)
  t.comment(`SEED=${seed}`)
  const random = seededRandom(seed)
  const parts = await openIndexParts(testDir(t))
  t.teardown(() => parts.close())
  const pick = (count: number): number => Math.floor(random() * count)
  // Names are drawn from a few hundred, so that cut names come and go; some runs are long enough for forced cuts.
  const sample = (): SamplePackage => ({
    name: `p${pick(1500)}`,
    version: `${pick(3)}-1`,
    source: `s${pick(40)}`,
  })
  const held = new Map<string, SamplePackage>()
  const put = (one: SamplePackage): void => {
    held.set(`${one.name} ${one.version}`, one)
  }
  for (let at = 0; at < 900; at++) put(sample())
  let root = await build(parts, [...held.values()])
  for (let round = 0; round < 25; round++) {
    const all = await entriesOf(parts, root)
    const remove = all.filter(() => random() < (round % 5 === 0 ? 0.6 : 0.02))
    const fresh = Array.from({ length: round % 7 === 0 ? 700 : 4 }, sample)
    for (const { name, version } of remove) held.delete(`${name} ${version}`)
    const distinct = new Map(fresh.map((one) => [`${one.name} ${one.version}`, one]))
    for (const one of distinct.values()) put(one)
    const add = await entriesOf(parts, await build(parts, [...distinct.values()]))
    root = await editIndex(parts, root, { remove, add })
    t.equal(root, await build(parts, [...held.values()]), `round ${round}, ${held.size} packages`)
  }
})

t.test('an edit of one package makes one chunk anew and keeps the others', async (t) => {
  const parts = await openIndexParts(testDir(t))
  t.teardown(() => parts.close())
  const packages = Array.from({ length: 3000 }, (_, at) => ({ name: `pkg${at}`, version: '1' }))
  const root = await build(parts, packages)
  const add = await entriesOf(parts, await build(parts, [{ name: 'pkg77', version: '2' }]))
  const remove = (await entriesOf(parts, root)).filter((entry) => entry.name === 'pkg77')
  const before = new Set((await chunksAt(parts, root)).map((chunk) => chunk.plain))
  const after = await chunksAt(parts, await editIndex(parts, root, { remove, add }))
  const changed = after.filter((chunk) => !before.has(chunk.plain))
  t.equal(changed.length, 1)
  t.match(
    String(await Promise.all(changed.map((chunk) => readChunk(parts, chunk)))),
    /Package: pkg77\nVersion: 2\n/,
  )
})

for (const [kind, textOf] of [
  ['Sources', sourcesText],
  ['Translation', translationText],
] as const)
  t.test(`an index of ${kind} edited at random is the one built afresh`, async (t) => {
    const seed = seedOr(process.env.SEED)
    t.comment(`SEED=${seed}`)
    const random = seededRandom(seed)
    const parts = await openIndexParts(testDir(t))
    t.teardown(() => parts.close())
    const build = async (some: Iterable<SamplePackage>): Promise<Sha256> => {
      const built = await buildText(parts, textOf([...some]), kind)
      t.same(built.skipped, [])
      return built.root
    }
    const held = new Map<string, SamplePackage>()
    const sample = (): SamplePackage => {
      const [name, version] = [Math.floor(random() * 900), Math.floor(random() * 3)]
      return { name: `p${name}`, version: `${version}-1` }
    }
    const keyOf = ({ name, version }: SamplePackage): string =>
      textOf([{ name, version }]).toString()
    for (let at = 0; at < 700; at++) {
      const one = sample()
      held.set(keyOf(one), one)
    }
    let root = await build(held.values())
    for (let round = 0; round < 6; round++) {
      const gone = [...held.values()].filter(() => random() < 0.05)
      for (const one of gone) held.delete(keyOf(one))
      const fresh = new Map(Array.from({ length: 20 }, sample).map((one) => [keyOf(one), one]))
      for (const [key, one] of fresh) held.set(key, one)
      const remove = await entriesOf(parts, await build(gone), kind)
      const add = await entriesOf(parts, await build(fresh.values()), kind)
      root = await editIndex(parts, root, { remove, add })
      t.equal(root, await build(held.values()), `round ${round}, ${held.size} stanzas`)
    }
  })
