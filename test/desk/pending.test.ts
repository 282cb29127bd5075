/**
 * What waits in the morning, told by a real server out of real packages: their changelogs, CVEs, urgency, ages and holds,
 * sorted and filtered; as a table and as JSON.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { DAY_MS } from '../support/aged-world.ts'
import { runSluice } from '../support/program.ts'
import { type RunResult, run } from '../support/run.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { makeWorld, type World } from '../support/world.ts'

const HOUR_MS = DAY_MS / 24

/** One entry: version, urgency, what changed. */
type Entry = readonly [version: string, urgency: string, ...lines: string[]]

function textOf(source: string, entries: readonly Entry[]): string {
  const by = ' -- A. Uthor <a@archive.example>  Mon, 02 Mar 2026 10:00:00 +0000'
  const texts = entries.map(([version, urgency, ...lines]) => {
    return `${source} (${version}) stable; urgency=${urgency}\n\n${lines.map((line) => `  * ${line}\n`).join('')}\n${by}\n`
  })
  return texts.join('\n')
}

/** A package of its own source, in the version of its newest entry. */
function pack(
  name: string,
  entries: readonly Entry[],
  more: Partial<PackageSpec> = {},
): PackageSpec {
  const [version] = entries[0] ?? ['1']
  const path = `usr/share/doc/${name}/changelog.Debian.gz`
  return { name, version, arch: 'amd64', files: { [path]: textOf(name, entries) }, ...more }
}

const first: Entry = ['1.0-1', 'medium', 'First. Closes CVE-2020-0001.']

interface Desk extends World {
  readonly clock: TestClock
  /** Publishes both suites as of the world's time, and lets testing follow. */
  renew(stable: readonly PackageSpec[], security: readonly PackageSpec[]): Promise<void>
  pending(...args: string[]): Promise<RunResult>
  // biome-ignore lint/suspicious/noExplicitAny: as the API's answers in tests
  json(...args: string[]): Promise<any>
}

/** Two suites, `stable` and `stable-security`, with a clock that begins on a day long past. */
async function makeDesk(
  t: Test,
  stable: readonly PackageSpec[],
  security: readonly PackageSpec[],
): Promise<Desk> {
  const clock = createTestClock(Date.now() - Date.UTC(2026, 0, 5, 12))
  const made = new Date(clock.now() - HOUR_MS)
  const world = await makeWorld(t, stable, {
    publish: { date: made, sign: { signedAt: made } },
    key: { createdAt: new Date(clock.now() - DAY_MS) },
    start: { clock, flags: { 'log-level': 'silent' } },
  })
  const { sluice, dir, key } = world
  const renew: Desk['renew'] = async (some, others) => {
    clock.advance(60_000)
    const date = new Date(clock.now() - 30_000)
    const same = { components: ['main'], architectures: ['amd64'], date, sign: { signedAt: date } }
    const suites = [
      { ...same, suite: 'stable', codename: 'nut', label: 'Nut', packages: some },
      { ...same, suite: 'stable-security', label: 'Nut-Security', packages: others },
    ]
    await makeArchive(join(dir, 'archive'), { key, suites })
    await sluice.api('POST', '/archives/refresh')
  }
  await renew(stable, security)
  await sluice.api('PATCH', '/archives/nut', { suites: ['stable', 'stable-security'] })
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  const pending: Desk['pending'] = (...args) =>
    runSluice(['--data', sluice.dataDir, 'pending', ...args])
  const json: Desk['json'] = async (...args) =>
    JSON.parse((await pending(...args, '--json')).stdout)
  return { ...world, clock, renew, pending, json }
}

const old = {
  stable: [pack('slow', [first]), pack('hello', [first]), pack('bare', [first], { files: {} })],
  security: [pack('openssl', [first]), pack('curl', [first])],
}
const hello = pack('hello', [
  ['1.2-1', 'low', 'Translations.'],
  ['1.1-1', 'high', 'Check lengths (CVE-2026-0007,', 'cve-2025-0009).'],
  first,
])
const openssl = pack('openssl', [['1.1-1', 'emergency', 'Fixes CVE-2026-1000.'], first], {
  content: 30_000,
})
const curl = pack('curl', [['1.0-2', 'medium', 'Nothing of note.'], first])

const desk = await makeDesk(t, old.stable, old.security)
const { pending, json, sluice, clock, upstream } = desk
const slow = pack('slow', [['2.0-1', 'low', 'New upstream.'], first])
await desk.renew([slow, ...old.stable.slice(1)], old.security)
clock.advance(3 * DAY_MS)
await desk.renew(
  [slow, hello, pack('bare', [['2-1', 'low'], first], { files: {} })],
  [openssl, curl],
)
clock.advance(2 * HOUR_MS)

