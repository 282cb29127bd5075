/** Mutations of good .debs: each is taken or refused by name, in no time; of those taken, dpkg-deb takes all. */
import { join } from 'node:path'
import t from 'tap'
import { askDpkg } from '../../fixtures/deb-judge.ts'
import { createMutator, goodDebs } from '../../fixtures/deb-mutations.ts'
import { isAppError } from '../../src/base/errors.ts'
import { type CheckedDeb, checkDeb, checkLimits } from '../../src/debian/check-deb.ts'
import { testDir } from '../support/test-dir.ts'
import { once } from './make-debs.ts'

const limits = { ...checkLimits, maxDataBytes: 32 * 1024 ** 2 }

t.test('nothing crashes or hangs, and what is taken dpkg-deb takes as well', async (t) => {
  const dir = testDir(t)
  const mutator = createMutator(await goodDebs(join(dir, 'good')), 20_261_121)
  const count = { taken: 0, refused: 0, judged: 0 }
  for (let drawn = 0; drawn < 1000; drawn += 1) {
    const { how, deb } = mutator.next()
    let found: CheckedDeb | undefined
    try {
      found = await checkDeb(once(deb), { limits, signal: AbortSignal.timeout(120_000) })
      count.taken += 1
    } catch (error) {
      const isOurs = isAppError(error, 'ERR_PACKAGE') || isAppError(error, 'ERR_TOO_LARGE')
      if (!isOurs || error.hint === undefined) t.fail(`${how}: ${error}`)
      count.refused += 1
    }
    if (found === undefined || drawn >= 300) continue
    const { isTaken, said } = await askDpkg(join(dir, 'judge'), deb)
    if (!isTaken) t.fail(`dpkg-deb refuses what we take: ${said}: ${how}`)
    count.judged += 1
  }
  t.comment(JSON.stringify(count))
  t.ok(count.taken > 60 && count.refused > 500 && count.judged > 20)
})
