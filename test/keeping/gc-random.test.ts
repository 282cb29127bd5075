/**
 * Whatever happens in whatever order, nothing that a kept generation names is ever deleted: channels come and go, follow,
 * are promoted to, rolled back and based on each other, upstream goes back and forth, days pass, and collections run in
 * between and at the same time. SLUICE_SEED repeats a run; SLUICE_STEPS makes it longer.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { startsChunk } from '../../src/archives/index-cut.ts'
import { type AgedWorld, DAY_MS, makeAgedWorld } from '../support/aged-world.ts'
import { seededRandom } from '../support/index-parts.ts'
import { createNamedReader, fetchNamed, type NamedPool } from '../support/named-files.ts'
import { seedOr } from '../support/seed.ts'

const steps = Number(process.env.SLUICE_STEPS ?? 60)
const seed = seedOr(process.env.SLUICE_SEED)
const random = seededRandom(seed)
const upTo = (count: number): number => Math.floor(random() * count)
const pick = <T>(all: readonly T[]): T | undefined => all[upTo(all.length)]

/** Names that begin a chunk each, so that indexes share some chunks and not others. */
const names = Array.from({ length: 2000 }, (_, at) => `pack-${at}`)
  .filter(startsChunk)
  .slice(0, 6)

function someVersions(): PackageSpec[] {
  return names.flatMap((name) =>
    random() < 0.1 ? [] : [{ name, version: String(1 + upTo(3)), arch: 'all' }],
  )
}

const title = 'nothing that a kept generation names is deleted, whatever happens'
t.test(title, { timeout: 1000 * (300 + steps * 20) }, async (t) => {
  t.comment(`SLUICE_SEED=${seed}`)
  const world = await makeAgedWorld(t, someVersions())
  const { sluice, upstream } = world
  await sluice.api('POST', '/channels', { name: 'web', base: 'approved' })
  const reader = createNamedReader(sluice)
  const story: string[] = []
  /** Files that were fetched, and named by some generation at each look since. */
  let held = new Map<string, string>()
  let named = new Map<string, NamedPool>()
  for (let step = 0; step < steps; step++) {
    const together = Array.from({ length: random() < 0.3 ? 3 : 1 }, () => act(world, story))
    const answers = await Promise.all(together)
    const broken = answers.find((one) => one?.error?.code === 'ERR_INTERNAL' || isBroken(one))
    if (broken !== undefined) reader.wrong.push(JSON.stringify(broken.error))
    named = await reader.readAll()
    held = keepNamed(held, named)
    for (const lost of lostOf(sluice.dataDir, held)) reader.wrong.push(lost)
    await fetchSome(world, named, held, reader.wrong)
    if (reader.wrong.length > 0) break
  }
  // In the end what nobody wants goes for sure: generations first, and what they named a day later.
  for (const days of [11, 1]) {
    await world.pass(days * DAY_MS)
    await sluice.api('POST', '/gc', { force: true })
  }
  named = await reader.readAll()
  t.same(reader.wrong, [], story.slice(-8).join('; '))
  t.match(await sluice.api('POST', '/verify', { deep: true }), { problems: [] })
  const wrong: (string | undefined)[] = []
  for (const [generation, pool] of named) {
    for (const file of pool) wrong.push(await fetchNamed(sluice, generation, file))
  }
  t.same([...new Set(wrong)], [undefined], 'all that is named can be had')
  await upstream.close()
  for (const [generation, pool] of named) {
    for (const file of pool) wrong.push(await fetchNamed(sluice, generation, file))
  }
  t.same([...new Set(wrong)], [undefined], 'and what was had once is there when upstream is gone')
  const audit: { what: string; detail: { rows: number } }[] = await sluice.api(
    'GET',
    '/audit?limit=10000',
  )
  const rows = audit.flatMap(({ what, detail }) => (what === 'gc' ? detail.rows : []))
  const deleted = rows.reduce((sum, count) => sum + count, 0)
  t.comment(`${named.size} generations, ${held.size} files held, ${rows.length} collections`)
  if (steps >= 60) t.ok(deleted > 0, `${deleted} small blobs were deleted`)
})

/** A store that lost something says so. */
function isBroken(answer: { error?: { code: string } } | undefined): boolean {
  return ['ERR_BLOB_MISSING', 'ERR_STORE'].includes(answer?.error?.code ?? '')
}

/** Does one thing. */
async function act(world: AgedWorld, story: string[]): ReturnType<AgedWorld['sluice']['api']> {
  const { api } = world.sluice
  const told = (what: string): void => {
    story.push(what)
  }
  const dice = random()
  if (dice < 0.2) {
    told('upstream')
    return world.renew(someVersions())
  }
  if (dice < 0.4) {
    const to = pick(['approved', 'web', 'copy'])
    const from = pick(['testing', 'approved', await generation(world, 'testing')])
    const some = random() < 0.5 ? { all: true } : { sources: [{ name: pick(names) }] }
    told(`promote ${from} to ${to}`)
    return api('POST', '/promotions', { from, to, ...some, removals: true, force: true })
  }
  if (dice < 0.58) {
    const channel = pick(['approved', 'copy']) ?? ''
    const [, to = '1'] = (await generation(world, channel)).split('@')
    told(`rollback ${channel} to ${to}`)
    return api('POST', `/channels/${channel}/rollback`, { to })
  }
  if (dice < 0.63) {
    told('hold')
    const hold = { channel: 'web', source: pick(names) }
    return api(random() < 0.5 ? 'POST' : 'DELETE', '/holds', hold)
  }
  if (dice < 0.7) {
    const from = await generation(world, pick(['testing', 'approved', 'web']) ?? '')
    told(`copy ${from}`)
    await api('DELETE', '/channels/copy')
    return api('POST', '/channels', { name: 'copy', from })
  }
  if (dice < 0.85) {
    const days = 1 + upTo(9)
    told(`${days} days`)
    return world.pass(days * DAY_MS)
  }
  told('gc')
  return api('POST', '/gc', { force: true })
}

async function generation({ sluice }: AgedWorld, channel: string): Promise<string> {
  const history = await sluice.api('GET', `/channels/${channel}/history?limit=1000`)
  const serials: number[] = Array.isArray(history) ? history.map(({ serial }) => serial) : []
  return `${channel}@${pick(serials) ?? 1}`
}

function keepNamed(
  held: ReadonlyMap<string, string>,
  named: ReadonlyMap<string, NamedPool>,
): Map<string, string> {
  const all = new Set([...named.values()].flatMap((pool) => [...pool.keys()]))
  return new Map([...held].filter(([path]) => all.has(path)))
}

function lostOf(dataDir: string, held: ReadonlyMap<string, string>): string[] {
  return [...held].flatMap(([path, digest]) => {
    const file = join(dataDir, 'blobs', digest.slice(0, 2), digest.slice(2))
    return existsSync(file) ? [] : [`${path} was held, is named, and is not here any more`]
  })
}

async function fetchSome(
  { sluice }: AgedWorld,
  named: ReadonlyMap<string, NamedPool>,
  held: Map<string, string>,
  wrong: string[],
): Promise<void> {
  for (let count = 0; count < 3; count++) {
    const [name, pool] = pick([...named]) ?? ['', new Map<string, string>()]
    const file = pick([...pool])
    if (file === undefined) continue
    const problem = await fetchNamed(sluice, name, file)
    if (problem === undefined) held.set(...file)
    else wrong.push(problem)
  }
}
