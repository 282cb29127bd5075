/** What counts as a path of an archive, and what it names. */
import t from 'tap'
import { decodeUrlPath, parseArchivePath } from '../../src/debian/archive-path.ts'

const digest = '0123456789abcdef'.repeat(4)

t.test('paths that apt asks for are decoded once', async (t) => {
  const cases: readonly [raw: string, path: string][] = [
    ['/pool/main/g/g++/g%2b%2b_4%3a12_amd64.deb', 'pool/main/g/g++/g++_4:12_amd64.deb'],
    ['/pool/a_1%7erc1%7E2.deb', 'pool/a_1~rc1~2.deb'],
    ['/pool/a+b~c.deb', 'pool/a+b~c.deb'],
    ['/pool/a%2541.deb', 'pool/a%41.deb'],
    ['/pool/a%20b.deb', 'pool/a b.deb'],
    ['/pool/%C3%A9.deb', 'pool/é.deb'],
    ['/pool/..a/b..', 'pool/..a/b..'],
    ['/dists/stable/', 'dists/stable'],
    ['/', ''],
    [`/${'a'.repeat(2047)}`, 'a'.repeat(2047)],
  ]
  for (const [raw, path] of cases) t.equal(decodeUrlPath(raw), path, raw.slice(0, 60))
})

t.test('paths that reach elsewhere or mean two things are refused', async (t) => {
  const refused = [
    ...['', 'pool/a', '//', '/a//b', '//a', '/a//', '/a%2f%2fb', '/a%2F'.concat('/')],
    ...['/..', '/../etc', '/a/..', '/a/../b', '/a/./b', '/.', '/a/%2e%2e/b', '/a%2f..%2fb', '/%2e'],
    ...['/a%00', '/a%0a', '/a\x7f', '/a%7f', '/a\n', '/a\\b', '/a%5cb', '/..\\a'],
    ...['/a%', '/a%2', '/a%zz', '/a%ff', '/a%c3', '/a?b', '/a#b', `/${'a'.repeat(2048)}`],
  ]
  for (const raw of refused)
    t.equal(decodeUrlPath(raw), undefined, JSON.stringify(raw.slice(0, 60)))
})

t.test('without known suites, release files take all between as their suite', async (t) => {
  for (const file of ['InRelease', 'Release', 'Release.gpg']) {
    t.same(parseArchivePath(`dists/bookworm/${file}`), { kind: 'release', suite: 'bookworm', file })
    const suite = 'stable/updates'
    t.same(parseArchivePath(`dists/${suite}/${file}`), { kind: 'release', suite, file })
  }
  t.same(parseArchivePath('dists/bookworm/main/binary-amd64/Packages.gz'), {
    kind: 'index',
    suite: 'bookworm',
    path: 'main/binary-amd64/Packages.gz',
  })
  t.same(parseArchivePath('dists/bookworm/main/binary-amd64/Release'), {
    kind: 'index',
    suite: 'bookworm',
    path: 'main/binary-amd64/Release',
  })
})

t.test('with known suites, the longest that matches is the suite', async (t) => {
  const suites = ['stable', 'stable/updates', 'sid']
  const parse = (path: string) => parseArchivePath(path, suites)
  const path = 'main/binary-amd64/Packages'
  t.same(parse(`dists/stable/updates/${path}`), { kind: 'index', suite: 'stable/updates', path })
  t.same(parse(`dists/stable/${path}`), { kind: 'index', suite: 'stable', path })
  t.same(parse('dists/stable/updates/InRelease'), {
    kind: 'release',
    suite: 'stable/updates',
    file: 'InRelease',
  })
  t.same(
    parseArchivePath('dists/stable/updates/InRelease', ['stable']),
    { kind: 'index', suite: 'stable', path: 'updates/InRelease' },
    'never the InRelease of a suite that is not the one',
  )
  t.same(parse(`dists/stablest/${path}`), { kind: 'index', suite: 'stablest', path })
})

t.test('by-hash names an algorithm and a digest of its length', async (t) => {
  const base = 'dists/bookworm/main/binary-amd64/by-hash'
  const named = { kind: 'by-hash', suite: 'bookworm', dir: 'main/binary-amd64' }
  const lengths = { SHA256: 64, SHA512: 128, SHA1: 40, MD5Sum: 32 }
  for (const [algorithm, length] of Object.entries(lengths)) {
    const hex = digest.repeat(2).slice(0, length)
    t.same(parseArchivePath(`${base}/${algorithm}/${hex}`), { ...named, algorithm, digest: hex })
    t.equal(parseArchivePath(`${base}/${algorithm}/${hex}0`), undefined, `${algorithm}, too long`)
  }
  t.same(parseArchivePath(`dists/jammy/by-hash/SHA256/${digest}`), {
    kind: 'by-hash',
    suite: 'jammy',
    dir: '',
    algorithm: 'SHA256',
    digest,
  })
  t.equal(parseArchivePath(`${base}/SHA256/${digest.toUpperCase()}`), undefined, 'upper case')
  t.equal(parseArchivePath(`${base}/SHA3/${digest}`), undefined, 'unknown algorithm')
  t.equal(parseArchivePath(`${base}/constructor/${digest}`), undefined, 'a name of all objects')
})

t.test('all else is of the pool or other, or no path at all', async (t) => {
  const pool = 'pool/main/h/hello/hello_1_amd64.deb'
  t.same(parseArchivePath(pool), { kind: 'pool', path: pool })
  for (const path of ['./a.deb', '../a', 'pool//a', 'pool/../a', '/pool/a', '', 'a\0b', 'pool/']) {
    t.equal(parseArchivePath(path), undefined, JSON.stringify(path))
  }
  for (const path of ['hello.deb', 'dists', 'dists/bookworm', 'pool', 'Packages.gz', 'poolx/a']) {
    t.same(parseArchivePath(path), { kind: 'other', path }, path)
  }
})
