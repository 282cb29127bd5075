/**
 * `max-size`: what nobody used for longest goes, what channels promise stays, whatever that comes to.
 */
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { getFile, poolFiles } from '../support/pool-files.ts'
import { runSluice } from '../support/program.ts'
import { testDir } from '../support/test-dir.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const names = ['ant', 'bee', 'cat', 'dog', 'eel', 'fox']
const FILE_BYTES = 100_000

const animal = (name: string, version = '1'): PackageSpec => ({
  name,
  version,
  arch: 'amd64',
  content: FILE_BYTES,
})

interface Farm extends World {
  /** Asks for the file of each of these packages; what `X-Cache` said, after the bytes were compared. */
  get(...names: string[]): Promise<(string | null)[]>
  /** How room is, when the limit was looked at. */
  room(): Promise<{
    fileBytes: number
    maxBytes: number
    evictedFiles: number
    problem?: string
  }>
}

/** A world in which four and a half files have room. */
async function makeFarm(t: Test): Promise<Farm> {
  const flags = { 'max-size': `${4.5 * FILE_BYTES}`, 'log-level': 'silent' }
  const world = await makeWorld(
    t,
    names.map((name) => animal(name)),
    { start: { flags } },
  )
  const { sluice } = world
  return {
    ...world,
    get: async (...wanted) => {
      const files = await poolFiles(world)
      const said: (string | null)[] = []
      for (const name of wanted) {
        const file = files.get(name)
        if (file === undefined) throw new Error(`there is no ${name}`)
        const { status, sha256, cache } = await getFile(world, file)
        t.same({ status, sha256 }, { status: 200, sha256: file.sha256 }, name)
        said.push(cache)
      }
      return said
    },
    room: async () => {
      await sluice.api('POST', '/gc', {})
      return (await sluice.api('GET', '/gc')).room
    },
  }
}

t.test('what nobody used for longest goes, as soon as there is too much', async (t) => {
  const { sluice, get, room } = await makeFarm(t)
  await sluice.api('DELETE', '/channels/approved')
  t.same(await get('ant_1', 'bee_1', 'cat_1', 'dog_1'), ['MISS', 'MISS', 'MISS', 'MISS'])
  t.match(await room(), { evictedFiles: 0 })
  t.same(await get('ant_1'), ['HIT'], 'it is used again')
  t.same(await get('eel_1'), ['MISS'])
  const { fileBytes, maxBytes, evictedFiles, problem } = await room()
  t.equal(evictedFiles, 1)
  t.ok(fileBytes <= maxBytes)
  t.equal(problem, undefined)
  t.same(await get('cat_1', 'dog_1', 'eel_1', 'ant_1'), ['HIT', 'HIT', 'HIT', 'HIT'])
  t.same(await get('bee_1'), ['MISS'], 'which went, and comes again')
  t.equal((await room()).evictedFiles, 2)
  t.same(await get('cat_1'), ['MISS'])
  t.match(await sluice.api('POST', '/verify', { deep: true }), { problems: [] })
  const metrics = await (await fetch(`${sluice.url}/metrics`)).text()
  t.match(metrics, /^sluice_evicted\{what="files"\} [23]$/m)
  t.match(metrics, /^sluice_room_bytes\{what="limit"\} 450000$/m)
})

t.test('what a curated channel names is never evicted, and that is told', async (t) => {
  const { sluice, get, room, machine } = await makeFarm(t)
  await get(...names.map((name) => `${name}_1`))
  const { fileBytes, maxBytes, evictedFiles, problem } = await room()
  t.equal(evictedFiles, 0)
  t.ok(fileBytes > maxBytes)
  t.match(problem, /^the files take 1 MB where max-size is 1 MB, and what is left is pinned/)
  const env = { SLUICE_URL: sluice.url, SLUICE_TOKEN: sluice.token }
  const gc = await runSluice(['gc'], { env })
  t.match(gc, { code: 0, stderr: /^sluice: warning: the files take .*\nsluice: hint: make room/ })
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install(...names)), clean)
})

t.test('what was rescued is never evicted, what upstream still has is', async (t) => {
  const { sluice, upstream, publish, get, room } = await makeFarm(t)
  await sluice.api('DELETE', '/channels/approved')
  await publish([animal('ant', '2'), ...names.slice(1).map((name) => animal(name))])
  await sluice.api('POST', '/archives/refresh')
  t.equal(upstream.count(/ant_1_/), 1, 'testing has served it')
  await get('ant_2', 'bee_1', 'cat_1', 'dog_1', 'eel_1')
  t.match(await room(), { evictedFiles: 2, problem: undefined })
  t.same(await get('ant_1', 'eel_1', 'ant_2'), ['HIT', 'HIT', 'MISS'])
})

t.test('a limit that is no size is refused', async (t) => {
  const refused = await runSluice(['serve', '--max-size', 'much', '--data', testDir(t)])
  t.match(refused, { code: 2, stderr: /max-size: "much" is not a size like 500 MB, 20G or/ })
})
