/**
 * `kill -9` at every step of an import, a refresh, a promotion, a download, a rollback and a start: after the next
 * start the invariants hold, apt is happy, the work goes on to the same end, and nothing complete is fetched again.
 *
 * The steps are the crash points that a server passes (base/fault.ts). All of them with SOAK=1; else the first or the
 * last passing of each by its name, and some of the others, drawn by a seed (SLUICE_SEED repeats a draw). With
 * SLUICE_POINTS only those whose `phase nth: name` it matches, as a pattern: `promote 19:`, `blob`.
 */
import { join } from 'node:path'
import t from 'tap'
import { type Lane, openLane } from '../support/crash-lane.ts'
import { makeUpstreams, type Phase, phases } from '../support/crash-story.ts'
import { seedOr } from '../support/seed.ts'
import { testDir } from '../support/test-dir.ts'

const isSoak = process.env.SOAK === '1'
const only = process.env.SLUICE_POINTS
const MORE = 6
const LANES = 2
const seed = seedOr(process.env.SLUICE_SEED)

interface Point {
  readonly phase: Phase
  readonly nth: number
  readonly name: string
}

const title = 'a server that is killed anywhere goes on as if it had not been'
t.test(title, { timeout: isSoak ? 3_600_000 : 1_700_000 }, async (t) => {
  const dir = testDir(t)
  const upstreams = await makeUpstreams(join(dir, 'nut'))
  const lanes = await Promise.all(
    Array.from({ length: LANES }, (_, at) => openLane(t, join(dir, `lane-${at}`), upstreams)),
  )
  t.teardown(() => Promise.all(lanes.map((lane) => lane.close())))

  const all = phases.flatMap((phase) => pointsOf(lanes[0], phase))
  const chosen = isSoak ? all : only === undefined ? choose(all) : matching(all, only)
  const counts = phases.map(
    (phase) => `${all.filter((one) => one.phase === phase).length} ${phase}`,
  )
  t.comment(`${all.length} crash points (${counts.join(', ')}), ${chosen.length} taken`)
  t.comment(`SLUICE_SEED=${seed}`)
  t.ok(chosen.length >= 40 || only !== undefined, 'enough crash points are taken')

  let reached = 0
  const queue = [...chosen]
  await Promise.all(
    lanes.map(async (lane) => {
      for (let point = queue.shift(); point !== undefined; point = queue.shift()) {
        const { phase, nth, name } = point
        const { wrong, isReached } = await lane.crash(phase, nth)
        if (isReached) reached++
        t.same(wrong, [], `killed in ${phase} at point ${nth}: ${name}`)
      }
    }),
  )
  t.comment(`killed at ${reached} of ${chosen.length} points`)
  t.ok(reached >= chosen.length * 0.9, 'nearly all of them were reached')
})

function pointsOf(lane: Lane | undefined, phase: Phase): Point[] {
  return (lane?.points(phase) ?? []).map((name, at) => ({ phase, nth: at + 1, name }))
}

function matching(points: readonly Point[], pattern: string): Point[] {
  const wanted = new RegExp(pattern)
  return points.filter(({ phase, nth, name }) => wanted.test(`${phase} ${nth}: ${name}`))
}

/** The first or the last passing of each name, and an even spread of the others. */
function choose(points: readonly Point[]): Point[] {
  const names = [...new Set(points.map((point) => point.name))]
  const taken = new Set(
    names.map((name, at) => {
      const isFirst = (seed + at) % 2 === 0
      return isFirst
        ? points.find((point) => point.name === name)
        : points.findLast((point) => point.name === name)
    }),
  )
  const others = points.filter((point) => !taken.has(point))
  for (let nth = 0; nth < MORE; nth++) {
    const at = Math.floor(((nth + (seed % 1000) / 1000) * others.length) / MORE)
    taken.add(others[at])
  }
  return points.filter((point) => taken.has(point))
}
