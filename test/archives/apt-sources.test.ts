/** Reading apt's files and settings, judged by what the real apt makes of them. */
import t from 'tap'
import { archiveName, groupSources } from '../../src/archives/apt-groups.ts'
import { type AptSetup, readAptSetup } from '../../src/archives/apt-sources.ts'
import { agrees, readFiles } from '../support/apt-files.ts'
import { testDir } from '../support/test-dir.ts'

const debian = `# deb cdrom:[Debian GNU/Linux 12.0.0 _Bookworm_ - Official]/ bookworm main

deb http://archive.example/debian bookworm main contrib non-free-firmware # the rest
deb [arch=amd64] http://archive.example/debian bookworm-updates main
deb [ arch=amd64,arm64 signed-by=/usr/share/keyrings/a.gpg,/usr/share/keyrings/b.gpg lang=de ] http://security.example/debian-security/ bookworm-security main
deb\t[arch+=arm64 arch-=i386]\thttp://ports.example:8080/x/$(ARCH)/   sid-$(ARCH)\tmain  contrib
deb [arch=amd64 arch=i386] https://dup.example/x s main
deb [pdiffs=no by-hash=force check-valid-until=no] "https://quoted.example/x%2by" stable updates/main
deb http://archive.example/debian bookworm main
deb http://archive.example/debian/ bookworm non-free
deb [] http://empty.example s c
`

t.test('one-line sources are what apt takes them for', async (t) => {
  const setup = await agrees(t, { 'sources.list': debian })
  t.same(setup.leftOut, [])
  t.equal(setup.nativeArchitecture, 'amd64')
  t.same(setup.architectures, ['amd64', 'i386'])
  const [main] = setup.sources
  t.match(main, {
    uri: 'http://archive.example/debian',
    components: ['main', 'contrib', 'non-free-firmware', 'non-free'],
    signedBy: { kind: 'default', trusted: [] },
    checkValidUntil: true,
  })
  t.match(main?.origin, /\/etc\/apt\/sources\.list:3$/)
  const security = setup.sources.find(({ suite }) => suite === 'bookworm-security')
  t.match(security?.signedBy, {
    kind: 'files',
    paths: [/\/usr\/share\/keyrings\/a\.gpg$/, /b\.gpg$/],
  })
  t.match(setup.sources.find(({ suite }) => suite === 'stable')?.checkValidUntil, false)
})

const stanzas = `# comment
Types: deb
# a comment within
URIs: http://archive.example/debian
 http://mirror.example.org/debian/
Suites: bookworm
 bookworm-updates
Components: main
# contrib
 non-free
Signed-By: /usr/share/keyrings/debian.gpg
\t/usr/share/keyrings/more.gpg

#Types: deb
#URIs: http://off.example

types: deb
uris: https://a.example/$(ARCH)
suites: s-$(ARCH) u/v
components: c
architectures-add: arm64
architectures-remove: i386
Check-Valid-Until: no
Trusted:


Types: deb
Enabled: no
URIs: http://off.example/x
Suites: s
Components: c

Types: deb
URIs: http://on.example/x
Suites: s
Components: c
Enabled: sure
Architectures: i386 arm64
   
Languages: en
`

t.test('deb822 sources are what apt takes them for', async (t) => {
  const setup = await agrees(t, { 'sources.list.d/debian.sources': stanzas })
  t.same(setup.leftOut, [])
  const [first] = setup.sources
  t.match(first?.signedBy, { kind: 'files', paths: [/debian\.gpg$/, /more\.gpg$/] })
  t.match(first?.origin, /sources\.list\.d\/debian\.sources:2$/)
  t.equal(setup.sources.length, 4 + 2 + 1)
  t.match(
    setup.sources.find(({ uri }) => uri === 'https://a.example/amd64'),
    {
      checkValidUntil: false,
      architectures: ['amd64', 'arm64'],
    },
  )
})

t.test('files are read in the order and by the names that apt reads', async (t) => {
  const line = (host: string): string => `deb http://${host}.example/x s c\n`
  const setup = await agrees(t, {
    'sources.list': line('main'),
    'sources.list.d/10-a.list': line('a'),
    'sources.list.d/B_b:1.2.list': line('b'),
    'sources.list.d/wrong name.list': line('blank'),
    'sources.list.d/.hidden.list': line('hidden'),
    'sources.list.d/old.list.save': line('save'),
    'sources.list.d/off.sources.disabled': line('disabled'),
    'sources.list.d/tilde.list~': line('tilde'),
    'sources.list.d/ü.list': line('umlaut'),
    'sources.list.d/z.sources': 'Types: deb\nURIs: http://z.example/x\nSuites: s\nComponents: c\n',
  })
  t.same(
    setup.sources.map(({ uri }) => uri),
    ['main', 'a', 'b', 'z'].map((host) => `http://${host}.example/x`),
  )
  t.equal(setup.files.length, 4)
})

