/**
 * Releases are signed anew long before their Valid-Until, without anybody's doing. Sluice's clock begins in the past and is
 * moved up to now, since apt and gpgv judge by the machine's own.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startSluice } from '../support/sluice.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const DAY_MS = 24 * 3600 * 1000
const path = '/channels/approved/nut/dists/stable/InRelease'

const made = new Date(Date.now() - 41 * DAY_MS)
const longAgo = {
  publish: { date: made, sign: { signedAt: made } },
  key: { createdAt: new Date(Date.now() - 42 * DAY_MS) },
}

interface Signed {
  readonly date: number
  readonly validUntil: number
}

async function signedAt(url: string): Promise<Signed> {
  const text = await (await fetch(url)).text()
  const field = (name: string): number =>
    Date.parse(new RegExp(`^${name}: (.+)$`, 'm').exec(text)?.[1] ?? '')
  return { date: field('Date'), validUntil: field('Valid-Until') }
}

t.test('no client ever sees a Release expire, for weeks without any change', async (t) => {
  const clock = createTestClock(40 * DAY_MS)
  const { sluice, upstream, machine } = await makeWorld(
    t,
    [{ name: 'hello', version: '1', arch: 'all' }],
    {
      ...longAgo,
      start: { clock, flags: { 'log-level': 'error' } },
    },
  )
  const machineOnApproved = await machine('machine', 'approved')
  const first = await signedAt(`${sluice.url}${path}`)
  t.ok(first.validUntil < Date.now(), 'the first Release is past its Valid-Until by now')
  // Upstream is gone for all that time: that must not matter.
  await upstream.close()
  let last = first
  const end = clock.now() + 40 * DAY_MS
  while (clock.now() < end) {
    const now = await signedAt(`${sluice.url}${path}`)
    if (now.date < last.date || now.date > clock.now())
      t.fail('Date went back, or is in the future')
    last = now
    // A signature takes its time: where it is late, the hours go by slowly, but they go by.
    const isLate = now.validUntil - clock.now() < 6 * DAY_MS
    clock.advance(isLate ? DAY_MS / 240 : DAY_MS / 2)
    if (isLate) await sleep(20)
    if (now.validUntil < clock.now()) break
  }
  t.ok(clock.now() >= end, 'it was never past its Valid-Until')
  t.ok(last.date > first.date + 30 * DAY_MS)
  t.same(troubles(await machineOnApproved.update()), clean, 'apt takes it today')
  const { length } = (await sluice.api('GET', '/channels/approved/history?limit=100')) as object[]
  t.ok(length >= 4 && length <= 8, `signed anew about once a week: ${length} generations`)
})

t.test('a server that was off for a month signs anew when it starts', async (t) => {
  const clock = createTestClock(40 * DAY_MS)
  const world = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'all' }], {
    ...longAgo,
    start: { clock, flags: { 'log-level': 'error' } },
  })
  const machine = await world.machine('machine', 'approved')
  t.match(await machine.update(), { code: 100 }, 'as it is now, apt refuses it')
  await world.sluice.close()
  const listen = new URL(world.sluice.url).host
  const again = await startSluice(world.sluice.dataDir, { flags: { listen } })
  t.teardown(() => again.close())
  const run = await until(async () => {
    const seen = await machine.update()
    return seen.code === 0 ? seen : undefined
  })
  t.same(troubles(run), clean)
})

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    await sleep(20)
  }
}
