/** Random promotions in the small, judged by dose-debcheck as well; bench/gate.ts does it with whole releases. */
import t from 'tap'
import { openDose } from '../../bench/gate-dose.ts'
import { drawChange, openRoute } from '../../bench/gate-draws.ts'
import { openOurs } from '../../bench/gate-ours.ts'
import { makeState } from '../../bench/gate-states.ts'
import { randomFrom } from '../../bench/random.ts'
import { newSeed } from '../debian/real-index.ts'
import { readRealStates } from '../support/real-states.ts'
import { testDir } from '../support/test-dir.ts'

const PACKAGES = 600

t.test('what 30 random promotions break is what dose-debcheck says', async (t) => {
  const seed = newSeed()
  t.comment(`SLUICE_SEED=${seed}`)
  const random = randomFrom(seed)
  const { main, updates } = await readRealStates(random, PACKAGES)
  t.comment(`${main.packages.length} packages, ${updates.packages.length} of updates`)
  const newest = makeState('point release', updates.packages)
  const dose = openDose(testDir(t), { asApt: true })
  const ours = openOurs()
  const routes = [
    openRoute('beside', main, updates),
    openRoute('instead', main, newest),
    openRoute('odd', main, main),
    openRoute('odd', main, main),
  ].filter(({ sources }) => sources.length > 0)
  let broke = 0
  for (let at = 0; at < 30; at++) {
    const route = routes[at % routes.length]
    if (route === undefined) break
    const change = drawChange(route, random)
    const { names } = await ours.judge(change)
    const judged = await dose.broken(change, { isWhole: at % 5 === 0 })
    t.same(names, judged, `${at}: ${route.mode}: ${change.sources.join(' ')}`)
    if (judged.length > 0) broke++
  }
  t.ok(broke > 3, `${broke} of them break something`)
})
