/**
 * What somebody is just about to use again is not deleted under him, whichever of the two comes first: a collection is held
 * up where it has planned and not yet deleted, and what it was to delete is used meanwhile.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { makeSigningKey } from '../../fixtures/signing-key.ts'
import { listArchives } from '../../src/archives/archive-table.ts'
import { addArchive } from '../../src/archives/change-archive.ts'
import { listChunks } from '../../src/archives/chunk-removal.ts'
import { readChunk } from '../../src/archives/index-parts.ts'
import { locate } from '../../src/archives/locate.ts'
import { addOrigins, type Origin } from '../../src/archives/origins.ts'
import { refreshArchive } from '../../src/archives/refresh.ts'
import { parseConfig } from '../../src/base/config.ts'
import { createLeases, leased } from '../../src/base/leases.ts'
import { createMutexes } from '../../src/base/mutex.ts'
import { sha256In } from '../../src/base/sha256.ts'
import { createChannel } from '../../src/channels/create-channel.ts'
import { collectGarbage, type GcReport } from '../../src/keeping/gc.ts'
import { verifyStore } from '../../src/keeping/verify.ts'
import { openParts, type ServerParts } from '../../src/server/parts.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { testDir } from '../support/test-dir.ts'
import { startUpstream } from '../support/upstream-server.ts'

const DAY_MS = 24 * 3600_000
const who = { who: 'test' }

interface Store {
  readonly parts: ServerParts
  readonly clock: TestClock
  /** Lets upstream have this version alone. */
  renew(version: string): Promise<void>
  collect(): Promise<GcReport>
  /** The file that upstream offers. */
  offered(): Promise<Omit<Origin, 'archiveId'>>
}

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'all' })

async function openStore(t: Test): Promise<Store> {
  const dir = testDir(t)
  const clock = createTestClock(100 * DAY_MS)
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>', {
    createdAt: new Date(clock.now() - DAY_MS),
  })
  const upstream = await startUpstream(join(dir, 'archive'))
  const flags = { data: join(dir, 'var'), import: false, 'log-level': 'silent' }
  const parts = await openParts(parseConfig({ flags, env: {} }), clock)
  t.teardown(async () => {
    await parts.close()
    await upstream.close()
  })
  const renew: Store['renew'] = async (version) => {
    clock.advance(60_000)
    const date = new Date(clock.now() - 30_000)
    await makeArchive(join(dir, 'archive'), {
      key,
      date,
      sign: { signedAt: date },
      suites: [
        {
          suite: 'stable',
          components: ['main'],
          architectures: ['amd64'],
          packages: [hello(version)],
        },
      ],
    })
  }
  await renew('1')
  const settings = {
    urls: [upstream.url],
    suites: ['stable'],
    components: ['main'],
    architectures: ['amd64'],
  }
  await addArchive(parts, { name: 'nut', settings, keyring: await readFile(key.publicAsc) }, who)
  await refreshArchive(parts, { archive: 'nut' })
  const retention = { generations: 10, days: 10 }
  const collect: Store['collect'] = () => collectGarbage(parts, { ...who, retention })
  const offered: Store['offered'] = async () => {
    const index = join(dir, 'archive/dists/stable/main/binary-amd64/Packages.gz')
    const text = gunzipSync(await readFile(index)).toString()
    const field = (name: string): string => new RegExp(`^${name}: (.+)$`, 'm').exec(text)?.[1] ?? ''
    const [sha256] = sha256In(Buffer.from(field('SHA256')))
    if (sha256 === undefined) throw new Error('upstream offers nothing')
    return { sha256, size: Number(field('Size')), path: field('Filename') }
  }
  return { parts, clock, renew, collect, offered }
}

/** A store whose version 1 is due to be deleted. */
async function openDue(t: Test): Promise<Store> {
  const store = await openStore(t)
  for (const version of ['2', '3', '4']) {
    await store.renew(version)
    await refreshArchive(store.parts, { archive: 'nut' })
  }
  store.clock.advance(4 * DAY_MS)
  t.match(await store.collect(), { waiting: { chunks: 1 } })
  store.clock.advance(DAY_MS)
  return store
}

async function problemsOf(parts: ServerParts): Promise<unknown> {
  return (await verifyStore(parts, { deep: true })).problems
}

/** Runs a collection up to where it deletes, does `meanwhile`, and lets it go on. */
async function whileHeld<T>(
  { parts, collect }: Store,
  meanwhile: () => Promise<T>,
): Promise<{ report: GcReport; result: T }> {
  const letGo = await parts.leases.hold()
  let isOver = false
  const running = collect().finally(() => {
    isOver = true
  })
  // Until it has planned: it stands before the first thing that it would delete.
  for (let turn = 0; turn < 300; turn++) await new Promise((resolve) => setImmediate(resolve))
  const result = await meanwhile()
  const wasOver = isOver
  letGo()
  const report = await running
  if (wasOver) throw new Error('the collection did not wait')
  return { report, result }
}

t.test('a refresh that brings back what is being deleted has all of it', async (t) => {
  const store = await openDue(t)
  const { parts, renew, collect, clock } = store
  await renew('1')
  const { report, result } = await whileHeld(store, () => refreshArchive(parts, { archive: 'nut' }))
  t.match(result, [{ kind: 'changed' }])
  t.match(report, { deleted: { chunks: 0, origins: 0 } }, 'what was to go is used again')
  t.same(await problemsOf(parts), [])
  clock.advance(DAY_MS)
  await collect()
  t.same(await problemsOf(parts), [])
  const [chunk] = (await listChunks(parts.db, 0, 100)).reverse()
  if (chunk === undefined) throw new Error('no chunk')
  const [file] = sha256In(await readChunk(parts, chunk))
  if (file !== undefined) t.match(await locate(parts.db, file), { archive: 'nut' })
})