t.test('a list fetches nothing, and says whose changelog is not known', async (t) => {
  const fetched = upstream.count(/_(?:1\.1|1\.2|2\.0|1\.0-2|2)-.*\.deb$/)
  const { stdout } = await pending()
  t.match(stdout, /^changelogs not here yet: 5 \(--fetch gets a package of each\)$/m)
  t.notMatch(stdout, /URGENCY/)
  t.equal(upstream.count(/_(?:1\.1|1\.2|2\.0|1\.0-2|2)-.*\.deb$/), fetched)
  t.match(await pending('--cve'), {
    code: 0,
    stdout: /^None of the 5 that wait is what was asked for\nchangelogs not here yet: 5 /,
  })
})

t.test('asked for, a package of each source comes, once', async (t) => {
  const security = await pending('--security', '--fetch')
  t.match(security, { code: 0, stdout: /^openssl .* emergency +CVE-2026-1000 /m })
  t.equal(upstream.count(/hello_1\.2-1/), 0, 'what was not asked for')
  t.match(await pending('--fetch'), { code: 0, stderr: '' })
  t.equal(upstream.count(/hello_1\.2-1/), 1)
  await pending('--fetch')
  t.equal(upstream.count(/hello_1\.2-1/), 1)
})

t.test('of the changelog the new entries count, and no older ones', async (t) => {
  const answer = await json()
  t.match(answer, {
    from: { channel: 'testing' },
    to: { channel: 'approved' },
    total: 5,
    matched: 5,
  })
  const bySource = new Map(answer.pending.map((one: { source: string }) => [one.source, one]))
  t.match(bySource.get('hello'), {
    archive: 'nut',
    suite: 'stable',
    old: ['1.0-1'],
    new: ['1.2-1'],
    urgency: 'high',
    cves: ['CVE-2025-0009', 'CVE-2026-0007'],
    entryCount: 2,
    isCut: false,
    entries: [
      { version: '1.2-1', urgency: 'low', lines: ['* Translations.'] },
      { version: '1.1-1', urgency: 'high', maintainer: 'A. Uthor <a@archive.example>' },
    ],
    isSecurity: false,
    changelog: 'read',
    verdicts: [],
  })
  t.match(bySource.get('bare'), { changelog: 'none', urgency: 'unknown', cves: [], entries: [] })
  t.match(bySource.get('openssl'), { isSecurity: true, note: 'security', suite: 'stable-security' })
  t.same(answer.changelogs, { read: 4, none: 1 })
})

/** Sources in the order in which they are told. */
async function sourcesOf(query: string): Promise<string> {
  const { pending: told } = await sluice.api('GET', `/pending?${query}`)
  return told.map((one: { source: string }) => one.source).join(' ')
}

t.test('it is sorted by what matters to who asks', async (t) => {
  t.equal(await sourcesOf(''), 'curl openssl bare hello slow', 'security first')
  t.equal(await sourcesOf('sort=source'), 'bare curl hello openssl slow')
  t.equal(await sourcesOf('sort=age'), 'slow curl openssl bare hello', 'the oldest first')
  t.equal(await sourcesOf('sort=urgency'), 'openssl hello curl slow bare')
  t.equal(await sourcesOf('sort=cves'), 'hello openssl curl bare slow')
  t.match(await sourcesOf('sort=size'), /^openssl /)
  t.equal(await sourcesOf('sort=source&reverse=true'), 'slow openssl hello curl bare')
  t.equal(await sourcesOf('sort=source&limit=2'), 'bare curl')
})

t.test('and filtered', async (t) => {
  t.equal(await sourcesOf('patterns=h*&patterns=curl'), 'curl hello')
  t.equal(await sourcesOf('security=true'), 'curl openssl')
  t.equal(await sourcesOf('security=false'), 'bare hello slow')
  t.equal(await sourcesOf('cve=any'), 'openssl hello')
  t.equal(await sourcesOf('cve=cve-2026-0007'), 'hello')
  t.equal(await sourcesOf('cve=CVE-2020-0001'), '', 'of an entry that approved has')
  t.equal(await sourcesOf('urgency=high'), 'openssl hello')
  t.equal(await sourcesOf(`olderThanMs=${2 * DAY_MS}`), 'slow')
  t.equal(await sourcesOf(`newerThanMs=${DAY_MS}`), 'curl openssl bare hello')
  t.equal(await sourcesOf('suite=stable&archive=nut'), 'bare hello slow')
})

