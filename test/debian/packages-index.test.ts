/** Reading and rewriting stanzas of `Packages`, judged by sed, awk and dpkg's Perl library on the real index. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createByteSink } from '../../src/debian/byte-sink.ts'
import { splitStanzas } from '../../src/debian/control.ts'
import {
  type PackageStanza,
  poolPath,
  readPackageStanza,
  rewriteStanza,
} from '../../src/debian/packages-index.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { type JudgedStanza, readWithDpkg } from './dpkg-control.ts'
import { drawFrom, newSeed, readRealIndex } from './real-index.ts'

const digest = 'ab'.repeat(32)
const fields = {
  Package: 'hello',
  Version: '1:2.10-3',
  Architecture: 'amd64',
  Filename: 'pool/main/h/hello/hello_2.10-3_amd64.deb',
  Size: '53080',
  SHA256: digest,
}

function text(changes: Record<string, string | undefined> = {}): string {
  return Object.entries({ ...fields, ...changes })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('')
}

function read(stanza: string): PackageStanza {
  const buf = Buffer.from(`Package: before\n\n${stanza}\nPackage: after\n`)
  const [, , start = 0, end = 0] = splitStanzas(buf)
  return readPackageStanza(buf, { start, end })
}

function rewrite(stanza: string, filename = 'pool/new.deb'): string {
  const buf = Buffer.from(stanza)
  const sink = createByteSink()
  rewriteStanza(buf, { start: 0, end: buf.length }, filename, sink)
  return sink.take().toString()
}

/** What the stanza says, as dpkg's library read it and Policy defines the defaults. */
function expected(judged: JudgedStanza): Partial<PackageStanza> {
  const fields = new Map(judged)
  const get = (name: string) => fields.get(name) ?? ''
  const [source = '', version] = (fields.get('source') ?? get('package')).split(/[ ()]+/)
  return {
    name: get('package'),
    version: get('version'),
    architecture: get('architecture'),
    source,
    sourceVersion: version ?? get('version'),
    filename: get('filename'),
    size: Number(get('size')),
    section: get('section'),
    priority: get('priority'),
  }
}

t.test('200 stanzas of the real index say what dpkg reads in them', async (t) => {
  const seed = newSeed()
  t.comment(`SLUICE_SEED=${seed}`)
  const draw = drawFrom(seed)
  const buf = await readRealIndex()
  const places = splitStanzas(buf)
  const drawn = Array.from({ length: 200 }, () => {
    const at = 2 * draw(places.length / 2)
    return buf.toString('utf8', places[at], places[at + 1])
  })
  const file = join(testDir(t), 'drawn')
  await writeFile(file, drawn.join('\n'))
  const judged = await readWithDpkg(file)
  t.match(drawn.map(read), judged.map(expected))
  t.same(
    drawn.map((stanza) => read(stanza).sha256),
    judged.map((stanza) => new Map(stanza).get('sha256')),
  )
})

t.test('the whole real index is read, and rewritten as sed would', async (t) => {
  const buf = await readRealIndex()
  const places = splitStanzas(buf)
  const file = join(testDir(t), 'index')
  await writeFile(file, buf)
  let size = 0
  const sink = createByteSink()
  for (let at = 0; at < places.length; at += 2) {
    const start = places[at] ?? 0
    const end = places[at + 1] ?? 0
    size += readPackageStanza(buf, { start, end }).size
    rewriteStanza(buf, { start, end }, 'pool/x.deb', sink)
    sink.text('\n')
  }
  const awk = await runOk('awk', ['/^Size: / { n += $2 } END { printf "%.0f", n }', file])
  t.equal(size, Number(awk.stdout), 'sum of all sizes')
  const sed = await runOk('sed', [
    '-e',
    's,^Filename: .*,Filename: pool/x.deb,; /^\\(MD5sum\\|SHA1\\|SHA512\\): /d',
    file,
  ])
  t.ok(sink.take().equals(Buffer.from(sed.stdout)), 'the same bytes as sed makes')
})

