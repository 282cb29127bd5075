/**
 * Refreshes that clients bring about: nobody waits for one, however upstream is, and many who ask cost upstream one request.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createRefreshBehind } from '../../src/server/refresh-behind.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const MINUTE_MS = 60_000
const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })
const inRelease = /dists\/stable\/InRelease/

/** Lets the server's own first round go by; the next one comes in an hour. */
async function passFirstRound({ sluice }: World, clock: TestClock): Promise<void> {
  clock.advance(2 * MINUTE_MS)
  const next = async (): Promise<number> => (await sluice.api('GET', '/archives/nut')).nextRefreshAt
  while ((await next()) < clock.now() + 30 * MINUTE_MS) await sleep(10)
}

t.test('a machine has yesterday’s suite at once, and the next one has today’s', async (t) => {
  const clock = createTestClock()
  const world = await makeWorld(t, [hello('1')], { start: { clock } })
  await passFirstRound(world, clock)
  const { sluice, upstream } = world
  const releaseUrl = `${sluice.url}/${new URL(upstream.url).host}/dists/stable/InRelease`
  const ask = async (): Promise<string> => (await fetch(releaseUrl)).text()
  const first = await world.proxied('first')
  t.same(troubles(await first.update()), clean)
  const before = await ask()
  await world.publish([hello('2')])
  upstream.clearRequests()

  clock.advance(4 * MINUTE_MS)
  t.equal(await ask(), before)
  t.equal(upstream.count(inRelease), 0, 'it was looked at just now')

  clock.advance(2 * MINUTE_MS)
  t.equal(await ask(), before, 'it waits for nothing')
  while ((await ask()) === before) await sleep(20)
  t.equal(upstream.count(inRelease), 1)
  t.same(troubles(await first.update()), clean)
  t.equal((await first.policy('hello')).candidate, '2')
  t.same(troubles(await first.install('hello')), clean)
})

t.test('an upstream that hangs is asked once, and fifty do not wait for it', async (t) => {
  const clock = createTestClock()
  const world = await makeWorld(t, [hello('1')], { start: { clock } })
  await passFirstRound(world, clock)
  const { sluice, upstream } = world
  const ask = async (): Promise<string> => {
    const host = new URL(upstream.url).host
    return (await fetch(`${sluice.url}/${host}/dists/stable/InRelease`)).text()
  }
  const before = await ask()
  upstream.fault(/./, { kind: 'hang' })
  upstream.clearRequests()
  clock.advance(6 * MINUTE_MS)
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: 50 }, ask))
    t.same(new Set(answers), new Set([before]))
  }
  while (upstream.count() === 0) await sleep(5)
  t.equal(upstream.count(), 1)
  t.equal(upstream.requests[0]?.status, 0, 'which has got no answer yet')
})

t.test('one archive at a time, and no sooner than pauses say', async (t) => {
  const clock = createTestClock()
  const time = { ms: 0 }
  const behind = createRefreshBehind(clock, { now: () => time.ms })
  const begun: string[] = []
  const ends: ((isGood: boolean) => void)[] = []
  const old = clock.now() - 10 * MINUTE_MS
  behind.ring('a', old)
  behind.start((archive) => {
    begun.push(archive)
    return new Promise((resolve) => void ends.push(resolve))
  })
  const end = async (isGood: boolean): Promise<void> => {
    ends.shift()?.(isGood)
    await new Promise(setImmediate)
  }
  const ring = async (archive = 'a', at = old): Promise<number> => {
    for (let times = 0; times < 10; times++) behind.ring(archive, at)
    await new Promise(setImmediate)
    return begun.length
  }
  t.equal(await ring('a', clock.now()), 0, 'what is fresh is left')
  t.equal(await ring('http://archive.example'), 0, 'and what is no archive of ours')
  t.equal(await ring('a'), 1)
  t.equal(await ring('b'), 1, 'the other waits')
  await end(true)
  t.same(begun, ['a', 'b'])
  await end(true)
  t.equal(await ring('a'), 2)
  time.ms += 5 * MINUTE_MS
  t.equal(await ring('a'), 3)

  t.comment('failures, one after the other')
  await end(false)
  for (const minutes of [1, 2, 4, 8, 16, 30, 30]) {
    time.ms += minutes * MINUTE_MS - 1
    const count = begun.length
    t.equal(await ring('a'), count, `not before ${minutes} min`)
    time.ms += 1
    t.equal(await ring('a'), count + 1)
    await end(false)
  }

  t.comment('whatever the clock does')
  clock.advance(-48 * 60 * MINUTE_MS)
  const count = begun.length
  t.equal(await ring('b', clock.now() + 48 * 60 * MINUTE_MS), count + 1, 'confirmed in the future')
  t.equal(await ring('b', clock.now() + 48 * 60 * MINUTE_MS), count + 1)
  clock.advance(365 * 24 * 60 * MINUTE_MS)
  t.equal(await ring('b'), count + 1)
  await end(true)
  await behind.stop()
  time.ms += 60 * MINUTE_MS
  t.equal(await ring('b'), count + 1, 'nor when it was stopped')
})
