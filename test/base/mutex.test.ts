/**
 * Work done side by side: what its callers rely on when a part of it fails.
 */
import t from 'tap'
import { mapBounded } from '../../src/base/mutex.ts'

t.test(
  'an error comes when all that was under way has ended, and nothing begins after it',
  async (t) => {
    const slow = Promise.withResolvers<void>()
    const begun: number[] = []
    let hasSlowEnded = false
    const mapped = mapBounded([0, 1, 2, 3], 2, async (item) => {
      begun.push(item)
      if (item === 1) throw new Error('one failed')
      await slow.promise
      hasSlowEnded = true
      return item
    })
    const outcome = mapped.then(
      () => 'no error',
      (error: Error) => `${error.message}, the slow one had ${hasSlowEnded ? '' : 'not '}ended`,
    )
    setImmediate(() => slow.resolve())
    t.equal(await outcome, 'one failed, the slow one had ended')
    t.same(begun, [0, 1])
  },
)

t.test('results are in the order of the items, with no more than the limit at once', async (t) => {
  let under = 0
  let most = 0
  const results = await mapBounded([3, 1, 2], 2, async (item) => {
    under += 1
    most = Math.max(most, under)
    for (let turn = 0; turn < item; turn++) await Promise.resolve()
    under -= 1
    return item * 2
  })
  t.same(results, [6, 2, 4])
  t.equal(most, 2)
})