t.test(
  'where a file comes from is known though a collection ran before its chunk was written',
  async (t) => {
    const { parts, renew, collect, offered } = await openStore(t)
    await renew('2')
    const [archive] = await listArchives(parts.db)
    if (archive === undefined) throw new Error('no archive')
    // Known, and named by no chunk: the refresh finds it, and has no need to write it.
    await addOrigins(parts.db, archive.id, [await offered()])
    const { put } = parts.members
    let report: GcReport | undefined
    Object.assign(parts.members, {
      put: async (members: Parameters<typeof put>[0]) => {
        await put(members)
        report ??= await collect()
      },
    })
    t.match(await refreshArchive(parts, { archive: 'nut' }), [{ kind: 'changed' }])
    t.match(report, { deleted: { origins: 1 } }, 'no chunk named it yet')
    for (const chunk of await listChunks(parts.db, 0, 100))
      for (const file of sha256In(await readChunk(parts, chunk)))
        t.match(await locate(parts.db, file), { archive: 'nut' })
  },
)

t.test('a refresh after the deletion makes all of it anew', async (t) => {
  const { parts, renew, collect } = await openDue(t)
  t.match(await collect(), { deleted: { chunks: 1, origins: 1 } })
  await renew('1')
  t.match(await refreshArchive(parts, { archive: 'nut' }), [{ kind: 'changed' }])
  t.same(await problemsOf(parts), [])
  const files = await Promise.all(
    (await listChunks(parts.db, 0, 100)).map(async (chunk) =>
      sha256In(await readChunk(parts, chunk)),
    ),
  )
  for (const file of files.flat()) t.match(await locate(parts.db, file), { archive: 'nut' })
})

t.test('a file that is fetched while it is being deleted is here', async (t) => {
  const store = await openStore(t)
  const { parts, clock, renew, collect } = store
  const [chunk] = await listChunks(parts.db, 0, 1)
  if (chunk === undefined) throw new Error('no chunk')
  const [file] = sha256In(await readChunk(parts, chunk))
  if (file === undefined) throw new Error('no file')
  const { wanted, source } = await locate(parts.db, file)
  await parts.downloads.fetch(wanted, source, {})
  for (const version of ['2', '3', '4']) {
    await renew(version)
    await refreshArchive(parts, { archive: 'nut' })
  }
  clock.advance(4 * DAY_MS)
  await collect()
  clock.advance(DAY_MS)
  const { report } = await whileHeld(store, () => parts.downloads.fetch(wanted, source, {}))
  t.match(report, { deleted: { chunks: 1, files: 1 } }, "upstream's index went, the file did not")
  t.ok(await parts.blobs.openFile(file).then((open) => open?.handle.close().then(() => true)))
  t.same(await problemsOf(parts), [])
})

t.test('what is doomed while somebody works is not deleted before he has ended', async (t) => {
  const store = await openDue(t)
  const { parts, clock, collect, renew } = store
  // He looked for version 2 before it was dispensable, and names it in the end, days of the clock later.
  const end = parts.leases.begin()
  await renew('5')
  await refreshArchive(parts, { archive: 'nut' })
  clock.advance(4 * DAY_MS)
  t.match(await collect(), { deleted: { chunks: 1 }, waiting: { chunks: 1 } }, 'version 1 goes')
  clock.advance(2 * DAY_MS)
  t.match(await collect(), { deleted: { chunks: 0 }, waiting: { chunks: 1 } }, 'version 2 stays')
  end()
  t.match(await collect(), { deleted: { chunks: 1 } }, 'until he has ended')
  t.same(await problemsOf(parts), [])
})

t.test('locks of archives and channels are such leases', async (t) => {
  const clock = createTestClock()
  const leases = createLeases(clock)
  const lock = leased(createMutexes(), leases)('nut')
  t.equal(leases.oldest(), undefined)
  const begunAt = clock.now()
  await lock(async () => t.ok((leases.oldest() ?? 0) >= begunAt))
  await t.rejects(lock(() => Promise.reject(new Error('no'))))
  t.equal(leases.oldest(), undefined)
  const store = await openStore(t)
  const during = [store.parts.archiveLock('nut'), store.parts.channelLock('testing')].map((mutex) =>
    mutex(async () => store.parts.leases.oldest()),
  )
  t.notOk((await Promise.all(during)).includes(undefined))
})

t.test('a channel that is copied from a generation just being dropped is whole', async (t) => {
  const store = await openStore(t)
  const { parts, clock, renew, collect } = store
  await createChannel(parts, { ...who, name: 'testing', source: { follow: ['nut'] } })
  await createChannel(parts, { ...who, name: 'old', source: { from: 'testing' } })
  for (const version of ['2', '3', '4']) {
    await renew(version)
    await refreshArchive(parts, { archive: 'nut' })
  }
  clock.advance(11 * DAY_MS)
  await collect()
  const made = createChannel(parts, { ...who, name: 'copy', source: { from: 'old@1' } })
  const [report] = await Promise.all([collect(), made])
  t.ok(report)
  clock.advance(2 * DAY_MS)
  await collect()
  t.same(await problemsOf(parts), [])
})
