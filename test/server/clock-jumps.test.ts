/**
 * A clock that leaps by a year, and back by more, while machines are served: they notice nothing, nothing is signed that they
 * would have to refuse, and when the clock is right all goes on at once.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const DAY_MS = 24 * 3600_000
const YEAR_MS = 365 * DAY_MS
const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })
const spare: PackageSpec = { name: 'spare', version: '1', arch: 'amd64' }
const inRelease = /dists\/stable\/InRelease/

async function statusOf(url: string): Promise<number> {
  return (await fetch(url)).status
}

/** A world by a clock of its own, with a machine of the proxy and one on a channel. */
async function makeBed(t: Test) {
  const clock = createTestClock()
  const start = { clock, flags: { 'log-level': 'silent' } }
  const world = await makeWorld(t, [hello('1'), spare], { start })
  const proxied = await world.proxied('proxied')
  const machines = [proxied, await world.machine('channel', 'approved')]
  const download = ['-o', 'Acquire::Retries=0', '--download-only', '-y', 'install', 'spare']
  const nextRefresh = async (): Promise<number> =>
    (await world.sluice.api('GET', '/archives/nut')).nextRefreshAt
  const updates = async (): Promise<object[]> =>
    (await Promise.all(machines.map((apt) => apt.update()))).map(troubles)
  const downloadSpare = async (): Promise<number> => (await proxied.run('apt-get', download)).code
  return { ...world, clock, machines, updates, nextRefresh, downloadSpare }
}

t.test('a year ahead, and then a day behind', async (t) => {
  const bed = await makeBed(t)
  const { clock, sluice, upstream, machines, updates, nextRefresh, downloadSpare } = bed
  const all = { from: 'testing', to: 'approved', all: true }
  const odd = `${sluice.url}/${new URL(upstream.url).host}/odd`
  const asked = (): number => upstream.count(/pool.*spare_/)
  t.same(await updates(), [clean, clean])
  upstream.fault(/pool.*spare_/, { kind: 'status', status: 404 })
  for (let times = 0; times < 2; times++) t.equal(await downloadSpare(), 100)
  t.equal(asked(), 1, 'upstream has it not: that is known for a minute')

  t.comment('a year ahead')
  upstream.clearRequests()
  clock.leap(YEAR_MS)
  t.same(await updates(), [clean, clean])
  // The round that was due is done, and the next is an hour later as ever.
  while (upstream.count(inRelease) === 0 || (await nextRefresh()) < clock.now()) await sleep(10)
  t.ok((await nextRefresh()) < clock.now() + 2 * 3600_000)
  t.ok(upstream.count(inRelease) < 4, `${upstream.count(inRelease)} looks`)
  t.equal(await downloadSpare(), 100)
  t.equal(asked(), 1, 'asked again: the minute is over')
  await bed.publish([hello('2'), spare])
  const ahead = await sluice.api('POST', '/archives/refresh')
  t.match(ahead.error.message, /the clock of this machine leapt ahead by 365 days a moment ago/)
  t.same(await updates(), [clean, clean], 'nothing has a Date that apt refuses')

  t.equal(await statusOf(odd), 404)

  t.comment('a day behind')
  clock.leap(-YEAR_MS - DAY_MS)
  await writeFile(join(bed.dir, 'archive/odd'), 'odd\n')
  t.equal(await statusOf(odd), 200)
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
