/**
 * What digests tell, out of a real server's state: what waits with its CVE ids, what went and why, what needs attention; and
 * that nothing is sent where there is nothing to tell.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import {
  beginning,
  DAY_MS,
  type DigestWorld,
  HOUR_MS,
  makeDigestWorld,
  pack,
  settled,
} from '../support/digest-world.ts'
import { startPython } from '../support/python-server.ts'
import { startSluice } from '../support/sluice.ts'

const seven = (day: number): number => Date.UTC(2026, 0, day, 7)
const recipients = ['admins@updates.example']
const morning = { name: 'morning', recipients, timeZone: 'UTC' }

async function mailWorld(t: Test, packages: readonly PackageSpec[], keyEnds?: Date) {
  const server = await startPython(t, 'mail-server.py')
  const flags = {
    'mail-server': `smtp://127.0.0.1:${server.port}`,
    'mail-from': 'sluice@updates.example',
  }
  const world = await makeDigestWorld(t, flags, { packages, keyEnds })
  t.notOk((await world.sluice.api('POST', '/digests', morning)).error)
  return { ...world, server }
}

/** Publishes `stable` and `stable-security`, and lets testing follow both. */
async function renewBoth(
  { clock, dir, key, sluice }: DigestWorld,
  stable: readonly PackageSpec[],
  security: readonly PackageSpec[],
): Promise<void> {
  clock.advance(60_000)
  const date = new Date(clock.now() - 30_000)
  const same = { components: ['main'], architectures: ['amd64'], date, sign: { signedAt: date } }
  const suites = [
    { ...same, suite: 'stable', codename: 'nut', label: 'Nut', packages: stable },
    { ...same, suite: 'stable-security', label: 'Nut-Security', packages: security },
  ]
  await makeArchive(join(dir, 'archive'), { key, suites })
  await sluice.api('PATCH', '/archives/nut', { suites: ['stable', 'stable-security'] })
  await sluice.api('POST', '/archives/refresh')
}

function withCves(name: string, version: string, cves: string): PackageSpec {
  const by = ' -- A. Uthor <a@archive.example>  Mon, 02 Mar 2026 10:00:00 +0000'
  const entry = (which: string, text: string): string =>
    `${name} (${which}) stable; urgency=high\n\n  * ${text}\n\n${by}\n`
  const text = `${entry(version, `Mend it: ${cves}`)}\n${entry('1', 'First: CVE-2020-0001')}`
  const files = { [`usr/share/doc/${name}/changelog.Debian.gz`]: text }
  return { ...pack(name, version), files }
}

t.test('what waits, what went and why, security first and with CVE ids', async (t) => {
  const names = ['slow', 'quick', 'linux', 'other']
  const first = names.map((name) => pack(name, '1'))
  const world = await mailWorld(t, first)
  const { sluice, server, goTo } = world
  const { api } = sluice
  await renewBoth(world, first, [withCves('openssl', '1', 'CVE-2020-0001')])
  await api('POST', '/promotions', { from: 'testing', to: 'approved', all: true, reason: 'begin' })
  await goTo(seven(6))
  const begin = (await server.next()).mail
  t.match(begin.text, /^Nothing waits from testing for approved\.$/m)
  t.match(begin.text, /^ {2}generation 2, .*, promote by admin: begin\n {6}openssl \(new\) 1/m)

  await api('POST', '/holds', { channel: 'approved', source: 'linux', reason: 'breaks it' })
  await api('POST', '/policies', {
    ...{ name: 'night', from: 'testing', to: 'approved', schedule: '0 6 * * *' },
    rules: ['quick* after 0 days', 'after 7 days'],
  })
  const second = names.map((name) => pack(name, '2'))
  await renewBoth(world, second, [withCves('openssl', '2', 'CVE-2026-1001, CVE-2026-0999')])
  await api('POST', '/declines', { channel: 'approved', source: 'other', version: '2' })
  await goTo(seven(7) - HOUR_MS)
  await ran(world, 'night')
  await goTo(seven(7))
  const { wrong, headers, text, html } = (await server.next()).mail
  t.same(wrong, [])
  t.equal(headers.subject, 'Sluice: 2 wait for approved, 1 for security')
  const head =
    '2 sources wait from testing for approved, 1 of them for security; 1 held, 1 declined.'
  t.equal(text.split('\n\n')[0].replace(/\s+/g, ' '), head)
  const blocks: string[] = text.split('\n\n').slice(1)
  t.match(blocks, [
    /^Waits for approved, for security\n-+\n {2}openssl 1 -> 2 \(stable-security, 24 h\)\n {6}CVE-2026-0999 CVE-2026-1001\nLook: /,
    /^Waits for approved\n-+\n {2}slow 1 -> 2 \(stable, 24 h\)\nLook: /,
    /^Went to approved since 2026-01-06 07:00\n-+\n {2}generation 3, 2026-01-07 06:00, promote by policy\s+night: quick\* after 0\n {4}days: quick\n {6}quick 1 -> 2 \(stable\)\n/,
    /^-- \nSluice at http:\/\/127\.0\.0\.1:\d+, digest morning, 2026-01-07 07:00/,
  ])
  t.notMatch(text, /linux|other|CVE-2020-0001/)
  t.match(html, /<h3>Waits for approved, for security<\/h3>/)
  t.match(html, /openssl 1 -&gt; 2 .*CVE-2026-0999 CVE-2026-1001/)
})

