/** How suites are written, what they are called, and where they stand. */
import t from 'tap'
import { faultsOfSettings } from '../../src/archives/archive-faults.ts'
import type { ArchiveSettings } from '../../src/archives/archive-table.ts'
import { normalizeSuite, suiteDirectory, suiteName } from '../../src/archives/suite-place.ts'
import { parseInArchive } from '../../src/proxy/path-in-archive.ts'

const settings = (suites: string[], more: Partial<ArchiveSettings> = {}): ArchiveSettings => ({
  urls: ['http://archive.example'],
  suites,
  components: ['main'],
  architectures: ['amd64'],
  ...more,
})

t.test('a flat suite is called as its folder is', async (t) => {
  const rows = [
    ['bookworm', 'bookworm', 'dists/bookworm'],
    ['stable/updates', 'stable/updates', 'dists/stable/updates'],
    ['/', 'flat', ''],
    ['./', 'flat', ''],
    ['.//./', 'flat', ''],
    ['binary/', 'binary', 'binary'],
    ['./a//b/', 'a/b', 'a/b'],
    ['home:/joe:/Debian_12/', 'home/joe/Debian_12', 'home:/joe:/Debian_12'],
    [':/', 'flat', ':'],
  ] as const
  for (const [written, name, directory] of rows) {
    t.equal(suiteName(written), name, written)
    t.equal(suiteName(normalizeSuite(written)), name, written)
    t.equal(suiteDirectory(settings([written]), name), directory, written)
    t.same(faultsOfSettings(settings([written])), [], written)
  }
})

t.test(
  'what leads out of the archive, is no path, or has the name of another is refused',
  async (t) => {
    for (const bad of [
      '../',
      'a/../b/',
      'a\\b/',
      'a b/',
      'a?b/',
      'a#b/',
      'a\nb/',
      '..',
      '/a',
      '',
    ]) {
      t.equal(faultsOfSettings(settings([bad])).length, 1, JSON.stringify(bad))
    }
    t.match(faultsOfSettings(settings(['binary', 'binary/'])), [
      {
        key: 'suites',
        at: 1,
        message: 'the suites binary and binary/ would both be called binary',
      },
    ])
    const local = { kind: 'local', urls: [] } as const
    t.match(faultsOfSettings(settings(['./'], local)), [{ key: 'suites', at: 0 }])
  },
)

t.test('a path below the root is told by the suites of the archive', async (t) => {
  const all = settings(['stable', '/', 'binary/'])
  const rows = [
    ['InRelease', { kind: 'release', suite: 'flat', file: 'InRelease' }],
    ['Packages.gz', { kind: 'index', suite: 'flat', path: 'Packages.gz' }],
    ['binary/Release.gpg', { kind: 'release', suite: 'binary', file: 'Release.gpg' }],
    ['binary/Packages', { kind: 'index', suite: 'binary', path: 'Packages' }],
    ['dists/stable/InRelease', { kind: 'release', suite: 'stable', file: 'InRelease' }],
    ['pool/a.deb', { kind: 'pool', path: 'pool/a.deb' }],
    [
      `binary/by-hash/SHA256/${'a'.repeat(64)}`,
      { kind: 'by-hash', suite: 'binary', dir: '', algorithm: 'SHA256' },
    ],
  ] as const
  for (const [path, parsed] of rows) t.match(parseInArchive(all, path), parsed, path)
  t.match(parseInArchive(settings(['stable']), 'Packages.gz'), { kind: 'other' })
  t.equal(parseInArchive(all, 'binary/../x'), undefined)
})
