/** Release files: read as the machine's archives and apt-ftparchive write them, written so that apt takes them. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { sha256Of } from '../../src/base/sha256.ts'
import {
  formatRelease,
  formatReleaseDate,
  parseRelease,
  parseReleaseDate,
  type ReleaseFields,
} from '../../src/debian/release.ts'
import { createApt } from '../support/apt.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { drawFrom, findRealIndex, newSeed } from './real-index.ts'

const digest = sha256Of('')
const minimal = `SHA256:\n ${digest} 0 main/binary-amd64/Packages\n`
const may17 = Date.UTC(2025, 4, 17, 8, 54, 8) / 1000

function fields(changes: Partial<ReleaseFields> = {}): ReleaseFields {
  return {
    date: may17,
    acquireByHash: true,
    architectures: ['amd64'],
    components: ['main'],
    files: [],
    ...changes,
  }
}

t.test('a Release of apt-ftparchive reads back as it was made', async (t) => {
  const dir = testDir(t, {
    main: { 'binary-amd64': { Packages: 'Package: a\n' }, source: { Sources: 'Package: b\n' } },
  })
  const options = {
    Origin: 'Nut',
    Label: 'Nut & Co',
    Suite: 'stable',
    Codename: 'nut',
    Version: '1.2',
    Description: 'Nuts: all of them',
    Architectures: 'amd64 all',
    Components: 'main extra',
    NotAutomatic: 'yes',
    ButAutomaticUpgrades: 'yes',
    'Acquire-By-Hash': 'yes',
  }
  const given = Object.entries(options).flatMap(([name, value]) => [
    '-o',
    `APT::FTPArchive::Release::${name}=${value}`,
  ])
  const before = Math.floor(Date.now() / 1000)
  const { stdout } = await runOk('apt-ftparchive', [
    ...given,
    '-o',
    'APT::FTPArchive::Release::ValidTime=86400',
    'release',
    dir,
  ])
  const release = parseRelease(stdout)
  t.match(release, {
    origin: 'Nut',
    label: 'Nut & Co',
    suite: 'stable',
    codename: 'nut',
    version: '1.2',
    description: 'Nuts: all of them',
    architectures: ['amd64', 'all'],
    components: ['main', 'extra'],
    notAutomatic: true,
    butAutomaticUpgrades: true,
    acquireByHash: true,
  })
  const date = release.date ?? 0
  t.ok(date >= before && date <= Math.ceil(Date.now() / 1000), 'the date is now')
  t.equal(release.validUntil, date + 86_400)
  for (const path of ['main/binary-amd64/Packages', 'main/source/Sources']) {
    const content = await readFile(join(dir, path))
    t.same(release.files.get(path), { path, size: content.length, sha256: sha256Of(content) })
  }
})

t.test("the machine's own archives are read with every file that they list", async (t) => {
  await findRealIndex()
  const lists = '/var/lib/apt/lists'
  const names = (await readdir(lists)).filter((name) => name.endsWith('InRelease'))
  t.ok(names.length > 0, 'apt has been updated')
  for (const name of names) {
    const signed = await readFile(join(lists, name), 'utf8')
    const text = signed.slice(
      signed.indexOf('\n\n') + 2,
      signed.indexOf('-----BEGIN PGP SIGNATURE'),
    )
    const release = parseRelease(text)
    const list = text.slice(text.indexOf('\nSHA256:'))
    const lines = list.match(/^ [0-9a-f]{64} +\d+ \S+$/gm) ?? []
    t.equal(release.files.size, new Set(lines.map((line) => line.split(/ +/)[3])).size)
    const date = /^Date: (.*)$/m.exec(text)?.[1]
    if (date === undefined) continue
    const judged = await runOk('date', ['-u', '-d', date, '+%s'])
    t.equal(release.date, Number(judged.stdout), date)
  }
})

t.test('apt takes what is written, and sees the fields in it', async (t) => {
  const dir = testDir(t)
  const index = Buffer.from(`Package: a\nVersion: 1\nArchitecture: all\nFilename: a\nSize: 1\n`)
  const path = 'main/binary-amd64/Packages'
  await mkdir(join(dir, 'archive/dists/nut/main/binary-amd64'), { recursive: true })
  await writeFile(join(dir, 'archive/dists/nut', path), index)
  const now = Math.floor(Date.now() / 1000)
  const text = formatRelease(
    fields({
      origin: 'Nut',
      label: 'Nut & Co',
      suite: 'stable',
      codename: 'nut',
      version: '1.2',
      description: 'Nüsse: all of them',
      date: now - 300,
      validUntil: now + 86_400,
      notAutomatic: true,
      butAutomaticUpgrades: true,
      noSupportForArchitectureAll: 'Packages',
      snapshots: 'no',
      architectures: ['all', 'amd64'],
      files: [{ path, size: index.length, sha256: sha256Of(index) }],
    }),
  )
  await writeFile(join(dir, 'archive/dists/nut/Release'), text)
  const source = `deb [trusted=yes] file:${join(dir, 'archive')} nut main`
  const apt = await createApt(join(dir, 'apt'), { sources: source })
  const { code, warnings, errors, notices } = await apt.update()
  t.same({ code, said: [...warnings, ...errors, ...notices] }, { code: 0, said: [] })
  const { stdout } = await apt.run('apt-cache', ['policy'])
  t.match(stdout, /release v=1\.2,o=Nut,a=stable,n=nut,l=Nut & Co,c=main,b=amd64/)
  t.match(stdout, /^ 100 file:/m, 'not automatic, but its upgrades are')
})

t.test('what is written has the order of Debian, and reads back', async (t) => {
  const other = sha256Of('x')
  const text = formatRelease(
    fields({
      origin: 'Debian',
      label: 'Debian',
      suite: 'stable',
      codename: 'nut',
      version: '12.1',
      description: 'Debian 12.1',
      changelogs: 'https://archive.example/@CHANGEPATH@_changelog',
      snapshots: 'no',
      validUntil: may17 + 60,
      noSupportForArchitectureAll: 'Packages',
      architectures: ['all', 'amd64'],
      components: ['main', 'contrib'],
      files: [
        { path: 'main/z', size: 12345, sha256: other },
        { path: 'contrib/a', size: 0, sha256: digest },
      ],
    }),
  )
  t.equal(
    text,
    [
      'Origin: Debian',
      'Label: Debian',
      'Suite: stable',
      'Version: 12.1',
      'Codename: nut',
      'Changelogs: https://archive.example/@CHANGEPATH@_changelog',
      'Snapshots: no',
      'Date: Sat, 17 May 2025 08:54:08 UTC',
      'Valid-Until: Sat, 17 May 2025 08:55:08 UTC',
      'Acquire-By-Hash: yes',
      'No-Support-for-Architecture-all: Packages',
      'Architectures: all amd64',
      'Components: main contrib',
      'Description: Debian 12.1',
      'SHA256:',
      ` ${digest}        0 contrib/a`,
      ` ${other}    12345 main/z`,
      '',
    ].join('\n'),
  )
  const { files, ...release } = parseRelease(text)
  t.match(release, { date: may17, validUntil: may17 + 60, snapshots: 'no', notAutomatic: false })
  t.same([...files.keys()], ['contrib/a', 'main/z'])
})

t.test('nothing is written that would add a field or leave the suite', async (t) => {
  const bad: readonly Partial<ReleaseFields>[] = [
    { origin: 'Nut\nSigned-By: evil' },
    { description: 'a\r' },
    { suite: 'a\0' },
    { components: ['main', 'x\ny'] },
    { date: Number.NaN },
    ...['../x', '/x', 'a b', 'a\nb', ''].map((path) => ({
      files: [{ path, size: 1, sha256: digest }],
    })),
  ]
  for (const changes of bad) {
    t.throws(() => formatRelease(fields(changes)), { code: 'ERR_FORMAT' }, JSON.stringify(changes))
  }
})

t.test('what third-party archives leave out or write otherwise is read', async (t) => {
  const release = parseRelease(minimal)
  t.match(release, { notAutomatic: false, acquireByHash: false, architectures: [], components: [] })
  t.notOk('date' in release || 'codename' in release || 'validUntil' in release)
  const upper = `sha256:\r\n ${digest.toUpperCase()}\t7  ./Packages\r\n`
  t.same(parseRelease(upper).files.get('Packages'), { path: 'Packages', size: 7, sha256: digest })
  const repeated = `${minimal} ${digest} 0 main/binary-amd64/Packages\n`
  t.equal(parseRelease(repeated).files.size, 1, 'one file listed twice, the same both times')
})

t.test('a Release that cannot be trusted to mean one thing is refused', async (t) => {
  const bad: readonly [text: string, what: RegExp][] = [
    ['Origin: a\n', /SHA256/],
    [`MD5Sum:\n ${'0'.repeat(32)} 0 a\n`, /SHA256/],
    ['', /SHA256/],
    [`SHA256:\n ${digest} 0 ../../etc/passwd\n`, /bad line/],
    [`SHA256:\n ${digest} 0 a/..\n`, /bad line/],
    [`SHA256:\n ${digest} 0 /etc/passwd\n`, /bad line/],
    [`SHA256:\n ${digest} 0 a\x01b\n`, /bad line/],
    [`SHA256:\n ${digest} 0 a\0b\n`, /bad line/],
    [`SHA256:\n ${digest} -1 a\n`, /bad line/],
    [`SHA256:\n ${digest} 9007199254740993 a\n`, /bad line/],
    [`SHA256:\n ${digest.slice(1)} 1 a\n`, /bad line/],
    [`SHA256:\n ${digest} 1\n`, /bad line/],
    [`SHA256:\n ${digest} 1 a\n ${digest} 2 a\n`, /two digests/],
    [`Date: yesterday\n${minimal}`, /Date/],
    [`Valid-Until: Sat, 17 May 2025 08:54:08 JST\n${minimal}`, /Valid-Until/],
  ]
  for (const [text, what] of bad) {
    t.throws(() => parseRelease(text), { code: 'ERR_FORMAT', message: what }, JSON.stringify(text))
  }
  try {
    parseRelease('Origin: a\n')
  } catch (error) {
    t.match(error, { hint: /SHA256/ }, 'and the hint says whom to ask for what')
  }
})

t.test('dates are written as date(1) writes them, and read back', async (t) => {
  const seed = newSeed()
  t.comment(`SLUICE_SEED=${seed}`)
  const draw = drawFrom(seed)
  const times = Array.from({ length: 300 }, () => draw(4_102_444_800))
  const input = times.map((time) => `@${time}\n`).join('')
  const judged = await runOk('date', ['-u', '-f', '-', '+%a, %d %b %Y %H:%M:%S UTC'], { input })
  const lines = judged.stdout.trim().split('\n')
  t.same(times.map(formatReleaseDate), lines)
  t.same(lines.map(parseReleaseDate), times)
})

t.test('dates are read in the forms that archives use, and no others', async (t) => {
  const read = [
    ...['Sat, 17 May 2025 08:54:08 UTC', 'Sat, 17 May 2025 08:54:08 GMT'],
    ...['Sat, 17 May 2025 08:54:08 +0000', 'Sat, 17 May 2025 08:54:08 Z'],
    ...[
      'Sat, 17 May 2025  8:54:08 UTC',
      ' 17 May 2025 08:54:08 UTC ',
      'Sat,17 may 2025 08:54:08 UTC',
    ],
  ]
  for (const text of read) t.equal(parseReleaseDate(text), may17, text)
  const march = Date.UTC(2025, 2, 1) / 1000
  t.equal(parseReleaseDate('Sat,  1 Mar 2025 00:00:00 UTC'), march)
  t.equal(parseReleaseDate('Sat, 1 Mar 2025 00:00:00 UTC'), march)
  const refused = [
    ...['Sat, 17 May 2025 08:54:08 +0200', 'Sat, 17 May 2025 08:54:08 JST', '2025-05-17T08:54:08Z'],
    ...[
      'Sat, 17 May 2025 08:54:08',
      'Sat, 31 Feb 2025 08:54:08 UTC',
      'Sat, 0 May 2025 08:54:08 UTC',
    ],
    ...['Sat, 17 May 2025 25:54:08 UTC', 'Sat, 17 Mai 2025 08:54:08 UTC', '', '1747472048'],
  ]
  for (const text of refused) t.equal(parseReleaseDate(text), undefined, text)
})
