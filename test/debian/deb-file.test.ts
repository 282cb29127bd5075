/** One file out of .debs that dpkg-deb built: wherever it stands, whatever packs it, and not more than is asked for. */
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildDeb, type PackageSpec } from '../../fixtures/debs.ts'
import { type DebFile, readDebFile } from '../../src/debian/deb-file.ts'
import { testDir } from '../support/test-dir.ts'
import { archiveOf, once, tarOf } from './make-debs.ts'

const limits = { maxFileBytes: 1000, maxTarBytes: 1_000_000 }
const doc = 'usr/share/doc/foo'

t.test('finds files, and where links in their place lead', async (t) => {
  const dir = testDir(t)
  const read = async (spec: Partial<PackageSpec>, paths: string[]): Promise<object | undefined> => {
    const path = join(dir, 'one.deb')
    await buildDeb(path, { name: 'foo', version: '1', arch: 'all', ...spec })
    const found = await readDebFile(createReadStream(path), paths, limits)
    return shown(found)
  }
  const files = { [`${doc}/a`]: 'aa', [`${doc}/z`]: 'zz', etc: 'file' }
  for (const compression of ['gzip', 'xz', 'zstd', 'none'] as const) {
    const found = await read({ files, compression }, [`${doc}/z`])
    t.same(found, { kind: 'file', path: `${doc}/z`, data: 'zz' }, compression)
  }
  t.match(await read({ files }, [`${doc}/z`, `${doc}/a`]), { path: `${doc}/z` }, 'the best')
  t.match(await read({ files }, [`${doc}/b`, `${doc}/a`]), { path: `${doc}/a` }, 'the next best')
  t.equal(await read({ files }, [`${doc}/b`, 'a', doc]), undefined, 'no directory is a file')

  const linked = (path: string, link: string): Partial<PackageSpec> => ({
    files: { [path]: { link } },
  })
  const toDir = { kind: 'link', path: doc, target: 'usr/share/doc/bar' }
  t.same(await read(linked(doc, 'bar'), [`${doc}/a`]), toDir)
  t.same(await read(linked(doc, '/usr/share/doc/bar'), [`${doc}/a`]), toDir)
  t.same(await read(linked(`${doc}/a`, '../bar/a'), [`${doc}/a`]), {
    kind: 'link',
    path: `${doc}/a`,
    target: 'usr/share/doc/bar/a',
  })
  t.equal(await read(linked(`${doc}/a`, '../../../../../etc/passwd'), [`${doc}/a`]), undefined)
})

t.test('reads no more than it must, and no more than it may', async (t) => {
  const dir = testDir(t)
  const path = join(dir, 'one.deb')
  const files = { 'a/first': 'x', 'b/large': 'y'.repeat(1001), 'c/last': 'z' }
  await buildDeb(path, { name: 'foo', version: '1', arch: 'all', files, content: 2_000_000 })
  const first = await readDebFile(createReadStream(path), ['a/first'], limits)
  t.match(shown(first), { data: 'x' }, 'what stands behind it does not matter')
  const large = readDebFile(createReadStream(path), ['b/large'], limits)
  await t.rejects(large, { code: 'ERR_TOO_LARGE', message: /b\/large: more than 1000 bytes/ })
  const deep = readDebFile(createReadStream(path), ['z/none'], limits)
  await t.rejects(deep, { code: 'ERR_TOO_LARGE', message: /data.tar.gz: more than 1000000 bytes/ })
})

t.test('what is no package, or ends too early, is refused by name', async (t) => {
  const tar = await tarOf([['./usr/a', 'text']])
  const whole = await archiveOf(t, [
    ['debian-binary', '2.0\n'],
    ['data.tar', tar],
  ])
  t.match(shown(await readDebFile(once(whole), ['usr/a'], limits)), { data: 'text' })
  const wrong: [string, Uint8Array, RegExp][] = [
    ['text', Buffer.from('<html>'), /not an ar archive/],
    ['cut', whole.subarray(0, 700), /data\.tar/],
    ['no data', await archiveOf(t, [['debian-binary', '2.0\n']]), /no data\.tar/],
    ['odd name', await archiveOf(t, [['data.tar.lz4', tar]]), /data\.tar expected/],
  ]
  for (const [name, data, message] of wrong) {
    const reading = readDebFile(once(data), ['usr/a'], limits)
    await t.rejects(reading, { code: 'ERR_FORMAT', message }, name)
  }
})

function shown(found: DebFile | undefined): object | undefined {
  return found?.kind === 'file' ? { ...found, data: String(found.data) } : found
}
