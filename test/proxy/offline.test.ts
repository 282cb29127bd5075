/**
 * `sluice serve --offline`: what is here is served, whatever else is wanted is refused with its reason, and nothing goes
 * out, not even the look-up of a name.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { inClosedNet } from '../support/closed-net.ts'
import { startSluice } from '../support/sluice.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const here: PackageSpec = { name: 'here', version: '1', arch: 'amd64', content: 3000 }
const away: PackageSpec = { name: 'away', version: '1', arch: 'amd64', content: 3000 }
const HOUR_MS = 3600_000

t.test('machines have what is here, and are told why the rest is not to be had', async (t) => {
  const world = await makeWorld(t, [here, away])
  const { dir, upstream } = world
  const first = await world.proxied('first')
  await first.update()
  t.same(troubles(await first.install('here')), clean)
  await world.sluice.close()
  upstream.clearRequests()

  const clock = createTestClock()
  const sluice = await startSluice(join(dir, 'var'), { clock, flags: { offline: true } })
  t.teardown(() => sluice.close())
  const apt = await world.proxied('second')
  await apt.run('sed', ['-i', `s|${world.sluice.url}|${sluice.url}|`, join(apt.dir, 'apt.conf')])
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('here')), clean)
  const refused = await apt.run('apt-get', [
    ...['-o', 'Acquire::Retries=0', 'install', '--yes', 'away'],
  ])
  t.equal(refused.code, 100)
  t.match(refused.stderr, /503 +.*away_1_amd64.* not asked, this server is offline/)

  t.comment('a day goes by, and the rounds that are due in it')
  for (let hours = 0; hours < 24; hours += 2) {
    clock.advance(2 * HOUR_MS)
    t.same(troubles(await apt.update()), clean)
    await sleep(20)
  }
  t.equal(upstream.count(), 0)
  const archive = await sluice.api('GET', '/archives/nut')
  t.equal(archive.isOffline, true)
  t.equal(archive.nextRefreshAt, undefined)
  t.same(archive.fileProblems, [], 'it is no fault of upstream')
  t.equal(archive.suites[0].problem, undefined)
})

t.test('not a packet leaves the machine', async (t) => {
  const world = await makeWorld(t, [here, away])
  const { dir, sluice } = world
  const machine = await world.proxied('machine')
  await machine.update()
  t.same(troubles(await machine.install('here')), clean)
  await sluice.api('PATCH', '/archives/nut', {
    urls: ['http://archive.example/nut', 'https://mirror.example.org/nut'],
    fallbacks: ['http://fallback.example'],
    reason: 'a name that has to be looked up',
  })
  await sluice.api('POST', '/digests', {
    ...{ name: 'morning', from: 'testing', to: 'approved', webhook: 'http://hook.example/x' },
  })
  await sluice.close()
  const root = 'http://archive.example/nut'
  const requests = [
    ['GET', `${root}/dists/stable/InRelease`],
    ['GET', '/channels/testing/nut/dists/stable/InRelease'],
    ['GET', `${root}/${poolPath(here)}`],
    ['GET', '/healthz'],
    ['GET', `${root}/${poolPath(away)}`],
    ['GET', `${root}/project/trace/x`],
    ['GET', 'http://other.example/x'],
    ['CONNECT', 'mirror.example.org:443'],
    ['sluice', 'archive', 'refresh'],
    ['sluice', 'channel', 'fill', 'testing'],
    ['sluice', 'digest', 'send', 'morning', '--always', '--reason', 'now'],
    ['sluice', 'archive', 'list'],
    ['sluice', 'archive', 'show', 'nut'],
  ]
  const net = { dataDir: join(dir, 'var'), requests }
  const flags = ['--pass-hosts', 'other.example', '--webhook-secret-file', join(dir, 'secret')]
  const { answers, lookedUp, connected, said } = await inClosedNet({
    ...net,
    flags: [...flags, '--offline'],
  })
  t.same({ lookedUp, connected }, { lookedUp: [], connected: [] })
  const [, , , health, ...others] = answers
  t.same(
    answers.slice(0, 4).map(({ status }) => status),
    [200, 200, 200, 200],
  )
  t.same(JSON.parse(health?.body ?? ''), { ok: true, offline: true })
  for (const [at, answer] of others.slice(0, 4).entries()) {
    const about = String(requests[at + 4]?.join(' '))
    t.equal(answer.status, 503, about)
    t.match(answer.body, /^sluice: .*this server is offline\nhint: .*--offline/, about)
    t.match(answer.reason, /this server is offline/, about)
  }
  for (const [at, command] of others.slice(4, 7).entries()) {
    const about = String(requests[at + 8]?.join(' '))
    t.not(command.status, 0, about)
    t.match(command.body, /this server is offline/, about)
  }
  const [list, show] = answers.slice(-2)
  t.match(list, { status: 0, body: /nut .* offline$/m })
  t.match(show, { status: 0, body: /next look +never: the server is offline/ })
  t.match(said, /"kind":"warning","message":"this server is offline/)

  t.comment('the recorder would have seen it')
  const control = await inClosedNet({ ...net, flags, requests: requests.slice(4, 9) })
  for (const name of ['archive.example', 'other.example', 'mirror.example.org']) {
    t.ok(control.lookedUp.includes(name), name)
  }
  t.ok(control.connected.includes('203.0.113.7:80'))
  t.ok(control.connected.includes('203.0.113.7:443'))
})
