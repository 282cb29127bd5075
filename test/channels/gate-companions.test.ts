/**
 * What --with-deps adds, judged by dose-debcheck: with it nothing breaks, and without any one of it something does. The
 * packages are drawn at random; SLUICE_SEED repeats a draw.
 */
import t from 'tap'
import { randomFrom } from '../../bench/random.ts'
import { doseBroken, field, newly } from '../support/dose.ts'
import { type GateWorld, makeGateWorld } from '../support/gate-world.ts'
import { seedOr } from '../support/seed.ts'

const seed = seedOr(process.env.SLUICE_SEED)
const random = randomFrom(seed)
const below = (count: number): number => Math.floor(random() * count)
const SOURCES = 24
const architectures = ['amd64', 'arm64'] as const

/** Libraries and what needs them, in some version of their own. */
function draw(versions: readonly number[]): string[] {
  return versions.flatMap((version, at) => {
    const source = `Source: s${at} (${version})`
    const pick = (): string => `p${below(SOURCES)}`
    const near = (name: string): string => {
      const now = versions[Number(name.slice(1))] ?? 1
      return (
        [name, `${name} (>= ${now})`, `${name} (<< ${now + 1})`, `${name} (= ${now})`][below(4)] ??
        name
      )
    }
    const needs = Array.from({ length: below(3) }, () =>
      random() < 0.3 ? `${near(pick())} | ${near(pick())}` : near(pick()),
    )
    const foes = random() < 0.15 ? `; Breaks: ${pick()} (<< ${below(3) + 1})` : ''
    const depends = needs.length === 0 ? '' : `; Depends: ${needs.join(', ')}`
    const arch = random() < 0.3 ? ['all'] : architectures
    return arch.map((one) => `p${at} ${version}; ${source}; Architecture: ${one}${depends}${foes}`)
  })
}

interface Verdict {
  readonly before: ReadonlyMap<string, readonly string[]>
  readonly after: ReadonlyMap<string, readonly string[]>
}

async function states({ stanzas }: GateWorld): Promise<Verdict> {
  const read = async (channel: string): Promise<ReadonlyMap<string, readonly string[]>> => {
    const all = new Map<string, readonly string[]>()
    for (const one of architectures) all.set(one, await stanzas(channel, 'nut/stable', one))
    return all
  }
  return { before: await read('approved'), after: await read('testing') }
}

const sourceOf = (text: string): string => (field(text, 'Source') ?? '').split(' ')[0] ?? ''

t.test(`sets that go together, seed ${seed}`, async (t) => {
  const old = Array.from({ length: SOURCES }, () => 1)
  const dpkg = 'dpkg 1; Essential: yes; Architecture: all'
  const world = await makeGateWorld(t, { 'nut/stable': { packages: [dpkg, ...draw(old)] } })
  const next = old.map(() => 1 + below(3))
  await world.publish({ 'nut/stable': { packages: [dpkg, ...draw(next)] } })
  const { before, after } = await states(world)
  /** What dose says that breaks if these sources go, but for what comes and is broken in testing, too. */
  const broken = async (sources: ReadonlySet<string>): Promise<string[]> => {
    const found: string[] = []
    for (const one of architectures) {
      const [was, is] = [before.get(one) ?? [], after.get(one) ?? []]
      const mixed = [
        ...was.filter((text) => !sources.has(sourceOf(text))),
        ...is.filter((text) => sources.has(sourceOf(text))),
      ]
      const dose = (texts: readonly string[]): Promise<Set<string>> =>
        doseBroken(world.dir, texts, one)
      const names = new Set(was.map((text) => field(text, 'Package')))
      const hopeless = await dose(is)
      const fresh = newly(await dose(was), await dose(mixed))
      found.push(...fresh.filter((name) => names.has(name) || !hopeless.has(name)))
    }
    return found
  }
  const { api } = world.sluice
  let helped = 0
  const { pending: rows } = await api('GET', '/pending')
  const pending: string[] = rows.map((one: { source: string }) => one.source)
  for (const source of pending) {
    const wanted = { from: 'testing', to: 'approved', sources: [{ name: source }], dryRun: true }
    const alone = await api('POST', '/promotions', wanted)
    const isFine = (await broken(new Set([source]))).length === 0
    t.equal(alone.refusal === undefined, isFine, `${source} alone`)
    if (isFine) continue
    const answer = await api('POST', '/promotions', { ...wanted, withDeps: true })
    if (answer.refusal !== undefined) {
      const all = new Set([...pending, source])
      t.not((await broken(all)).length, 0, `${source} has no such set`)
      continue
    }
    helped++
    const added: string[] = (answer.companions ?? []).map((one: { source: string }) => one.source)
    t.same(await broken(new Set([source, ...added])), [], `${source} with ${added.join(' ')}`)
    for (const spared of added) {
      const rest = added.filter((one) => one !== spared)
      const without = await broken(new Set([source, ...rest]))
      t.not(without.length, 0, `${source} with ${added.join(' ')} needs ${spared}`)
    }
  }
  t.comment(`${helped} were helped`)
})
