/**
 * Twenty machines update and download as fast as they can while everything changes under them: none sees a failure. Thirty
 * seconds in `npm test`, five minutes in `npm run soak`.
 */
import t from 'tap'
import { startLoad } from '../support/load.ts'
import { changes, keepChanging } from '../support/load-changes.ts'
import { makeMachine } from '../support/load-machines.ts'

const MACHINES = 20
/** After so many failures there is no need to look for more. */
const MANY = 10
const forMs = (process.env.SOAK === undefined ? 30 : 300) * 1000
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const publications = ['channels/approved', 'channels/testing', 'channels/derived', 'class/web']
t.setTimeout(forMs + 1_500_000)

t.test(`no machine ever sees a failure (seed ${seed})`, async (t) => {
  const load = await startLoad(t, { seed, forMs: forMs + 60_000 })
  const machines = await Promise.all(
    Array.from({ length: MACHINES }, (_, at) =>
      makeMachine(load, `machine-${at}`, publications[at % publications.length] ?? ''),
    ),
  )
  const signal = AbortSignal.timeout(forMs)
  const visiting = machines.map(async (machine) => {
    while (!signal.aborted && load.failures.length < MANY) await machine.visit()
  })
  await Promise.all([...visiting, keepChanging(load, signal)])
  t.same(load.failures.slice(0, MANY), [])
  t.comment([...load.counts].map(([what, count]) => `${count} ${what}`).join(', '))
  for (const what of ['visit', ...changes]) t.ok(load.counts.has(what), `there was a ${what}`)
  t.same((await load.api('POST', '/verify', { deep: true })).problems, [])
})
