/**
 * Upstream publishes again and again while machines update from an archive that was learned: nobody ever sees a mismatch.
 */
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import type { TestApt } from '../support/apt.ts'
import { makeLearnedWorld } from '../support/learned-world.ts'

const hello = (version: number): PackageSpec => ({
  name: 'hello',
  version: `${version}`,
  arch: 'amd64',
  content: 20_000,
})
const PUBLISHES = process.env.SOAK === undefined ? 4 : 200

for (const byHash of [true, false]) {
  const how = byHash ? 'by hash' : 'by name alone'
  t.test(`upstream publishes while machines update, indexes ${how}`, async (t) => {
    const world = await makeLearnedWorld(t, [hello(0)], { publish: { byHash } })
    const machines = [await world.machine('one'), await world.machine('two')]
    let isOver = false
    let runs = 0
    const wrong: string[] = []
    const loop = async (apt: TestApt): Promise<void> => {
      while (!isOver) {
        const update = await apt.update()
        const download = await apt.download('hello')
        runs++
        for (const { code, output } of [update, download])
          if (code !== 0 || /mismatch/i.test(output)) wrong.push(output)
      }
    }
    const loops = machines.map(loop)
    for (let version = 1; version <= PUBLISHES; version++) {
      await world.publish([hello(version)])
      world.clock.advance(10 * 60_000)
    }
    isOver = true
    await Promise.all(loops)
    t.same(wrong, [])
    t.comment(`${runs} runs`)
    for (const apt of machines) {
      world.clock.advance(2 * 3600_000)
      await apt.update()
      t.equal((await apt.policy('hello')).candidate, `${PUBLISHES}`)
    }
  })
}