t.test('only files with a source that is carried are named', async (t) => {
  const setup = await agrees(t, {
    'sources.list': '# See sources.list.d\n',
    'sources.list.d/a.list': 'deb http://a.example/x s c\n',
    'sources.list.d/disc.list': 'deb cdrom:[Disc]/ s c\n',
    'sources.list.d/source.list': 'deb-src http://b.example/x s c\n',
  })
  t.match(setup.files, [/\/a\.list$/])
})

t.test('other directories of apt.conf are followed', async (t) => {
  const setup = await agrees(t, {
    'apt.conf': 'Dir::Etc::SourceList "other/my.list"; Dir::Etc::SourceParts "/dev/null";',
    'sources.list': 'deb http://wrong.example s c\n',
    'sources.list.d/x.list': 'deb http://wrong.example s c\n',
    'other/my.list': 'deb http://right.example s c\n',
  })
  t.same(
    setup.sources.map(({ uri }) => uri),
    ['http://right.example'],
  )
})

t.test('the machine says whether Valid-Until and dates are checked', async (t) => {
  const files = {
    'sources.list': `deb http://a.example/x s c
deb [check-valid-until=yes] http://b.example/x s c
deb [check-valid-until=yes check-date=yes] http://c.example/x s c
`,
  }
  const checks = ({ sources }: AptSetup): (readonly [boolean, boolean])[] =>
    sources.map(({ checkValidUntil, checkDate }) => [checkValidUntil, checkDate])
  const yes = [true, true]
  t.same(checks(await readFiles(t, files)), [yes, yes, yes])
  const noValid = { ...files, 'apt.conf.d/99': 'Acquire::Check-Valid-Until "false";' }
  t.same(checks(await readFiles(t, noValid)), [[false, true], yes, yes])
  const noDate = { ...files, 'apt.conf': 'acquire { check-date "no"; };' }
  t.same(checks(await readFiles(t, noDate)), [[false, false], [false, false], yes])
})

t.test(
  'an apt.conf that apt cannot read is told, and the sources are read all the same',
  async (t) => {
    const line = 'deb [arch=amd64] http://a.example/x s c\n'
    const setup = await readFiles(t, { 'apt.conf': 'Foo { "bar"', 'sources.list': line })
    t.same(
      setup.sources.map(({ uri }) => uri),
      ['http://a.example/x'],
    )
    t.match(setup.leftOut, [{ what: 'apt.conf', reason: /^apt-config failed: .*apt\.conf/ }])
  },
)

t.test('a machine without apt has no sources', async (t) => {
  const setup = await readAptSetup(testDir(t))
  t.same(setup.sources, [])
  t.same(setup.files, [])
})

t.test('archives are named after the last part of their path, else the host', (t) => {
  const names = {
    'http://archive.example/debian': 'debian',
    'http://archive.example/debian-security': 'debian-security',
    'https://archive.example/': 'archive-example',
    'http://127.0.0.1:8080': '127-0-0-1',
    'https://archive.example/repos/Node_20.x/': 'node-20.x',
    'https://archive.example/x/c%2B%2B%20tools': 'c++-tools',
    'https://archive.example/x/--': 'archive-example',
    'http://[::1]/': '1-',
  }
  for (const [uri, name] of Object.entries(names)) t.equal(archiveName(uri), name, uri)
  t.match(archiveName(`http://archive.example/${'x'.repeat(300)}`), /^x{1,60}$/)
  t.end()
})

t.test('sources of one URI and one trust become one archive with a name of its own', async (t) => {
  const { sources } = await agrees(t, {
    'sources.list': `deb http://a.example/debian s main
deb http://a.example/debian s-updates main contrib
deb [arch=arm64] http://a.example/debian s-backports main
deb [signed-by=/k.gpg] http://a.example/debian other main
deb-src http://a.example/debian s main
deb http://b.example/linux/debian s stable
`,
  })
  t.match(groupSources(sources), [
    {
      name: 'debian',
      uri: 'http://a.example/debian',
      suites: ['s', 's-updates', 's-backports'],
      components: ['main', 'contrib'],
      architectures: ['amd64', 'i386', 'arm64'],
      hasSources: true,
      signedBy: { kind: 'default' },
    },
    {
      name: 'debian-2',
      hasSources: false,
      suites: ['other'],
      components: ['main'],
      signedBy: { kind: 'files' },
    },
    { name: 'debian-3', uri: 'http://b.example/linux/debian', components: ['stable'] },
  ])
})
