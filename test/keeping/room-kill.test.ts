/**
 * `kill -9` under the load of a small cache: clients ask for more than has room, files are evicted, adopted and collected all
 * the while, upstream flips a bit now and then. Whatever was going on, the next start has a sound store and serves what
 * the index names. Eight times in `npm test`, eighty in `npm run soak`.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { randomFrom } from '../../bench/random.ts'
import { getFile, type PoolFile, poolFiles } from '../support/pool-files.ts'
import { seedOr } from '../support/seed.ts'
import { type SluiceProcess, startProcess } from '../support/sluice-process.ts'
import type { TestUpstream } from '../support/upstream-server.ts'
import { makeWorld } from '../support/world.ts'

const KILLS = process.env.SOAK === undefined ? 8 : 80
const LONGEST_MS = 600
const FILES = 24
const FILE_BYTES = 100_000
const ROOM_FILES = 6
const seed = seedOr(process.env.SEED)
t.setTimeout(KILLS * 80_000 + 60_000)

async function start(t: Test, dataDir: string): Promise<SluiceProcess> {
  const begun = await startProcess(t, dataDir)
  if (!('url' in begun)) throw new Error(begun.text)
  return begun
}

interface Bed {
  readonly dataDir: string
  readonly files: readonly PoolFile[]
  readonly old: string
  readonly upstream: TestUpstream
}

/** A world without a server, whose next one has room for six files; a directory with half of them. */
async function prepare(t: Test): Promise<Bed> {
  const packages = Array.from({ length: FILES }, (_, at) => ({
    ...{ name: `pack-${at}`, version: '1', arch: 'amd64', content: FILE_BYTES },
  }))
  const world = await makeWorld(t, packages)
  const { dir, upstream } = world
  const { dataDir } = world.sluice
  await world.sluice.api('DELETE', '/channels/approved')
  await world.sluice.close()
  await writeFile(join(dataDir, 'sluice.toml'), `max-size = ${ROOM_FILES * FILE_BYTES}\n`)
  const files = [...(await poolFiles(world)).values()]
  const old = join(dir, 'old')
  await mkdir(old)
  for (const { path } of files.slice(0, FILES / 2))
    await copyFile(join(dir, 'archive', path), join(old, basename(path)))
  upstream.fault(/\.deb$/, { kind: 'flip', offset: 500 }, { every: 9 })
  return { dataDir, files, old, upstream }
}

t.test(
  `a small cache that is killed ${KILLS} times is sound each time (SEED=${seed})`,
  async (t) => {
    const random = randomFrom(seed)
    const { dataDir, files, old, upstream } = await prepare(t)
    let server = await start(t, dataDir)
    let isDown = false
    const stopped = new AbortController()
    const failures: string[] = []
    const counts = { given: 0, adopted: 0, evicted: 0 }
    const lane = async (work: () => Promise<unknown>): Promise<void> => {
      while (!stopped.signal.aborted) {
        try {
          await work()
        } catch (error) {
          // One that was under way at the kill may end some time later.
          if (!isDown) await sleep(50)
          if (!(error instanceof TypeError)) failures.push(String(error))
          await sleep(20)
        }
      }
    }
    const get = async (): Promise<void> => {
      const file = files[Math.floor(random() * files.length)] as PoolFile
      const given = await getFile({ sluice: server, upstream }, file)
      if (given.status !== 200) return
      if (given.sha256 !== file.sha256) failures.push(`wrong bytes of ${file.path}`)
      counts.given++
    }
    const adopt = async (): Promise<void> => {
      const { adopted, error } = await server.api('POST', '/adopt', { dir: old })
      if (error !== undefined) failures.push(`adopt: ${error.message}`)
      counts.adopted += adopted?.files ?? 0
    }
    const collect = async (): Promise<void> => {
      await server.api('POST', '/gc', { force: true })
      const { room } = await server.api('GET', '/gc')
      counts.evicted += room?.evictedFiles ?? 0
    }
    const working = [get, get, get, get, adopt, collect].map(lane)
    for (let kill = 1; kill <= KILLS && failures.length === 0; kill++) {
      await sleep(random() * LONGEST_MS)
      isDown = true
      await server.stop('SIGKILL')
      server = await start(t, dataDir)
      isDown = false
      const { problems, error } = await server.api('POST', '/verify', { deep: true })
      if (error !== undefined || problems.length > 0)
        failures.push(`kill ${kill}: verify says ${JSON.stringify(error ?? problems)}`)
    }
    // Where a slow machine never came to something between two kills, it does now.
    while (Object.values(counts).includes(0) && failures.length === 0) await sleep(50)
    stopped.abort()
    await Promise.all(working)
    upstream.clearFaults()
    t.same(failures, [])
    for (const file of files)
      t.match(await getFile({ sluice: server, upstream }, file), {
        status: 200,
        sha256: file.sha256,
      })
    await server.api('POST', '/gc', {})
    const { room } = await server.api('GET', '/gc')
    t.ok(room.fileBytes <= room.maxBytes, 'the limit is kept')
    t.ok(counts.evicted > 0 && counts.adopted > 0 && counts.given > 0)
    t.comment(JSON.stringify(counts))
  },
)
