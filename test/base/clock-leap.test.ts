import t from 'tap'
import { createLeapWatch } from '../../src/base/clock-leap.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

t.test('a leap ahead is believed when it has lasted, everything else at once', async (t) => {
  const time = { wall: 1_700_000_000_000, steady: 5000 }
  const leapt = createLeapWatch(
    () => time.wall,
    () => time.steady,
  )
  const pass = (ms: number): void => {
    time.wall += ms
    time.steady += ms
  }
  pass(90 * DAY)
  t.equal(leapt(), 0, 'time passes')
  time.wall += 23 * 60 * MINUTE
  t.equal(leapt(), 0, 'less than a day: it may have slept')
  time.wall += 23 * 60 * MINUTE
  t.equal(leapt(), 0, 'and again, later')
  time.wall -= 400 * DAY
  t.equal(leapt(), 0, 'back')

  time.wall += 365 * DAY
  t.equal(leapt(), 365 * DAY)
  pass(9 * MINUTE)
  t.equal(leapt(), 365 * DAY)
  time.wall -= 365 * DAY
  t.equal(leapt(), 0, 'it was nothing')
  pass(30 * DAY)
  t.equal(leapt(), 0)

  time.wall += 365 * DAY
  t.equal(leapt(), 365 * DAY)
  pass(9 * MINUTE)
  time.wall += 10 * DAY
  t.equal(leapt(), 375 * DAY, 'another leap begins anew')
  pass(9 * MINUTE)
  t.equal(leapt(), 375 * DAY)
  pass(MINUTE)
  t.equal(leapt(), 0, 'so it is')
  t.equal(leapt(), 0)
  pass(DAY)
  t.equal(leapt(), 0)
})
