/**
 * When digests are sent: once for each time that is due, whatever restarts, crashes, clocks that jump and time zones do; what
 * each tells of begins where the one before ended.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { DAY_MS, HOUR_MS, makeDigestWorld, pack, settled } from '../support/digest-world.ts'
import type { FastServerInput } from '../support/fast-server.ts'
import { type PythonServer, startPython } from '../support/python-server.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import type { TestClock } from '../support/test-clock.ts'

const seven = (day: number): number => Date.UTC(2026, 0, day, 7)
const quiet = { 'log-level': 'silent', 'refresh-minutes': '10000' }

interface Told {
  readonly since: number
  readonly until: number
}

/** A world with the digest `chat`, which is sent also when there is nothing to tell. */
async function chatWorld(t: Test, settings: object = {}) {
  const server = await startPython(t, 'webhook-server.py')
  const world = await makeDigestWorld(t, {})
  const webhook = `http://127.0.0.1:${server.port}/`
  const chat = { name: 'chat', webhook, timeZone: 'UTC', always: true, ...settings }
  t.notOk((await world.sluice.api('POST', '/digests', chat)).error)
  return { ...world, server }
}

/** What came since this was asked last. */
function told(server: PythonServer): Told[] {
  return server.rest().map(({ call }) => call.body)
}

async function goTo(at: number, clock: TestClock, sluice: TestSluice): Promise<void> {
  clock.advance(at - clock.now())
  await settled(sluice, clock)
}

t.test('restarts, failures and leaps: nothing is told twice or left out', async (t) => {
  const { server, clock, ...world } = await chatWorld(t)
  let { sluice } = world
  t.teardown(() => sluice.close())
  const taken: Told[] = []
  const draw = random(20_260_105)
  let missed = 0
  while (clock.now() < seven(25)) {
    const isBad = draw() < 0.2
    await server.behave(isBad ? { status: 503 } : {})
    const before = clock.now()
    const byMs = draw() < 0.1 ? 3 * DAY_MS * draw() : 12 * HOUR_MS * draw()
    if (draw() < 0.2) {
      await sluice.close()
      clock.advance(byMs)
      sluice = await startSluice(sluice.dataDir, { clock, flags: quiet })
      await settled(sluice, clock)
    } else {
      await goTo(before + byMs, clock, sluice)
      // Back a little, as a clock that is set right.
      if (draw() < 0.2) clock.advance(-2 * HOUR_MS * draw())
    }
    const came = told(server)
    const days = (at: number): number => Math.floor((at - 7 * HOUR_MS) / DAY_MS)
    missed += Math.max(0, days(clock.now()) - days(before) - 1)
    if (!isBad) taken.push(...came)
  }
  await server.behave({})
  await goTo(seven(27), clock, sluice)
  taken.push(...told(server))
  t.ok(missed > 0 && taken.length > 10, `${taken.length} were taken, ${missed} missed`)
  const breaks = taken.filter(({ since }, at) => since !== (taken[at - 1]?.until ?? seven(5)))
  t.same(breaks, [], 'each begins where the one before ended')
  const odd = taken.filter(({ until }) => until % DAY_MS !== 7 * HOUR_MS)
  t.same(odd, [], 'each ends at a time that is due')
  t.equal(taken.at(-1)?.until, seven(27))
})

t.test('a clock that was a year ahead, or is set back, sends nothing twice', async (t) => {
  const { server, clock, sluice } = await chatWorld(t)
  const until = () => told(server).map((one) => one.until)
  await goTo(seven(6), clock, sluice)
  t.same(until(), [seven(6)])
  clock.advance(-3 * HOUR_MS)
  await goTo(seven(6) + 1000, clock, sluice)
  t.same(until(), [], 'the same time comes again')
  await goTo(seven(6 + 365), clock, sluice)
  t.same(until(), [seven(6 + 365)], 'one, for all that would have been missed')
  clock.advance(-365 * DAY_MS + HOUR_MS)
  // It is noticed within a minute of the machine's, or at a start.
  await sluice.close()
  const again = await startSluice(sluice.dataDir, { clock, flags: quiet })
  t.teardown(() => again.close())
  await goTo(seven(7) - 60_000, clock, again)
  t.same(until(), [])
  await goTo(seven(7), clock, again)
  t.same(until(), [seven(7)])
})

t.test('what falls into an hour that is skipped, or comes twice, is due once', async (t) => {
  const berlin = { schedule: '30 2 * * *', timeZone: 'Europe/Berlin' }
  const { server, clock, sluice } = await chatWorld(t, berlin)
  const walk = async (from: number, to: number) => {
    await goTo(from, clock, sluice)
    server.rest()
    for (let at = from; at <= to; at += HOUR_MS / 2) await goTo(at, clock, sluice)
    return told(server).map((one) => new Date(one.until).toISOString())
  }
  t.same(await walk(Date.UTC(2026, 2, 27, 18), Date.UTC(2026, 2, 30, 2)), [
    '2026-03-28T01:30:00.000Z',
    '2026-03-29T01:00:00.000Z',
    '2026-03-30T00:30:00.000Z',
  ])
  t.same(await walk(Date.UTC(2026, 9, 24, 18), Date.UTC(2026, 9, 26, 2)), [
    '2026-10-25T00:30:00.000Z',
    '2026-10-26T01:30:00.000Z',
  ])
})

t.test('a crash after it was taken sends it again under the same name, once', async (t) => {
  const server = await startPython(t, 'mail-server.py')
  const flags = {
    ...quiet,
    'mail-server': `smtp://127.0.0.1:${server.port}`,
    'mail-from': 'sluice@updates.example',
    'public-url': 'http://updates.example',
  }
  const { sluice, renew } = await makeDigestWorld(t, flags)
  const recipients = ['admins@updates.example']
  await sluice.api('POST', '/digests', { name: 'morning', recipients, timeZone: 'UTC' })
  await renew([pack('hello', '2')])
  await sluice.close()

  const { dataDir } = sluice
  const dead = startAt(t, seven(6) + 1000, { dataDir, flags }, 'digest: taken, not noted')
  const { mail } = await server.next()
  t.equal(await dead.ended, 'SIGKILL')
  const again = startAt(t, seven(6) + 5 * 60_000, { dataDir, flags })
  const second = (await server.next()).mail
  t.equal(second.headers['message-id'], mail.headers['message-id'])
  t.match(second, { wrong: [], text: mail.text })
  again.stop()
  await again.ended

  const third = startAt(t, seven(7) + 1000, { dataDir, flags })
  const next = (await server.next()).mail
  t.not(next.headers['message-id'], mail.headers['message-id'])
  third.stop()
  await third.ended
  t.same(server.rest(), [])
})

/** A server as a process of its own, whose clock begins at `at`; it kills itself at the crash point, if one is told. */
function startAt(
  t: Test,
  at: number,
  { dataDir, flags }: { dataDir: string; flags: Record<string, string> },
  point?: string,
): { ended: Promise<string>; stop(): void } {
  const pace = { startedAt: Date.now(), showed: at, rate: 1 }
  const input: FastServerInput = { dataDir, listen: '127.0.0.1:0', pace, flags }
  const script = join(import.meta.dirname, '../support/fast-server.ts')
  const fault = point === undefined ? {} : { SLUICE_FAULT: `kill-at:${point}` }
  const child = spawn(process.execPath, [script, JSON.stringify(input)], {
    env: { PATH: process.env.PATH, ...fault },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit').then(([code, signal]) => signal ?? code)
  return { ended, stop: () => child.kill('SIGTERM') }
}

/** Numbers from 0 to 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}
