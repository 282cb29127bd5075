/**
 * Upstream publishes again and again, file by file as archives do, while machines run `apt-get update` without a pause,
 * through the proxy and on a channel: none sees a failure (F1). Ten publications in `npm test`, two hundred in
 * `npm run soak`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const PUBLICATIONS = process.env.SOAK === undefined ? 10 : 200
t.setTimeout(1_000_000 + PUBLICATIONS * 60_000)

const packages = (round: number): PackageSpec[] =>
  ['some', 'other', 'third'].map((name, at) => ({
    name,
    version: String(at === round % 3 ? round + 1 : 1),
    arch: at === 0 ? 'all' : 'amd64',
    content: 1000,
  }))

t.test(`${PUBLICATIONS} publications, and nobody notices`, async (t) => {
  const world = await makeWorld(t, packages(0), { publish: { translations: true } })
  const machines = await Promise.all([
    world.proxied('by-proxy'),
    world.proxied('by-proxy-too'),
    world.machine('on-channel', 'testing'),
  ])
  const over = new AbortController()
  const failures: object[] = []
  let updates = 0
  const updating = machines.map(async (machine) => {
    while (!over.signal.aborted) {
      const seen = troubles(await machine.update())
      if (JSON.stringify(seen) !== JSON.stringify(clean)) failures.push(seen)
      updates += 1
    }
  })
  const refreshing = (async () => {
    while (!over.signal.aborted) await world.sluice.api('POST', '/archives/refresh')
  })()
  for (let round = 1; round <= PUBLICATIONS && failures.length < 5; round++) {
    await world.publish(packages(round))
    while (updates < 2 * round) await sleep(20)
  }
  over.abort()
  await Promise.all([...updating, refreshing])
  t.same(failures, [])
  await world.sluice.api('POST', '/archives/refresh')
  for (const machine of machines) {
    t.same(troubles(await machine.update()), clean)
    const changed = ['some', 'other', 'third'][PUBLICATIONS % 3] ?? ''
    t.equal((await machine.policy(changed)).candidate, String(PUBLICATIONS + 1))
  }
})
