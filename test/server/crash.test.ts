/**
 * `kill -9` at every step of an import, a refresh, a promotion, a download, a rollback and a start: after the next
 * start the invariants hold, apt is happy, the work goes on to the same end, and nothing complete is fetched again.
 *
 * The steps are the crash points that a server passes (base/fault.ts). All of them with SOAK=1; else each name has to be
 * passed, and a third of them, drawn by a seed (SLUICE_SEED repeats a draw), kill: at their first or their last passing.
 * With SLUICE_POINTS only those whose `phase nth: name` it matches, as a pattern: `promote 19:`, `blob`.
 */
import { join } from 'node:path'
import t from 'tap'
import { type Lane, openLane } from '../support/crash-lane.ts'
import { makeUpstreams, type Phase, phases } from '../support/crash-story.ts'
import { seedOr } from '../support/seed.ts'
import { testDir } from '../support/test-dir.ts'

const isSoak = process.env.SOAK === '1'
const only = process.env.SLUICE_POINTS
const ONE_IN = 3
// A lane goes through all phases once before it kills.
const LANES = isSoak ? 2 : 1
const seed = seedOr(process.env.SLUICE_SEED)

/** All that are passed, in the order of their first passing; those apart that a server comes to by itself, some time. */
const known = [
  'migration: before the commit',
  'sweep: temp files gone',
  'token: row written, no file',
  'file: written, not in place',
  'file: in place, directory not synced',
  'archive: before the commit',
  'blob: temp file made',
  'download: all bytes written',
  'blob: linked, directory not synced',
  'blob: row written',
  'refresh: chunks, before the commit',
  'refresh: index built',
  'refresh: suite state, before the commit',
  'blob: synced, not linked',
  'publish: key made, no publication',
  'publish: index described',
  'publish: before the commit',
  'publish: served',
  'keyring: signed, not written',
  'publish: publication written',
  'keyring: package made, served by nobody',
  'keyring: served',
  'token: before the commit',
  'refresh: index fetched',
  'refresh: chunks written',
  'refresh: before the suite state',
  'refresh: suite state written',
  'blob: bytes written',
  'edit: index written',
  'edit: before the commit',
  'promote: files fetched',
  'promote: states written',
  'blob: durable, no row',
  'publish: signed',
  'publish: written, not yet served',
  'sweep: row added',
  'sweep: row removed',
]

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
  const passed = new Set(all.map(({ name }) => name))
  t.same(
    known.filter((name) => !passed.has(name)),
    [],
    'every crash point is still there',
  )
  t.ok(chosen.length > known.length / 4 || only !== undefined, 'enough crash points are taken')

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

/** The first or the last passing of each name that is drawn. */
function choose(points: readonly Point[]): Point[] {
  const names = [...new Set(points.map((point) => point.name))]
  const taken = new Set(
    names.flatMap((name, at) => {
      if ((seed + at) % ONE_IN !== 0) return []
      const isFirst = (seed + at) % (2 * ONE_IN) === 0
      const fits = (point: Point): boolean => point.name === name
      return [isFirst ? points.find(fits) : points.findLast(fits)]
    }),
  )
  return points.filter((point) => taken.has(point))
}
