/**
 * Leases tell since when somebody works; a hold keeps pieces of deletion from beginning.
 */
import t from 'tap'
import { createLeases } from '../../src/base/leases.ts'
import { createTestClock } from '../support/test-clock.ts'

t.test('the oldest lease that still runs counts', async (t) => {
  const clock = createTestClock()
  const leases = createLeases(clock)
  const first = leases.begin()
  const begunAt = leases.oldest() ?? 0
  clock.advance(5000)
  const second = leases.begin()
  t.equal(leases.oldest(), begunAt)
  first()
  t.ok((leases.oldest() ?? 0) >= begunAt + 5000)
  first()
  second()
  t.equal(leases.oldest(), undefined)
})

t.test('who waits for the others waits for those that run now, by any clock', async (t) => {
  const clock = createTestClock()
  const leases = createLeases(clock)
  const first = leases.begin()
  clock.advance(-5000)
  let isOver = false
  const over = leases.othersEnded().then(() => {
    isOver = true
  })
  const second = leases.begin()
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(isOver)
  first()
  await over
  second()
  await leases.othersEnded()
})

t.test(
  'while somebody holds, no piece of deletion begins; one under way is waited for',
  async (t) => {
    const leases = createLeases(createTestClock())
    const story: string[] = []
    const ended = Promise.withResolvers<void>()
    const first = leases.deleting(async () => {
      story.push('first begins')
      await ended.promise
      story.push('first ends')
    })
    const holding = leases.hold().then((letGo) => {
      story.push('held')
      return letGo
    })
    const second = leases.deleting(async () => {
      story.push('second')
    })
    ended.resolve()
    const letGo = await holding
    await first
    await new Promise((resolve) => setImmediate(resolve))
    t.same(story, ['first begins', 'first ends', 'held'])
    letGo()
    letGo()
    await second
    t.same(story.at(-1), 'second')
    const again = await leases.hold()
    again()
  },
)
