/**
 * A clock that leaps by a year, and back by more, while machines are served: they notice nothing, nothing is signed that they
 * would have to refuse, and when the clock is right all goes on at once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const DAY_MS = 24 * 3600_000
const YEAR_MS = 365 * DAY_MS
const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })
const spare: PackageSpec = { name: 'spare', version: '1', arch: 'amd64' }
const inRelease = /dists\/stable\/InRelease/

t.test('a year ahead, and then a day behind', async (t) => {
  const clock = createTestClock()
  const world = await makeWorld(t, [hello('1'), spare], {
    start: { clock, flags: { 'log-level': 'silent' } },
  })
  const { sluice, upstream } = world
  const machines = [await world.proxied('proxied'), await world.machine('channel', 'approved')]
  const updates = async (): Promise<object[]> => {
    const runs = await Promise.all(machines.map((apt) => apt.update()))
    return runs.map(troubles)
  }
  const once = ['-o', 'Acquire::Retries=0']
  const downloadSpare = async (): Promise<number> => {
    const [proxied] = machines
    const run = await proxied?.run('apt-get', [
      ...once,
      '--download-only',
      '-y',
      'install',
      'spare',
    ])
    return run?.code ?? -1
  }
  const all = { from: 'testing', to: 'approved', all: true }
  const asked = (): number => upstream.count(/pool.*spare_/)
  const next = async (): Promise<number> => (await sluice.api('GET', '/archives/nut')).nextRefreshAt
  t.same(await updates(), [clean, clean])
  upstream.fault(/pool.*spare_/, { kind: 'status', status: 404 })
  t.equal(await downloadSpare(), 100)
  t.equal(await downloadSpare(), 100)
  t.equal(asked(), 1, 'upstream has it not: that is known for a minute')

  t.comment('a year ahead')
  upstream.clearRequests()
  clock.leap(YEAR_MS)
  t.same(await updates(), [clean, clean])
  // The round that was due is done, and the next is an hour later as ever.
  while (upstream.count(inRelease) === 0 || (await next()) < clock.now()) await sleep(10)
  t.ok((await next()) < clock.now() + 2 * 3600_000)
  t.ok(upstream.count(inRelease) < 4, `${upstream.count(inRelease)} looks`)
  t.equal(await downloadSpare(), 100)
  t.equal(asked(), 1, 'asked again: the minute is over')
  await world.publish([hello('2'), spare])
  const ahead = await sluice.api('POST', '/archives/refresh')
  t.match(ahead.error.message, /the clock of this machine leapt ahead by 365 days a moment ago/)
  t.same(await updates(), [clean, clean], 'nothing has a Date that apt refuses')

  t.comment('a day behind')
  clock.leap(-YEAR_MS - DAY_MS)
  t.same(await updates(), [clean, clean])
  t.equal(await downloadSpare(), 100)
  t.equal(asked(), 2, 'what was noted in the future counts no more')
  const behind = await sluice.api('POST', '/archives/refresh')
  t.match(behind.error.message, /the clock of this machine is behind/)
  t.same(await updates(), [clean, clean])

  t.comment('right')
  clock.leap(DAY_MS)
  upstream.clearFaults()
  t.match(await sluice.api('POST', '/archives/refresh'), { outcomes: [{ problem: undefined }] })
  t.equal(await downloadSpare(), 0)
  t.match(await sluice.api('POST', '/promotions', all), { changes: [{ source: 'hello' }] })
  t.same(await updates(), [clean, clean])
  for (const apt of machines) t.equal((await apt.policy('hello')).candidate, '2')
})
