/**
 * `kill -9` while holds end, or while what is declined is kept out: the next start goes on, and nothing is done twice.
 */
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { caughtUp } from '../support/based.ts'
import { startProcess } from '../support/sluice-process.ts'
import { createTestClock } from '../support/test-clock.ts'
import { makeWorld } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const DAY_MS = 24 * 3600_000
const points = [
  'derive: content made',
  'publish: before the commit',
  'publish: written, not yet served',
] as const

for (const point of points) {
  t.test(`a server killed at "${point}" ends a hold once, and keeps its declines`, async (t) => {
    // What ends a day later by this clock is over by that of the processes.
    const clock = createTestClock(2 * DAY_MS)
    const publishedAt = () => new Date(Math.floor(clock.now() / 1000 - 60) * 1000)
    const date = publishedAt()
    const first = ['hello', 'bad'].map((name) => pack(name, '1'))
    const { sluice, publish } = await makeWorld(t, first, {
      publish: { date, sign: { signedAt: date } },
      key: { createdAt: new Date(clock.now() - DAY_MS) },
      start: { clock, flags: { 'log-level': 'silent' } },
    })
    const { api } = sluice
    await api('POST', '/channels', { name: 'web', base: 'approved' })
    await api('POST', '/declines', { channel: 'web', source: 'bad', version: '2' })
    const held = { channel: 'web', source: 'hello', until: clock.now() + DAY_MS }
    await api('POST', '/holds', held)
    clock.advance(120_000)
    const at = publishedAt()
    const second = ['hello', 'bad'].map((name) => pack(name, '2'))
    await publish(second, { date: at, sign: { signedAt: at } })
    await api('POST', '/archives/refresh')
    await api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
    await caughtUp(sluice, 'web')
    await sluice.close()

    const begun = await startProcess(t, sluice.dataDir, `kill-at:${point}`)
    t.match(await ('ended' in begun ? begun.ended : begun), { signal: 'SIGKILL' })
    const again = await startProcess(t, sluice.dataDir)
    if (!('url' in again)) throw new Error(again.text)
    while ((await again.api('GET', '/holds')).length > 0) await setTimeout(10)
    t.match(await again.api('GET', '/diff?from=approved&to=web'), {
      changes: [{ source: 'bad', old: ['2'], new: ['1'] }],
    })
    t.match(await again.api('GET', '/channels/web'), {
      pins: [{ source: 'bad', kind: 'decline', new: ['1'] }],
    })
    const audit = await again.api('GET', '/audit?what=hold+expired')
    t.match(audit, [{ object: 'channel web', detail: { source: 'hello' } }])
    t.equal(audit.length, 1)
    t.same((await again.api('POST', '/verify', {})).problems, [])
    await again.stop()
  })
}
