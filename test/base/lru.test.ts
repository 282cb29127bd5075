/**
 * What is forgotten, and when: compared with a list that is searched from its begin to its end.
 */
import t from 'tap'
import { createLru } from '../../src/base/lru.ts'

interface Held {
  readonly key: number
  readonly value: number
  readonly weight: number
}

function sum(all: readonly Held[]): number {
  return all.reduce((total, { weight }) => total + weight, 0)
}

t.test('what was not used for longest goes first', async (t) => {
  let state = 1
  const draw = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >> 8) % below
  }
  for (let round = 0; round < 100; round++) {
    const capacity = 1 + draw(40)
    const lru = createLru<number, number>(capacity)
    let model: Held[] = []
    let wrong = 0
    for (let step = 0; step < 300; step++) {
      const [key, what] = [draw(20), draw(10)]
      const found = model.find((one) => one.key === key)
      const others = model.filter((one) => one !== found)
      if (what < 4) {
        if (lru.get(key) !== found?.value) wrong += 1
        model = found === undefined ? others : [...others, found]
      } else if (what < 9) {
        const weight = draw(8)
        lru.set(key, step, weight)
        model = [...others, { key, value: step, weight }]
        while (sum(model) > capacity) model.shift()
      } else {
        lru.delete(key)
        model = others
      }
      if (lru.weight() !== sum(model)) wrong += 1
    }
    if (wrong > 0) t.fail(`${wrong} differences in round ${round}`)
  }
  t.pass('as the list')
})
