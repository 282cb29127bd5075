/**
 * The scrub: what rots on the disk is found without anybody asking, and had again, a little at a time and across restarts.
 */
import { chmod, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseConfig } from '../../src/base/config.ts'
import { createLog } from '../../src/base/log.ts'
import { createScrub, type Scrub, type ScrubStatus } from '../../src/keeping/scrub.ts'
import { openParts, type ServerParts } from '../../src/server/parts.ts'
import { blobTotals } from '../../src/store/blob-lists.ts'
import { getFile, type PoolFile, poolFiles } from '../support/pool-files.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { makeWorld, type World } from '../support/world.ts'

const DAY_MS = 24 * 3600_000
const names = ['ant', 'bee', 'cat', 'dog']

interface Shelf extends World {
  readonly files: ReadonlyMap<string, PoolFile>
  damage(name: string): Promise<void>
}

/** A world with all files in its store, whose server has ended. */
async function makeShelf(t: Test, content: number): Promise<Shelf> {
  const packages = names.map((name) => ({ name, version: '1', arch: 'amd64', content }))
  const world = await makeWorld(t, packages)
  const files = await poolFiles(world)
  for (const file of files.values()) await getFile(world, file)
  await world.sluice.close()
  return {
    ...world,
    files,
    damage: async (name) => {
      const path = blobPath(world, files.get(`${name}_1`)?.sha256 ?? '')
      const data = await readFile(path)
      data[2000] = (data[2000] ?? 0) ^ 1
      await chmod(path, 0o644)
      await writeFile(path, data)
    },
  }
}

function blobPath({ sluice }: World, sha256: string): string {
  return join(sluice.dataDir, 'blobs', sha256.slice(0, 2), sha256.slice(2))
}

interface Opened {
  readonly parts: ServerParts
  readonly scrub: Scrub
  /** Waits for a state of the scrub. */
  until(is: (status: ScrubStatus) => boolean): Promise<ScrubStatus>
  close(): Promise<void>
}

async function open(t: Test, { sluice }: World, clock: TestClock, days = 30): Promise<Opened> {
  const flags = { data: sluice.dataDir, import: false, 'log-level': 'silent' }
  const parts = await openParts(parseConfig({ flags, env: {} }), clock)
  const scrub = createScrub(parts, createLog({ level: 'silent' }), { days, sliceMs: 20 })
  scrub.start()
  let isClosed = false
  const close = async (): Promise<void> => {
    if (isClosed) return
    isClosed = true
    await scrub.stop()
    await parts.close()
  }
  t.teardown(close)
  return {
    parts,
    scrub,
    until: async (is) => {
      for (;;) {
        const status = await scrub.status()
        if (is(status)) return status
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    close,
  }
}

async function bytesOf({ db }: ServerParts): Promise<number> {
  const { rowBytes, fileBytes } = await blobTotals(db)
  return rowBytes + fileBytes
}

const hasEnded = ({ endedAt }: ScrubStatus): boolean => endedAt !== undefined

t.test(
  'what is damaged is put aside and fetched again; the next pass is a month later',
  async (t) => {
    const shelf = await makeShelf(t, 3000)
    const clock = createTestClock()
    await shelf.damage('ant')
    const { parts, until } = await open(t, shelf, clock)
    const pass = await until(hasEnded)
    t.match(pass, { damaged: 1, lost: 0, days: 30 })
    t.equal(pass.bytes, await bytesOf(parts))
    const ant = shelf.files.get('ant_1')?.sha256 ?? ''
    t.same(await readdir(join(shelf.sluice.dataDir, 'quarantine')), [ant])
    const again = await readFile(blobPath(shelf, ant))
    t.ok(
      again.equals(
        await readFile(join(shelf.dir, 'archive', shelf.files.get('ant_1')?.path ?? '')),
      ),
    )
    clock.advance(29 * DAY_MS)
    t.equal((await until(hasEnded)).beganAt, pass.beganAt)
    clock.advance(2 * DAY_MS)
    const next = await until((status) => hasEnded(status) && status.beganAt !== pass.beganAt)
    t.match(next, { damaged: 0, lost: 0 })
    clock.advance(-90 * DAY_MS)
    await until((status) => hasEnded(status) && (status.beganAt ?? 0) <= clock.now())
  },
)

t.test('it goes on after a restart where it was', async (t) => {
  const shelf = await makeShelf(t, 3_000_000)
  const clock = createTestClock()
  const first = await open(t, shelf, clock)
  const { bytes = 0, beganAt } = await first.until(({ bytes = 0 }) => bytes > 3_000_000)
  await first.close()
  await shelf.damage('ant')
  const second = await open(t, shelf, clock)
  const pass = await second.until(hasEnded)
  t.equal(pass.beganAt, beganAt)
  t.equal(pass.bytes, await bytesOf(second.parts), 'each is looked at once')
  t.ok(bytes < (pass.bytes ?? 0))
})

t.test('what is lost is counted, and what is suspicious is looked at first', async (t) => {
  const shelf = await makeShelf(t, 3000)
  const { parts, scrub } = await open(t, shelf, createTestClock(), 0)
  const bee = shelf.files.get('bee_1')
  if (bee === undefined) throw new Error('there is no bee')
  await truncate(blobPath(shelf, bee.sha256), 3000).catch(async () => {
    await chmod(blobPath(shelf, bee.sha256), 0o644)
    await truncate(blobPath(shelf, bee.sha256), 3000)
  })
  for (const { sha256 } of [...shelf.files.values()]) {
    const digest = [...(await parts.blobs.present([sha256 as never]))][0]
    if (digest !== undefined) parts.blobs.news.suspect(digest)
  }
  await scrub.settle()
  t.same(await readdir(join(shelf.sluice.dataDir, 'quarantine')), [bee.sha256])
  t.equal((await readFile(blobPath(shelf, bee.sha256))).length, bee.size)
  t.equal((await scrub.status()).beganAt, undefined, 'no pass is made')
})
