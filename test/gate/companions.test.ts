/** What has to go with a promotion, in the small, judged by dose-debcheck; bench/gate.ts does it with a whole release. */
import t from 'tap'
import { openCompanions, tryCompanions } from '../../bench/gate-companions.ts'
import { openDose } from '../../bench/gate-dose.ts'
import { openTransitions } from '../../bench/gate-draws.ts'
import { openOurs } from '../../bench/gate-ours.ts'
import { randomFrom, sample } from '../../bench/random.ts'
import { newSeed } from '../debian/real-index.ts'
import { readRealStates } from '../support/real-states.ts'
import { testDir } from '../support/test-dir.ts'

t.test(
  'with what has to go with it a source breaks nothing, and none of that can stay',
  async (t) => {
    const seed = newSeed()
    t.comment(`SLUICE_SEED=${seed}`)
    const random = randomFrom(seed)
    const { main } = await readRealStates(random, 400)
    const route = openTransitions(main, 10, random)
    const dose = openDose(testDir(t), { asApt: true })
    const companions = await openCompanions(route, openOurs(), dose)
    let sets = 0
    for (const source of sample(route.sources, route.sources.length, random)) {
      const tried = await tryCompanions(companions, source, random)
      if (tried === undefined) continue
      const { found, stillBroken, spared } = tried
      t.ok(found, `${source} needs something with it`)
      t.same(stillBroken, [], `${source} goes with ${found?.join(' ')}`)
      t.same(spared, [], `and needs all of them`)
      if (++sets === 3) break
    }
    t.ok(sets > 0, `${sets} sets`)
  },
)
