/**
 * An administrator's morning: forty sources wait in three suites, two of them close CVEs, one is held, one is declined, and
 * one needs a library that waits as well. What the commands show, what goes, and what a machine makes of it.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import type { TestApt } from '../support/apt.ts'
import { runSluice } from '../support/program.ts'
import type { RunResult } from '../support/run.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const suites = ['stable', 'stable-updates', 'stable-security'] as const
type Suite = (typeof suites)[number]

const numbered = (count: number, name: string): string[] =>
  Array.from({ length: count }, (_, at) => `${name}-${at + 1}`)

/** The sources of each suite; `app` needs the library of `foo` in its very version. */
const sources: Readonly<Record<Suite, readonly string[]>> = {
  stable: ['app', 'foo', 'linux', ...numbered(15, 'base')],
  'stable-updates': ['tzdata', ...numbered(9, 'more')],
  'stable-security': ['openssl', 'curl', ...numbered(10, 'safe')],
}

/** What closes CVEs, and how the changelog says so. */
const cves: Readonly<Record<string, string>> = { openssl: 'CVE-2026-1001', curl: 'CVE-2026-2002' }

function packagesOf(suite: Suite, version: string): PackageSpec[] {
  return sources[suite].map((source) => {
    const depends = source === 'app' ? `libfoo (= ${version})` : undefined
    return {
      name: source === 'foo' ? 'libfoo' : source,
      ...{ source, version, arch: 'amd64', files: changelogOf(source, version) },
      ...(depends === undefined ? {} : { depends }),
    }
  })
}

function changelogOf(source: string, version: string): Record<string, string> {
  const cve = cves[source]
  const entry = (which: string, urgency: string, text: string): string =>
    `${source} (${which}) stable; urgency=${urgency}\n\n  * ${text}\n\n -- A. Uthor <a@archive.example>  Mon, 02 Mar 2026 10:00:00 +0000\n`
  const first = entry('1', 'medium', 'The first. (CVE-2020-0001)')
  const second = entry('2', cve ? 'high' : 'low', cve ? `Check the length. (${cve})` : 'Newer.')
  const binary = source === 'foo' ? 'libfoo' : source
  const path = `usr/share/doc/${binary}/changelog.Debian.gz`
  return { [path]: version === '1' ? first : `${second}\n${first}` }
}

interface Morning extends World {
  readonly machine1: TestApt
  run(...args: string[]): Promise<RunResult>
  // biome-ignore lint/suspicious/noExplicitAny: as the API's answers in tests
  json(...args: string[]): Promise<any>
}

/** A machine has all of version 1 from `approved`; overnight `testing` took version 2 of forty sources. */
async function makeMorning(t: Test): Promise<Morning> {
  const world = await makeWorld(t, packagesOf('stable', '1'))
  const { sluice, dir, key } = world
  const publish = async (version: string): Promise<void> => {
    const all = suites.map((suite) => ({
      ...{ suite, directory: suite, origin: 'Nut', packages: packagesOf(suite, version) },
      label: suite === 'stable-security' ? 'Nut-Security' : 'Nut',
      ...{ components: ['main'], architectures: ['amd64'] },
    }))
    await makeArchive(join(dir, 'archive'), { key, suites: all })
  }
  const run: Morning['run'] = (...args) => runSluice(['--data', sluice.dataDir, ...args])
  await publish('1')
  await sluice.api('PATCH', '/archives/nut', { suites: [...suites] })
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  const machine1 = await world.machine('machine1', 'approved')
  const keyPath = join(machine1.dir, 'sluice.asc')
  await machine1.setSources(
    suites
      .map(
        (suite) => `deb [signed-by=${keyPath}] ${sluice.url}/channels/approved/nut ${suite} main`,
      )
      .join('\n'),
  )
  t.match(troubles(await machine1.update()), clean)
  const names = Object.values(sources).flat()
  const binaries = names.map((name) => (name === 'foo' ? 'libfoo' : name))
  t.match(troubles(await machine1.install(...binaries)), clean)
  await publish('2')
  await sluice.api('POST', '/archives/refresh')
  const json: Morning['json'] = async (...args) => JSON.parse((await run('--json', ...args)).stdout)
  return { ...world, machine1, run, json }
}