/** Resolves when the policy has run. */
async function ran({ sluice, clock }: DigestWorld, name: string): Promise<void> {
  for (;;) {
    const { nextAt, last } = await sluice.api('GET', `/policies/${name}`)
    if (nextAt > clock.now() && last?.endedAt !== undefined) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

t.test('what needs attention: refreshes that fail, keys that end', async (t) => {
  const keyEnds = new Date(beginning + 20 * DAY_MS)
  const world = await mailWorld(t, [pack('hello', '1')], keyEnds)
  const { sluice, upstream, server, goTo, clock } = world
  await goTo(seven(6))
  t.match((await server.next()).mail, {
    headers: { subject: 'Sluice: nothing waits for approved, 1 problem' },
    text: /^Needs attention\n-+\n {2}the key .*\n.*that nut signs stable with expires on 2026-01-25\n/m,
  })
  await upstream.close()
  await goTo(seven(7) - 2 * HOUR_MS)
  await sluice.api('POST', '/archives/refresh')
  clock.advance(HOUR_MS)
  await goTo(seven(7))
  const { headers, text } = (await server.next()).mail
  t.equal(headers.subject, 'Sluice: nothing waits for approved, 2 problems')
  t.match(text, /^ {2}nut stable cannot be refreshed for 2 h:$/m)
})

t.test('where there is nothing to tell nothing is sent, unless it is asked for', async (t) => {
  const { sluice, server, goTo } = await mailWorld(t, [pack('hello', '1')])
  const { api } = sluice
  await goTo(seven(6))
  t.ok((await server.next()).mail, 'that the channel was made')
  await goTo(seven(7))
  const quiet = await api('GET', '/digests/morning')
  t.equal(quiet.nextAt, seven(8))
  t.match(await api('POST', '/digests/morning/send', {}), { isSent: false })
  t.same(server.rest(), [])
  t.match(await api('POST', '/digests/morning/send', { always: true }), { isSent: true })
  t.match((await server.next()).mail.headers, { subject: 'Sluice: nothing waits for approved' })
  await api('PATCH', '/digests/morning', { always: true })
  await goTo(seven(8))
  t.match((await server.next()).mail, { wrong: [], text: /^Nothing waits from testing/ })
  await api('PATCH', '/digests/morning', { enabled: false })
  await goTo(seven(9))
  t.match(await api('GET', '/digests/morning'), { enabled: false })
  t.same(server.rest(), [])
})

t.test('what a start puts in order again is not told as a problem', async (t) => {
  const world = await mailWorld(t, [pack('hello', '1')])
  const { sluice, server, clock } = world
  await world.goTo(seven(6))
  await server.next()
  await sluice.close()
  // Past the Valid-Until of all Releases.
  clock.advance(40 * DAY_MS)
  const flags = {
    'mail-server': `smtp://127.0.0.1:${server.port}`,
    ...{ 'mail-from': 'sluice@updates.example', 'log-level': 'silent' },
  }
  const again = await startSluice(sluice.dataDir, { clock, flags })
  t.teardown(() => again.close())
  await settled(again, clock)
  t.same(server.rest(), [])
})

t.test('a channel is renamed, then deleted: the digest goes on, then says so', async (t) => {
  const { sluice, server, goTo, renew } = await mailWorld(t, [pack('hello', '1')])
  const { api } = sluice
  await renew([pack('hello', '2')])
  t.notOk((await api('POST', '/channels/approved/rename', { name: 'live' })).error)
  await goTo(seven(6))
  t.match((await server.next()).mail.headers, { subject: 'Sluice: 1 waits for live' })
  t.notOk((await api('DELETE', '/channels/live', {})).error)
  await goTo(seven(7))
  const left = await api('GET', '/digests/morning')
  t.match(left, { from: 'testing', trouble: { code: 'ERR_NOT_FOUND', message: /is deleted$/ } })
  t.notOk(left.to)
  t.match((await api('GET', '/export')).notes, [/^digest morning is left out/])
  t.same(server.rest(), [])
})
