/**
 * Evictions under work: what somebody is about to rely on stays, whichever of the two comes first; who reads a file reads it
 * to its end.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { locate } from '../../src/archives/locate.ts'
import { parseConfig } from '../../src/base/config.ts'
import { parseSha256, type Sha256 } from '../../src/base/sha256.ts'
import { createChannel } from '../../src/channels/create-channel.ts'
import { countEvictable, evictFiles } from '../../src/keeping/evict.ts'
import { openParts, type ServerParts } from '../../src/server/parts.ts'
import { getFile, type PoolFile, poolFiles } from '../support/pool-files.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { makeWorld, type World } from '../support/world.ts'

const names = ['ant', 'bee', 'cat']
const FILE_BYTES = 100_000
const ALL = 1e9
const DAY_MS = 24 * 3600_000

interface Shelf extends World {
  readonly files: ReadonlyMap<string, PoolFile>
  readonly parts: ServerParts
  readonly clock: TestClock
  sum(name: string): Sha256
  /** Which of the packages are in the store. */
  here(): Promise<string[]>
}

/** Three packages in a store whose server has ended; `testing` alone names them. */
async function makeShelf(t: Test): Promise<Shelf> {
  const world = await makeWorld(
    t,
    names.map((name) => ({ name, version: '1', arch: 'amd64', content: FILE_BYTES })),
  )
  const { sluice } = world
  const files = await poolFiles(world)
  for (const file of files.values()) await getFile(world, file)
  await sluice.api('DELETE', '/channels/approved')
  await sluice.close()
  const flags = { data: sluice.dataDir, import: false, 'log-level': 'silent' }
  const clock = createTestClock()
  const parts = await openParts(parseConfig({ flags, env: {} }), clock)
  t.teardown(() => parts.close())
  const sum = (name: string): Sha256 => {
    const digest = parseSha256(files.get(`${name}_1`)?.sha256 ?? '')
    if (digest === undefined) throw new Error(`there is no ${name}`)
    return digest
  }
  const here = async (): Promise<string[]> => {
    const open = await Promise.all(names.map((name) => parts.blobs.openFile(sum(name))))
    for (const one of open) await one?.handle.close()
    return names.filter((_, at) => open[at] !== undefined)
  }
  return { ...world, files, parts, clock, sum, here }
}

/** Lets what waits for nothing but turns of the event loop go on. */
async function turns(parts: ServerParts): Promise<void> {
  for (let at = 0; at < 50; at++) await parts.ledger.look(() => undefined)
}

t.test('all that nothing pins can go', async (t) => {
  const { parts, here, sum } = await makeShelf(t)
  t.match(await countEvictable(parts), { files: 3 })
  const gone: string[] = []
  parts.blobs.news.listen({ gone: (digest) => gone.push(digest) })
  t.match(await evictFiles(parts, ALL), { evicted: { files: 3 } })
  t.same(await here(), [])
  t.same(gone.sort(), names.map(sum).sort())
  t.match(await evictFiles(parts, ALL), { evicted: { files: 0 } })
})

t.test('a clock that was set back keeps nothing from going in its turn', async (t) => {
  const { parts, clock, here, sum } = await makeShelf(t)
  for (const name of ['bee', 'cat']) {
    clock.advance(3600_000)
    parts.blobs.use.touch(sum(name))
  }
  clock.advance(DAY_MS)
  parts.blobs.use.touch(sum('ant'))
  clock.advance(-DAY_MS)
  t.match(await evictFiles(parts, 1), { evicted: { files: 1 } })
  t.same(await here(), ['ant', 'cat'], 'it was used last')
  clock.advance(3600_000)
  parts.blobs.use.touch(sum('cat'))
  t.match(await evictFiles(parts, 1), { evicted: { files: 1 } })
  t.same(await here(), ['cat'], 'but not for a day to come')
})

t.test('what is asked for while an eviction waits for others stays', async (t) => {
  const { parts, here, sum } = await makeShelf(t)
  const end = parts.leases.begin()
  const eviction = evictFiles(parts, ALL)
  await turns(parts)
  t.same(await here(), names, 'somebody is at work')
  t.ok(await parts.blobs.has(sum('bee')))
  end()
  t.match(await eviction, { evicted: { files: 2 } })
  t.same(await here(), ['bee'])
})

t.test('what is published while an eviction waits stays', async (t) => {
  const { parts, here } = await makeShelf(t)
  const end = parts.leases.begin()
  const eviction = evictFiles(parts, ALL)
  await turns(parts)
  await createChannel(parts, { name: 'late', source: { from: 'testing' }, who: 'test' })
  end()
  t.match(await eviction, { evicted: { files: 0 } })
  t.same(await here(), names)
})

t.test('an eviction that is broken off leaves all as it was', async (t) => {
  const { parts, here } = await makeShelf(t)
  const end = parts.leases.begin()
  const stop = new AbortController()
  const eviction = evictFiles(parts, ALL, { signal: stop.signal })
  await turns(parts)
  stop.abort()
  await t.rejects(eviction)
  end()
  t.same(await here(), names)
  t.match(await countEvictable(parts), { files: 3 })
})

t.test('who reads a file reads it to its end, and it comes again for the next', async (t) => {
  const { parts, sum, files, dir } = await makeShelf(t)
  const ant = sum('ant')
  const { wanted, source } = await locate(parts.db, ant)
  const first = await parts.downloads.open(wanted, source, {})
  const pieces: Buffer[] = []
  for await (const piece of first.read(0, {})) {
    if (pieces.length === 0) await evictFiles(parts, ALL)
    pieces.push(Buffer.from(piece))
  }
  const whole = await readFile(join(dir, 'archive', files.get('ant_1')?.path ?? ''))
  t.ok(Buffer.concat(pieces).equals(whole))
  t.equal(await parts.blobs.openFile(ant), undefined)
  await Promise.all([
    parts.downloads.fetch(wanted, source, {}),
    parts.downloads.fetch(wanted, source, {}),
    evictFiles(parts, ALL),
  ])
  const isHere = await parts.blobs.has(ant)
  const file = await parts.blobs.openFile(ant)
  await file?.handle.close()
  t.equal(file !== undefined, isHere, 'row and file are both here, or both gone')
})