t.test('a morning at the desk', async (t) => {
  const morning = await makeMorning(t)
  const approved = ['--channel', 'approved', '--reason']
  t.equal((await morning.run('hold', 'linux', ...approved, 'driver of lab-3')).code, 0)
  t.equal((await morning.run('decline', 'tzdata=2', ...approved, 'wrong for our offices')).code, 0)
  await t.test('what waits is told, what matters first', (t) => showsWhatWaits(t, morning))
  await t.test('what would break is refused, with what to take along', (t) =>
    refusesWhatBreaks(t, morning),
  )
  await t.test('a plan is shown, and given back by its digest', (t) => promotesByPlan(t, morning))
  await t.test('a machine gets just that', (t) => reachesMachine(t, morning))
  await t.test('and all of it can be read later', (t) => isKept(t, morning))
})

async function showsWhatWaits(t: Test, { run, json }: Morning): Promise<void> {
  const { stdout } = await run('pending', '--fetch')
  const [, ...rows] = stdout
    .split('\n')
    .filter((line) => / nut stable/.test(line) || /^SOURCE/.test(line))
  t.equal(rows.length, 40)
  t.match(rows.slice(0, 12).join('\n'), /^(?:.* nut stable-security .*security.*\n?){12}$/)
  const { pending, total } = await json('pending', '--cve')
  t.equal(total, 40)
  t.match(pending, [
    { source: 'curl', cves: ['CVE-2026-2002'], urgency: 'high', isSecurity: true },
    { source: 'openssl', cves: ['CVE-2026-1001'], old: ['1'], new: ['2'] },
  ])
  t.equal(pending.length, 2, 'what an older entry closed is no news')
  t.match(
    rows.find((row) => row.startsWith('linux ')),
    /held/,
  )
  t.match(
    rows.find((row) => row.startsWith('tzdata ')),
    /declined/,
  )
  const { stdout: changelog } = await run('changelog', 'openssl')
  t.match(changelog, /openssl \(2\) stable; urgency=high\n\n {2}\* Check the length/)
}

async function refusesWhatBreaks(t: Test, { run, json }: Morning): Promise<void> {
  const refused = await run('promote', 'app')
  t.equal(refused.code, 5)
  t.match(refused.stderr, /app 2 \(amd64\) depends on libfoo \(= 2\)/)
  t.match(refused.stderr, /foo.*--with-deps/)
  const plan = await json('promote', 'app', '--with-deps', '--dry-run')
  t.same(sourcesOf(plan), ['app', 'foo'])
}

async function promotesByPlan(t: Test, { run, json, sluice }: Morning): Promise<void> {
  const plan = await json('promote', '--all', '--dry-run')
  const named = Object.values(sources).flat()
  t.same(sourcesOf(plan), named.filter((name) => !['linux', 'tzdata'].includes(name)).sort())
  const { stdout } = await run('promote', '--all', '--dry-run')
  t.match(stdout, /^would make approved generation 3 from 2: 38 sources$/m)
  const digest = /--plan ([0-9a-f]+)$/m.exec(stdout)?.[1] ?? ''
  t.ok(plan.digest.startsWith(digest))
  const other = await run('promote', 'curl', 'openssl', '--plan', digest)
  t.equal(other.code, 5, 'another selection is not that plan')
  t.equal((await sluice.api('GET', '/channels/approved')).head, 2)
  const done = await run('promote', '--all', '--plan', digest, '--reason', 'the morning of the 3rd')
  t.match(done, { code: 0, stderr: '' })
}

async function reachesMachine(t: Test, { machine1 }: Morning): Promise<void> {
  t.match(troubles(await machine1.update()), clean)
  t.match(troubles(await machine1.upgrade()), clean)
  const has = await machine1.installed()
  const wanted = Object.values(sources)
    .flat()
    .map((source) => {
      const name = source === 'foo' ? 'libfoo' : source
      return `${name}=${['linux', 'tzdata'].includes(source) ? 1 : 2}`
    })
  t.same(has, wanted.sort())
}

async function isKept(t: Test, { run, json }: Morning): Promise<void> {
  const { stdout } = await run('pending')
  t.match(stdout, /^linux .*held/m)
  t.match(stdout, /^tzdata .*declined/m)
  t.equal((await json('pending')).total, 2)
  const audit = (await run('audit')).stdout
  t.match(audit, /the morning of the 3rd/)
  t.match(audit, /driver of lab-3/)
  t.match(audit, /wrong for our offices/)
}

function sourcesOf({
  changes,
}: {
  readonly changes: readonly { readonly source: string }[]
}): string[] {
  return changes.map(({ source }) => source).sort()
}