t.test('the command takes all of that, and names what makes no sense', async (t) => {
  const asked = await json(
    ...['*l*', '--no-held', '--older-than', '1h', '--newer-than', '2d', '--archive', 'nut'],
    ...['--urgency', 'medium', '--sort', 'urgency', '--reverse', '--limit', '2', '--no-goes'],
  )
  t.match(asked, { total: 5, matched: 3, pending: [{ source: 'curl' }, { source: 'hello' }] })
  const { stdout } = await pending('--security', '--suite', 'stable-security')
  t.match(stdout, /^2 of 5 sources that wait$/m)
  t.match(await pending('--sort', 'beauty'), { code: 2, stderr: /nothing is sorted by "beauty"/ })
  t.match(await pending('--cve', 'openssl'), { code: 2, stderr: /"openssl" is no CVE id/ })
  t.match(await pending('--urgency', 'soon'), { code: 2, stderr: /"soon" is no urgency/ })
  t.match(await pending('a/b'), { code: 2, stderr: /no name of a package/ })
  t.match(await pending('--to', 'nowhere'), { code: 4 })
})

t.test('what is held is marked, with who, why and since when', async (t) => {
  const hold = { channel: 'approved', source: 'slow', reason: 'breaks our shop' }
  await sluice.api('POST', '/holds', hold)
  t.match((await json('--held')).pending, [
    { source: 'slow', note: 'held', hold: { who: 'admin', why: 'breaks our shop' } },
  ])
  t.equal(await sourcesOf('held=false'), 'curl openssl bare hello')
  t.match((await pending('slow')).stdout, /^slow .* held$/m)
  t.match((await pending('slow', '--details')).stdout, /held +by admin since .*: breaks our shop$/m)
})

t.test('policies say of each whether it goes', async (t) => {
  const rules = ['security after 1 hour', 'hel* never', 'after 7 days']
  const policy = { name: 'night', from: 'testing', to: 'approved', schedule: '0 6 * * *', rules }
  await sluice.api('POST', '/policies', policy)
  t.equal(await sourcesOf('goes=true'), 'curl openssl')
  t.equal(await sourcesOf('goes=false'), 'bare hello slow')
  t.equal(await sourcesOf('sort=verdict'), 'curl openssl bare hello slow')
  const { stdout } = await pending()
  t.match(stdout, /^curl .* goes: security after 1 hour$/m)
  t.match(stdout, /^hello .* rule hel\* never$/m)
  t.match((await json('bare')).pending, [
    { verdicts: [{ policy: 'night', goes: false, rule: 'after 7 days', enabled: true }] },
  ])
})

t.test('all that is known of one is told in a block', async (t) => {
  const { stdout } = await pending('hello', 'bare', '--details')
  t.match(stdout, /^hello 1\.0-1 -> 1\.2-1 {2}nut stable$/m)
  t.match(stdout, /^ {2}waits +2 h, since 20/m)
  t.match(stdout, /^ {2}changelog +2 new entries, urgency high$/m)
  t.match(stdout, /^ {2}CVEs +CVE-2025-0009 CVE-2026-0007$/m)
  t.match(stdout, /^ {2}1\.1-1 {2}urgency=high .*\n {4}\* Check lengths/m)
  t.match(stdout, /^ {2}changelog +its packages have none$/m)
})

t.test('a terminal is never too narrow for it', async (t) => {
  for (const columns of [50, 80, 160]) {
    const command = `stty cols ${columns}; ${join(import.meta.dirname, '../../bin/sluice')} --data ${sluice.dataDir} pending`
    const shown = await run('script', ['-qec', command, '/dev/null'])
    const lines = shown.stdout.split(/\r?\n/).slice(0, 6)
    t.match(lines[0], /^SOURCE +APPROVED +TESTING/)
    t.ok(
      lines.every((line) => Array.from(line).length <= columns),
      `${columns}: ${lines.join('\n')}`,
    )
  }
})

t.test('sluice changelog tells what is new between two channels', async (t) => {
  const changelog = (...args: string[]): Promise<RunResult> =>
    runSluice(['--data', sluice.dataDir, 'changelog', ...args])
  const { stdout } = await changelog('hello', '--to', 'approved')
  t.equal(
    `${stdout}\n${textOf('hello', [first])}`,
    textOf('hello', [
      ['1.2-1', 'low', 'Translations.'],
      ['1.1-1', 'high', 'Check lengths (CVE-2026-0007,', 'cve-2025-0009).'],
      first,
    ]),
  )
  t.match((await changelog('hello')).stdout, textOf('hello', [first]), 'all of it, unless told')
  t.match(await changelog('hello', '--from', 'approved', '--to', 'testing'), {
    code: 0,
    stdout: /^nothing new: testing has hello 1\.2-1, as new as 1\.0-1$/m,
  })
  t.match(await changelog('bare', '--to', 'approved'), {
    code: 4,
    stderr: /no package of bare 2-1 has a changelog/,
  })
  t.match(await changelog('nothing', '--to', 'approved'), { code: 4 })
  const told = await changelog('hello', '--to', 'approved', '--json')
  t.match(JSON.parse(told.stdout), {
    source: 'hello',
    version: '1.2-1',
    old: '1.0-1',
    urgency: 'high',
    entries: [{ cves: [] }, { cves: ['CVE-2025-0009', 'CVE-2026-0007'] }],
  })
})
