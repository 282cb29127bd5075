/** What becomes of a source: whom to trust for it, or why it is left out. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeSigningKey } from '../../fixtures/signing-key.ts'
import { agrees, agreesOn, makeRoot, readFiles } from '../support/apt-files.ts'
import { run } from '../support/run.ts'

t.test('what Sluice does not carry is left out, each with its reason', async (t) => {
  const setup = await agrees(t, {
    'sources.list': `deb http://good.example/x s c
deb http://flat.example/x ./
deb file:/srv/x s c
deb cdrom:[Disc]/ s c
deb mirror+http://list.example/x s c
`,
    'sources.list.d/more.sources':
      'Types: deb\nURIs: http://two.example/x\nSuites: s t\nComponents: c\n',
  })
  t.same(
    setup.sources.map(({ uri, suite }) => `${uri} ${suite}`),
    [
      'http://good.example/x s',
      'http://flat.example/x /',
      'http://two.example/x s',
      'http://two.example/x t',
    ],
  )
  t.match(
    setup.leftOut.map(({ what, reason }) => `${what}: ${reason}`),
    [
      /^deb file:.*: it is a directory/,
      /^deb cdrom:.*: it is a disc/,
      /^deb mirror\+http:.*: mirror\+http: is neither/,
    ],
  )
})

t.test('a deb-src switches on the sources of what a deb names too', async (t) => {
  const setup = await agrees(t, {
    'sources.list': `deb http://both.example/x s c
deb http://both.example/x t c
deb-src http://both.example/x/ s c
deb-src http://alone.example/x s c
deb-src http://flat.example/x ./
`,
    'sources.list.d/two.sources':
      'Types: deb deb-src\nURIs: http://two.example/x\nSuites: s t\nComponents: c\n',
    'sources.list.d/src.list': 'deb-src http://both.example/x s c\n',
  })
  t.same(
    setup.sources.map(({ uri, suite, hasSources }) => [uri, suite, hasSources]),
    [
      ['http://both.example/x', 's', true],
      ['http://both.example/x', 't', false],
      ['http://two.example/x', 's', true],
      ['http://two.example/x', 't', true],
    ],
  )
  t.match(
    setup.leftOut.map(({ what, reason }) => `${what}: ${reason}`),
    [/^deb-src http:\/\/alone\.example\/x s \(.*:4\): no deb line names this suite/],
  )
  t.match(setup.files, [/\/sources\.list$/, /\/src\.list$/, /\/two\.sources$/])
})

t.test('ways that apt needs more programs for are left out, and no login is told', async (t) => {
  const setup = await readFiles(t, {
    'sources.list': `deb tor+http://onion.example/x s c
deb ssh://u:secret@ssh.example/x s c
deb [trusted=yes] http://u:secret@unsigned.example/x s c
`,
  })
  t.same(setup.sources, [])
  t.match(
    setup.leftOut.map(({ what, reason }) => `${what}: ${reason}`),
    [
      /^deb tor\+http:.*: tor\+http: is neither/,
      /^deb ssh:\/\/ssh\.example\/x s .*: ssh: is neither/,
      /^deb http:\/\/unsigned\.example\/x s .*: trusted=yes/,
    ],
  )
  t.notMatch(JSON.stringify(setup), 'secret')
})

t.test('what apt takes unsigned is never imported', async (t) => {
  const setup = await readFiles(t, {
    'sources.list': `deb [trusted=yes] http://a.example/x s c
deb [ arch=amd64 Trusted=TRUE ] http://b.example/x s c
deb [trusted=no] http://c.example/x s c
`,
    'sources.list.d/d.sources':
      'Types: deb\nURIs: http://d.example/x\nSuites: s\nComponents: c\nTrusted: 1\n',
  })
  t.same(setup.sources, [])
  t.match(
    setup.leftOut.map(({ reason }) => reason),
    [/^trusted=yes/, /^trusted=yes/, /^trusted=no/, /^trusted=yes/],
  )
})

t.test('a broken line costs no more than itself', async (t) => {
  const setup = await readFiles(t, {
    'sources.list': `deb http://a.example/x
deb http://a.example/x s
deb [arch=] http://a.example/x s c
deb [arch=amd64 http://a.example/x s c
deb http://a.example/x flat/ c
rpm http://a.example/x s c
deb [signed-by=keys/a.gpg] http://a.example/x s c
deb not-a-url s c
deb [arch=all] http://a.example/x s c
deb http://good.example/x s c
deb [signed-by=/other.gpg] http://good.example/x s d
`,
    'sources.list.d/x.sources': `Types: deb
URIs: http://b.example/x
Suites: s

Types: deb
Suites: s
no field here

URIs: http://b.example/x
Suites: s
Components: c

Types: deb
URIs: http://good2.example/x
Suites: s
Components: c
`,
  })
  t.same(
    setup.sources.map(({ uri }) => uri),
    ['http://good.example/x', 'http://good2.example/x'],
  )
  t.match(
    setup.leftOut.map(({ what, reason }) => `${what} ${reason}`),
    [
      /sources\.list:1 there is no suite/,
      /sources\.list:2 there is no component/,
      /sources\.list:3 the option arch= has no value/,
      /sources\.list:4 the options in brackets/,
      /sources\.list:5 a flat repository has no components/,
      /sources\.list:6\) apt knows no type "rpm"/,
      /sources\.list:7\) Signed-By: keys\/a\.gpg is neither/,
      /sources\.list:8\) this is no URL/,
      /sources\.list:9\) it is for architecture all alone/,
      /x\.sources:1 there is no component/,
      /x\.sources:5 /,
      /x\.sources:9 there is no field Types/,
      /sources\.list:11\) its options are not those of .*sources\.list:10/,
    ],
  )
  t.equal(setup.leftOut.length, 13)
})

t.test('keys within a stanza come out as gpg reads them', async (t) => {
  const root = await makeRoot(t, {})
  const key = await makeSigningKey(join(root, 'keys'), 'Inline <inline@archive.example>')
  const armored = await readFile(key.publicAsc, 'utf8')
  const field = armored
    .trimEnd()
    .split('\n')
    .map((line) => ` ${line || '.'}`)
    .join('\n')
  const stanza = 'Types: deb\nURIs: http://a.example/x\nSuites: s\nComponents: c\nSigned-By:'
  await mkdir(join(root, 'etc/apt/sources.list.d'))
  await writeFile(join(root, 'etc/apt/sources.list.d/i.sources'), `${stanza}\n${field}\n`)
  const setup = await agreesOn(t, root)
  const signedBy = setup.sources[0]?.signedBy
  if (signedBy?.kind !== 'inline') return t.fail('no inline key')
  const shown = await run('gpg', ['--show-keys', '--with-colons'], { input: signedBy.armored })
  t.match(shown.stdout, key.fingerprint)
  t.equal(signedBy.armored, armored)
})

t.test('fingerprints select from the files named, else from the trusted ones', async (t) => {
  const one = '0123456789abcdef0123456789ABCDEF01234567'
  const setup = await agrees(t, {
    'sources.list': `deb [signed-by=${one}!] http://a.example/x s c
deb [signed-by=/k/b.gpg,${one}] http://b.example/x s c
deb http://c.example/x s c
`,
    'trusted.gpg.d/z.asc': '',
    'trusted.gpg.d/a.gpg': '',
    'trusted.gpg.d/readme.txt': '',
    'trusted.gpg': '',
  })
  const upper = one.toUpperCase()
  const trusted = [
    /etc\/apt\/trusted\.gpg$/,
    /trusted\.gpg\.d\/a\.gpg$/,
    /trusted\.gpg\.d\/z\.asc$/,
  ]
  t.match(
    setup.sources.map(({ signedBy }) => signedBy),
    [
      { kind: 'fingerprints', fingerprints: [`${upper}!`], trusted },
      { kind: 'fingerprints', fingerprints: [upper], trusted: [/\/k\/b\.gpg$/] },
      { kind: 'default', trusted },
    ],
  )
})
