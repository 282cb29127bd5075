/**
 * The command that judges the gate: random promotions between real states of Debian, by our verdict and by dose-debcheck's, and
 * what a run over 500 sources takes. See bench/README.md.
 */
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { mainSuite } from './archive.ts'
import { type Column, formatFigure, formatTable, setPercentiles, type Timing } from './figures.ts'
import { type CompanionsTried, openCompanions, tryCompanions } from './gate-companions.ts'
import { openDose } from './gate-dose.ts'
import {
  changeOf,
  drawChange,
  drawSources,
  openRoute,
  openTransitions,
  type Route,
} from './gate-draws.ts'
import { openOurs, startMeter } from './gate-ours.ts'
import { fetchSuites, makeState, type Package, readSuite, type State } from './gate-states.ts'
import { randomFrom, sample } from './random.ts'

const usage = `usage: node bench/gate.ts [--promotions N] [--seed S] [--next SUITE] [more]

judges random promotions by our verdict and by dose-debcheck, and prints where they differ
  --promotions N   how many (default 300)
  --first N        the first of them, to go on or to repeat one (default 0)
  --seed S         of the promotions (default 1)
  --whole N        each N-th is judged by dose-debcheck over all packages (default 100)
  --companions N   sources whose companions are looked for, as --with-deps does (default 30)
  --no-large       no runs over 500 sources
  --next SUITE     the release that sources are taken from (default trixie)
  --directory DIR  of the indexes and of dose-debcheck's verdicts (default ${join(tmpdir(), 'sluice-bench/gate')})
  --no-fetch       take the indexes that are there`

const { values } = parseArgs({
  allowNegative: true,
  options: {
    promotions: { type: 'string', default: '300' },
    first: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    whole: { type: 'string', default: '100' },
    companions: { type: 'string', default: '30' },
    next: { type: 'string', default: 'trixie' },
    directory: { type: 'string', default: join(tmpdir(), 'sluice-bench/gate') },
    large: { type: 'boolean', default: true },
    fetch: { type: 'boolean', default: true },
    help: { type: 'boolean', default: false },
  },
})

const startedMs = performance.now()

function progress(line: string): void {
  console.error(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${line}`)
}

/** What sources are promoted from and to; each route has its share of the promotions. */
function openRoutes(): Route[] {
  const security = [`${mainSuite}-updates`, `${mainSuite}-security`]
  const suites = [mainSuite, values.next, `${mainSuite}-backports`, ...security]
  if (values.fetch) fetchSuites(values.directory, suites)
  const read = (suite: string): Package[] | undefined => {
    const found = readSuite(values.directory, suite)
    progress(`${suite}: ${found === undefined ? 'not served' : `${found.length} packages`}`)
    return found
  }
  const main = makeState(mainSuite, read(mainSuite) ?? [])
  const newer = makeState('updates and security', ...security.map((suite) => read(suite) ?? []))
  const backports = makeState('backports', read(`${mainSuite}-backports`) ?? [])
  const next = makeState(values.next, read(values.next) ?? [])
  return [
    openRoute('instead', main, next),
    openRoute('beside', main, newer),
    openRoute('instead', main, upgraded(newer)),
    openRoute('odd', main, main),
    openRoute('instead', next, main),
    openRoute('beside', main, backports),
  ].filter(({ sources, before }) => sources.length > 0 && before.packages.length > 0)

  // A point release takes from the suites of updates what the main suite has, too.
  function upgraded(state: typeof newer): typeof newer {
    const packages = [...state.bySource].flatMap(([source, its]) =>
      main.bySource.has(source) ? its : [],
    )
    return makeState('point release', packages)
  }
}

function labelOf({ mode, before, from }: Route): string {
  return mode === 'odd'
    ? `odd versions in ${before.label}`
    : `${from.label} ${mode} ${before.label}`
}

function seconds({ wallMs }: Timing): string {
  return `${(wallMs / 1000).toFixed(2)} s`
}

/** What is used after a collection. */
function memoryInUse(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function memoryPeak(): number {
  const status = readFileSync('/proc/self/status', 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
}

interface Tally {
  runs: number
  broke: number
  names: number
  differ: number
  readonly timings: Timing[]
}

async function judgeAll(routes: readonly Route[], column: Column): Promise<number> {
  const directory = join(values.directory, 'dose')
  const doses = { plain: openDose(directory), asApt: openDose(directory, { asApt: true }) }
  const ours = openOurs()
  const tallies = new Map<string, Tally>()
  const [first, count, whole] = [values.first, values.promotions, values.whole].map(Number)
  for (let at = first ?? 0; at < (first ?? 0) + (count ?? 0); at++) {
    const route = routes[at % routes.length]
    if (route === undefined) break
    const label = labelOf(route)
    const tally = tallies.get(label) ?? { runs: 0, broke: 0, names: 0, differ: 0, timings: [] }
    tallies.set(label, tally)
    const change = drawChange(route, randomFrom(Number(values.seed) * 1_000_003 + at))
    const { names, timing } = await ours.judge(change)
    const judged = await doses[route.mode === 'odd' ? 'asApt' : 'plain'].broken(change, {
      isWhole: at % (whole || 1) === (whole || 1) - 1,
    })
    const differ = names.filter((name) => !judged.includes(name))
    const missed = judged.filter((name) => !names.includes(name))
    tally.runs++
    tally.timings.push(timing)
    tally.names += judged.length
    if (judged.length > 0) tally.broke++
    progress(
      `${at} ${label}: ${change.sources.length} sources, ${judged.length} broken, ${timing.wallMs.toFixed(0)} ms`,
    )
    if (differ.length + missed.length === 0) continue
    tally.differ++
    console.log(`DIFFERENT: --seed ${values.seed} --first ${at} --promotions 1, ${label}`)
    console.log(`  sources: ${change.sources.join(' ')}`)
    console.log(`  broken by our verdict alone: ${differ.join(' ') || 'none'}`)
    console.log(`  broken by dose-debcheck's alone: ${missed.join(' ') || 'none'}`)
  }
  for (const [label, { runs, broke, names, differ, timings }] of tallies) {
    const note = `of ${runs}; ${names} names; ${differ} judged differently`
    column.set(`${label}: promotions that break`, { value: broke, unit: 'count', note })
    setPercentiles(column, `${label}: a run`, timings)
  }
  return [...tallies.values()].reduce((sum, { differ }) => sum + differ, 0)
}

