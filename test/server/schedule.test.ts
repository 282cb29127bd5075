import { EventEmitter, once } from 'node:events'
import t from 'tap'
import { createLog } from '../../src/base/log.ts'
import { startSchedule } from '../../src/server/schedule.ts'
import { createTestClock } from '../support/test-clock.ts'

const HOUR_MS = 3600_000

t.test('work goes on in its time when the clock was set back, or leapt ahead', async (t) => {
  const clock = createTestClock()
  const runs = new EventEmitter()
  const hourly = { firstInMs: HOUR_MS, everyMs: HOUR_MS, retryMs: HOUR_MS }
  let count = 0
  const work = async (): Promise<boolean> => runs.emit('run', ++count)
  const job = { name: 'refresh', ...hourly, lookAgainMs: 5, work }
  const schedule = startSchedule(clock, createLog({ level: 'silent' }), job)
  t.teardown(() => schedule.stop())

  clock.advance(-48 * HOUR_MS)
  const first = once(runs, 'run')
  // Until it was noticed nothing is due; then one pause later.
  while (schedule.nextAt > clock.now() + HOUR_MS) await new Promise(setImmediate)
  t.equal(count, 0)
  clock.advance(HOUR_MS)
  await first
  const second = once(runs, 'run')
  await new Promise(setImmediate)
  clock.advance(48 * HOUR_MS)
  await second
  t.equal(count, 2, 'what was missed meanwhile is made up for once')
})
