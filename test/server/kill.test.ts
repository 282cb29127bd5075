/**
 * `kill -9` at random moments of all the work at once: whatever was going on, the server starts again, its store is sound,
 * and a machine updates and downloads. Six times in `npm test`, two hundred in `npm run soak`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startLoad } from '../support/load.ts'
import { keepChanging } from '../support/load-changes.ts'
import { makeMachine } from '../support/load-machines.ts'
import { seedOr } from '../support/seed.ts'

const KILLS = process.env.SOAK === undefined ? 6 : 200
const LONGEST_MS = 1500
const seed = seedOr(process.env.SEED)
t.setTimeout(KILLS * 80_000 + 60_000)

t.test(`a server that is killed ${KILLS} times goes on each time (seed ${seed})`, async (t) => {
  const load = await startLoad(t, { seed, forMs: KILLS * 10_000 + 60_000 })
  const machines = [
    await makeMachine(load, 'approved', 'channels/approved'),
    await makeMachine(load, 'class', 'class/web'),
  ]
  const stopped = new AbortController()
  const changing = keepChanging(load, stopped.signal)
  for (let kill = 1; kill <= KILLS && load.failures.length === 0; kill++) {
    await sleep(load.random() * LONGEST_MS)
    await load.killAndRestart()
    const { problems, error } = await load.api('POST', '/verify', { deep: true })
    if (error !== undefined || problems.length > 0) {
      t.fail(`kill ${kill}: verify says ${JSON.stringify(error ?? problems)}`)
    }
    await Promise.all(machines.map((machine) => machine.visit()))
    load.count('kill')
  }
  stopped.abort()
  await changing
  t.same(load.failures, [])
  t.equal(load.counts.get('kill'), KILLS)
  t.comment([...load.counts].map(([what, count]) => `${count} ${what}`).join(', '))
})