/** A run over 500 sources, from nothing known and again. */
async function measure500(routes: readonly Route[], column: Column): Promise<void> {
  for (const route of routes) {
    const random = randomFrom(Number(values.seed))
    const change = changeOf(route, drawSources(route, 500, random), random)
    const ours = openOurs()
    const empty = memoryInUse()
    const reading = ours.read(change.before)
    if (route === routes[0]) {
      const value = memoryInUse() - empty
      const note = `${change.before.packages.length} packages`
      column.set(`${change.before.label} as the gate keeps it`, { value, unit: 'bytes', note })
    }
    const { names, timing, reasons } = await ours.judge(change)
    const meter = startMeter()
    const causes = await reasons()
    const telling = meter()
    const label = `${change.sources.length} sources: ${labelOf(route)}`
    column.set(label, {
      value: timing.wallMs + telling.wallMs,
      unit: 'ms',
      processorMs: timing.processorMs + telling.processorMs,
      note: `${names.length} broken by ${causes.length} causes; telling them ${seconds(telling)} of it; reading the state ${seconds(reading)} more`,
    })
    progress(`${label}: ${formatFigure(column.get(label))}`)
  }
}

/** Single sources of transitions with what has to go with them, until so many broke something by themselves. */
async function judgeCompanions(main: State, column: Column): Promise<number> {
  const random = randomFrom(Number(values.seed))
  const dose = openDose(join(values.directory, 'dose'), { asApt: true })
  const route = openTransitions(main, 60, random)
  const companions = await openCompanions(route, openOurs(), dose)
  const found: CompanionsTried[] = []
  for (const source of sample(route.sources, route.sources.length, random)) {
    if (found.length >= Number(values.companions)) break
    const tried = await tryCompanions(companions, source, random)
    if (tried === undefined) continue
    found.push(tried)
    const { stillBroken, spared } = tried
    progress(
      `${source}: goes with ${tried.found?.length ?? 'no set that was found'}, ${tried.wallMs.toFixed(0)} ms`,
    )
    if (stillBroken.length + spared.length > 0)
      console.log(
        `WRONG: ${source}: still broken ${stillBroken.join(' ')}; spared ${spared.join(' ')}`,
      )
  }
  if (found.length === 0) return 0
  const sizes = found.flatMap((one) => one.found?.length ?? []).sort((a, b) => a - b)
  const note = `of ${found.length}; ${sizes.at(0)} to ${sizes.at(-1)} sources, of ${route.sources.length} that could go`
  column.set('sets that have to go with a source', { value: sizes.length, unit: 'count', note })
  setPercentiles(
    column,
    'to find one',
    found.map(({ wallMs }) => ({ wallMs, processorMs: 0 })),
  )
  return found.filter(({ stillBroken, spared }) => stillBroken.length + spared.length > 0).length
}

if (values.help) console.log(usage)
else {
  const column: Column = new Map()
  const routes = openRoutes()
  if (values.large) await measure500(routes, column)
  let differ = await judgeAll(routes, column)
  const main = routes.find(({ mode }) => mode === 'odd')?.before
  if (main !== undefined) differ += await judgeCompanions(main, column)
  column.set('memory', { value: memoryPeak(), unit: 'bytes', note: 'with the texts of all states' })
  console.log(formatTable(new Map([['the gate', column]])))
  if (differ > 0) process.exitCode = 1
}
