/**
 * Two real states of Debian in the small: from the machine's own indexes, whichever it has, some two thousand packages that
 * need only each other, and what suites of updates have of their sources. Who has a single index has no such updates.
 */
import { makeState, type Package, readPackages, type State } from '../../bench/gate-states.ts'
import { findRealIndex } from '../debian/real-index.ts'
import { runOk } from './run.ts'

export interface RealStates {
  readonly main: State
  readonly updates: State
}

/** Numbers in [0, 1). */
type Random = () => number

/** Sources at random with all that their packages need, up to so many packages. */
export async function readRealStates(random: Random, size: number): Promise<RealStates> {
  const largest = await findRealIndex()
  const main = await readIndex(largest)
  const updates: Package[] = []
  for (const file of await indexFiles()) {
    if (file !== largest) updates.push(...(await readIndex(file)))
  }
  const reduced = makeState('main', reduce(main, updates, random, size))
  const own = updates.filter(({ source }) => reduced.bySource.has(source))
  return { main: reduced, updates: makeState('updates', own) }
}

async function readIndex(file: string): Promise<Package[]> {
  const { stdout } = await runOk('/usr/lib/apt/apt-helper', ['cat-file', file])
  return readPackages(stdout)
}

async function indexFiles(): Promise<string[]> {
  const format = ['--format', '$(ARCHITECTURE) $(FILENAME)', 'Created-By: Packages']
  const { stdout } = await runOk('apt-get', ['indextargets', ...format])
  return stdout.split('\n').flatMap((line) => (line.startsWith('amd64 ') ? [line.slice(6)] : []))
}

function reduce(
  all: readonly Package[],
  updates: readonly Package[],
  random: Random,
  size: number,
): Package[] {
  const state = makeState('all', all)
  const givers = new Map<string, Package>()
  for (const one of all) for (const name of one.gives) givers.set(name, givers.get(name) ?? one)
  for (const one of all) givers.set(one.name, one)
  const chosen = new Set<Package>()
  const take = (packages: readonly Package[]): void => {
    const more = new Set(packages)
    for (const one of more) {
      for (const clause of one.needs) {
        const found = clause.flatMap((name) => givers.get(name) ?? [])
        const isThere = found.some((other) => chosen.has(other) || more.has(other))
        const [first] = found
        if (!isThere && first !== undefined) more.add(first)
      }
    }
    if (chosen.size + more.size <= size) for (const one of more) chosen.add(one)
  }
  take(all.filter(({ isEssential }) => isEssential))
  const sources = [[...state.bySource.keys()], [...new Set(updates.map(({ source }) => source))]]
  for (let turn = 0; turn < size && chosen.size < size - 20; turn++) {
    const some = sources[turn % 4 === 0 ? 1 : 0] ?? []
    take(state.bySource.get(some[Math.floor(random() * some.length)] ?? '') ?? [])
  }
  return [...chosen]
}
