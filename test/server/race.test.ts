/**
 * Twenty machines update and download as fast as they can while everything changes under them: none sees a failure. Fifteen
 * seconds in `npm test`, five minutes in `npm run soak`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startLoad } from '../support/load.ts'
import { changes, keepChanging } from '../support/load-changes.ts'
import { makeMachine } from '../support/load-machines.ts'
import { seedOr } from '../support/seed.ts'

const MACHINES = 20
/** After so many failures there is no need to look for more. */
const MANY = 10
const forMs = (process.env.SOAK === undefined ? 15 : 300) * 1000
const seed = seedOr(process.env.SEED)
const publications = ['channels/approved', 'channels/testing', 'channels/derived', 'class/web']
t.setTimeout(forMs + 1_500_000)

t.test(`no machine ever sees a failure (seed ${seed})`, async (t) => {
  const load = await startLoad(t, { seed, forMs: forMs + 60_000 })
  const machines = await Promise.all(
    Array.from({ length: MACHINES }, (_, at) =>
      makeMachine(load, `machine-${at}`, publications[at % publications.length] ?? ''),
    ),
  )
  const over = new AbortController()
  const { signal } = over
  // A slow machine has the time that it takes until there was one of each.
  const timing = (async () => {
    await sleep(forMs)
    while (
      load.failures.length < MANY &&
      !['visit', ...changes].every((one) => load.counts.has(one))
    )
      await sleep(100)
    over.abort()
  })()
  const visiting = machines.map(async (machine) => {
    while (!signal.aborted && load.failures.length < MANY) await machine.visit()
  })
  await Promise.all([timing, ...visiting, keepChanging(load, signal)])
  t.same(load.failures.slice(0, MANY), [])
  t.comment([...load.counts].map(([what, count]) => `${count} ${what}`).join(', '))
  for (const what of ['visit', ...changes]) t.ok(load.counts.has(what), `there was a ${what}`)
  t.same((await load.api('POST', '/verify', { deep: true })).problems, [])
})