t.test('Source names another package, another version, or nothing', async (t) => {
  const cases: readonly [source: string | undefined, name: string, version: string][] = [
    [undefined, 'hello', '1:2.10-3'],
    ['', 'hello', '1:2.10-3'],
    ['world', 'world', '1:2.10-3'],
    ['world (3.0-1)', 'world', '3.0-1'],
    ['world (2:3.0~rc1-1+b2)', 'world', '2:3.0~rc1-1+b2'],
    ['world(3.0)', 'world', '3.0'],
    ['world ( 3.0 )', 'world', '3.0'],
  ]
  for (const [source, name, version] of cases) {
    const found = read(text({ Source: source }))
    t.same([found.source, found.sourceVersion], [name, version], String(source))
  }
  t.throws(() => read(text({ Source: 'world (3' })), { message: /Source/ })
  t.throws(() => read(text({ Source: 'world (1/2)' })), { message: /Source/ })
})

t.test('a stanza that misses or breaks a field is refused, with the field named', async (t) => {
  const bad: readonly [field: string, values: readonly (string | undefined)[]][] = [
    ['Package', [undefined, '', '-a', 'a/b', 'a b', '../x', 'é', 'a\tb']],
    ['Version', [undefined, '', '1/2', '1 2', '1\\2', '1\x01', 'é']],
    ['Architecture', [undefined, '', 'a/b', 'AMD64', 'amd 64', '-']],
    ['Size', [undefined, '', '-1', '1.5', '0x10', '9007199254740992', '99999999999999999', '1 2']],
    ['SHA256', [undefined, '', 'ab', `${digest}0`, `${'g'.repeat(64)}`]],
    [
      'Filename',
      [undefined, '', '/etc/passwd', '../x.deb', 'a/../b', 'a/..', './', 'a\x01', 'a\0b'],
    ],
  ]
  for (const [field, values] of bad) {
    for (const value of values) {
      const reading = () => read(text({ [field]: value }))
      const isNamed = { code: 'ERR_FORMAT', message: new RegExp(`\\b${field}\\b`) }
      t.throws(reading, isNamed, `${field}: ${JSON.stringify(value)}`)
    }
  }
  t.throws(() => read(`${text()}Size: 1\n`), { code: 'ERR_FORMAT', message: /size twice/ })
  t.throws(() => read(`${text()}junk\n`), { code: 'ERR_FORMAT', message: /"junk"/ })
})

t.test('what third-party archives write is read', async (t) => {
  const odd = read(
    text({ Package: 'My_App2', Filename: './a/b c.deb', SHA256: digest.toUpperCase() }),
  )
  t.match(odd, { name: 'My_App2', filename: 'a/b c.deb', sha256: digest })
  t.equal(read(text({ Size: '9007199254740991' })).size, Number.MAX_SAFE_INTEGER)
  t.equal(read(text({ Filename: 'a..b/..c' })).filename, 'a..b/..c')
  const lower = text().replace('Package', 'package').replace('SHA256', 'sha256')
  t.match(read(lower), { name: 'hello', sha256: digest })
  const windows = text().replaceAll('\n', '\r\n')
  t.match(read(windows), { version: '1:2.10-3', filename: fields.Filename, size: 53080 })
})

t.test(
  'a pool path is made of digest, name, version without epoch, and architecture',
  async (t) => {
    const expected = `pool/ab/${'ab'.repeat(31)}/hello_2.10-3_amd64.deb`
    t.equal(poolPath(read(text())), expected)
  },
)

t.test('rewriting keeps every byte but those of Filename and the weak digests', async (t) => {
  const long = `Description: é\n  keep   this\n .\n\tas it is${' '.repeat(3)}\n`
  const weak = 'MD5sum: 1\nSHA1: 2\nsha512: 3\n 4\n'
  const before = 'Package: x\nfileNAME: old\n folded\n'
  t.equal(
    rewrite(`${before}${weak}${long}X-SHA1: 5\n`),
    `Package: x\nFilename: pool/new.deb\n${long}X-SHA1: 5\n`,
  )
  t.equal(rewrite('Filename: a'), 'Filename: pool/new.deb\n')
  t.equal(rewrite('Filename: a\nA: b'), 'Filename: pool/new.deb\nA: b\n', 'no newline at the end')
  t.equal(rewrite('MD5sum: 1\nFilename: a\nSHA1: 2\n'), 'Filename: pool/new.deb\n')
  t.equal(rewrite('Filename: a\nFilename: b\n'), 'Filename: pool/new.deb\n', 'never twice')
  t.equal(rewrite('A: b\r\nFilename: a\r\nC:\r\n d\r\n'), 'A: b\nFilename: pool/new.deb\nC:\n d\n')
  t.throws(() => rewrite('Package: x\n'), { code: 'ERR_FORMAT', message: /Filename/ })
})
