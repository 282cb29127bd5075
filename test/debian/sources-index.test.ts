/** Reading and rewriting stanzas of `Sources` and the .dsc files behind them; what real ones say, dpkg-source says. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { buildSource } from '../../fixtures/source-packages.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { createByteSink } from '../../src/debian/byte-sink.ts'
import { splitStanzas } from '../../src/debian/control.ts'
import {
  readDscFiles,
  readSourceStanza,
  rewriteSourceStanza,
  type SourceStanza,
} from '../../src/debian/sources-index.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { openGpgHome } from './openpgp-judges.ts'

const dsc = 'aa'.repeat(32)
const orig = 'bb'.repeat(32)
const debian = 'cc'.repeat(32)
const fields = {
  Package: 'hello',
  Binary: 'hello, hello-doc',
  Version: '1:2.10-3',
  Format: '3.0 (quilt)',
  'Extra-Source-Only': 'yes',
  Files: `\n ${'0'.repeat(32)} 7 hello_2.10-3.dsc\n ${'1'.repeat(32)} 9 hello_2.10.orig.tar.gz`,
  'Checksums-Sha1': `\n ${'0'.repeat(40)} 7 hello_2.10-3.dsc`,
  'Checksums-Sha256': `\n ${dsc} 7 hello_2.10-3.dsc\n ${orig} 9 hello_2.10.orig.tar.gz\n ${debian} 11 hello_2.10-3.debian.tar.xz`,
  Directory: 'pool/main/h/hello',
  'X-Other': 'stays',
}

function text(changes: Record<string, string | undefined> = {}): string {
  return Object.entries({ ...fields, ...changes })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('')
}

function read(stanza: string): SourceStanza {
  const buf = Buffer.from(`Package: before\n\n${stanza}\nPackage: after\n`)
  const [, , start = 0, end = 0] = splitStanzas(buf)
  return readSourceStanza(buf, { start, end })
}

t.test('a stanza is read, and its digests are those of Checksums-Sha256', async (t) => {
  t.same(read(text()), {
    name: 'hello',
    version: '1:2.10-3',
    directory: 'pool/main/h/hello',
    files: [
      { name: 'hello_2.10-3.dsc', size: 7, sha256: dsc },
      { name: 'hello_2.10.orig.tar.gz', size: 9, sha256: orig },
      { name: 'hello_2.10-3.debian.tar.xz', size: 11, sha256: debian },
    ],
    dsc: { name: 'hello_2.10-3.dsc', size: 7, sha256: dsc },
  })
  t.equal(read(text({ Directory: './' })).directory, '')
  t.equal(read(text({ Directory: undefined })).directory, '')
  t.equal(read(text({ Directory: './a/b/' })).directory, 'a/b')
})

t.test(
  'published is what was there, but for Directory and the digests that nobody checked',
  async (t) => {
    const buf = Buffer.from(text())
    const wanted = text({ Files: undefined, 'Checksums-Sha1': undefined, Directory: 'pool/aa/x' })
    const sink = createByteSink()
    rewriteSourceStanza(buf, { start: 0, end: buf.length }, 'pool/aa/x', sink)
    t.equal(sink.take().toString(), wanted)
  },
)

t.test('what cannot be a source package is refused, and the field named', async (t) => {
  const sums = (...lines: string[]): Record<string, string> => ({
    'Checksums-Sha256': ['', ...lines].join('\n '),
  })
  const line = `${dsc} 7 hello_2.10-3.dsc`
  const cases: readonly [Record<string, string | undefined>, RegExp][] = [
    [{ Package: undefined }, /without Package/],
    [{ Package: '../x' }, /Package is malformed/],
    [{ Version: 'a/b' }, /Version is malformed/],
    [{ Directory: '/etc' }, /Directory is malformed/],
    [{ Directory: 'pool/../../etc' }, /Directory is malformed/],
    [{ 'Checksums-Sha256': undefined }, /no Checksums-Sha256/],
    [sums(), /no Checksums-Sha256/],
    [sums(`${orig} 9 hello.tar.gz`), /names no \.dsc/],
    [sums(line, `${orig} 9 other.dsc`), /more than one \.dsc/],
    [sums(line, `${orig} 9 hello_2.10-3.dsc`), /names hello_2\.10-3\.dsc twice/],
    [sums(line, `${orig} 9 ../hello.tar.gz`), /Checksums-Sha256 is malformed/],
    [sums(line, `${orig} 9 ..`), /Checksums-Sha256 is malformed/],
    [sums(line, `${orig} 9 a\\b`), /Checksums-Sha256 is malformed/],
    [sums(line, `${orig} nine a`), /Checksums-Sha256 is malformed/],
    [sums(line, `${orig} 9`), /Checksums-Sha256 is malformed/],
    [sums(line, `${orig} 9 a b`), /Checksums-Sha256 is malformed/],
    [sums(line, `${orig.slice(1)} 9 a`), /Checksums-Sha256 is malformed/],
  ]
  for (const [changes, message] of cases) {
    t.throws(() => read(text(changes)), { code: 'ERR_FORMAT', message }, JSON.stringify(changes))
  }
})

t.test('a .dsc of dpkg-source, signed or not, tells its files', async (t) => {
  const dir = testDir(t)
  const gpg = await openGpgHome()
  t.teardown(() => gpg.close())
  await mkdir(join(dir, 'made'))
  const names = await buildSource(join(dir, 'made'), {
    name: 'hello',
    version: '1:2.0-1',
    isSigned: true,
  })
  const file = names.find((name) => name.endsWith('.dsc')) ?? ''
  const wanted = await Promise.all(
    names
      .filter((name) => name !== file)
      .map(async (name) => {
        const data = await readFile(join(dir, 'made', name))
        return { name, size: data.length, sha256: sha256Of(data) }
      }),
  )
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1)
  const plain = await readFile(join(dir, 'made', file))
  t.same(readDscFiles(plain).sort(byName), wanted.sort(byName))
  t.ok(wanted.some(({ name }) => name.endsWith('.asc')))
  await gpg.run('--passphrase', '', '--quick-gen-key', 'x <x@archive.example>', 'ed25519', 'sign')
  const signed = join(dir, 'signed.dsc')
  await gpg.run('--output', signed, '--clearsign', join(dir, 'made', file))
  t.same(readDscFiles(await readFile(signed)).sort(byName), wanted)
  await writeFile(signed, `${await readFile(signed, 'utf8')}`.replaceAll('\n', '\r\n'))
  t.same(readDscFiles(await readFile(signed)).sort(byName), wanted, 'with CRLF')
  t.match(
    (
      await runOk('dpkg-source', ['--no-check', '--extract', file, 'out'], {
        cwd: join(dir, 'made'),
      })
    ).stdout,
    /extracting hello/,
  )
  for (const bad of ['', 'hello', '-----BEGIN PGP SIGNED MESSAGE-----\n\nFormat: 1\n'])
    t.throws(() => readDscFiles(Buffer.from(bad)), { code: 'ERR_FORMAT' })
})
