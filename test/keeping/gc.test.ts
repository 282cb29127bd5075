/**
 * Garbage collection as its users see it: what was promised stays, what was not goes, and no more at once than somebody
 * meant.
 */
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { type AgedWorld, anyTime, DAY_MS, makeAgedWorld } from '../support/aged-world.ts'
import { clean, troubles } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({
  name: 'hello',
  version,
  arch: 'amd64',
  content: 3000,
})
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }

const none = { chunks: 0, rows: 0, rowBytes: 0, files: 0, fileBytes: 0 }
const nothing = { generations: 0, releases: 0, states: 0, ...none, origins: 0 }

/** Four versions promoted, then 12 generations without the first one: 16 in all. Upstream has forgotten that one too. */
async function makeHistory(world: AgedWorld): Promise<void> {
  for (const version of ['2', '3', '4']) {
    await world.renew([hello(version), other])
    await world.promote()
  }
  await world.rollBack(12, [2, 3])
  await world.sluice.api('DELETE', '/channels/testing')
}

async function blobFiles({ sluice }: AgedWorld): Promise<string[]> {
  const root = join(sluice.dataDir, 'blobs')
  const files = await readdir(root, { recursive: true, withFileTypes: true })
  return files
    .filter((one) => one.isFile())
    .map((one) => one.parentPath.slice(-2) + one.name)
    .sort()
}

t.test(
  'what a channel keeps no more is gone at once by name, and a day later by bytes',
  async (t) => {
    const world = await makeAgedWorld(t, [hello('1'), other])
    const { sluice, clock, machine } = world
    const old = await machine('old', 'approved@1', anyTime)
    t.same(troubles(await old.update()), clean)
    t.same(troubles(await old.install('hello')), clean)
    const first = await fetch(`${sluice.url}/channels/approved@1/nut/dists/stable/InRelease`)
    const [, digest = ''] = /^ ([0-9a-f]{64}) +\d+ \S+Packages\.gz$/m.exec(await first.text()) ?? []
    const byHash = `${sluice.url}/channels/approved/nut/dists/stable/main/binary-amd64/by-hash/SHA256/${digest}`
    t.match(await fetch(byHash), { status: 200 })
    await makeHistory(world)
    t.match(await world.live(9), { deleted: { generations: 0 } }, 'for ten days all is kept')
    t.match(await fetch(byHash), { status: 200 })
    const files = await blobFiles(world)

    t.match(await world.live(1), { expired: [{ channel: 'approved', oldest: 1 }] })
    const { body, status } = await fetch(
      `${sluice.url}/channels/approved@1/nut/dists/stable/InRelease`,
    )
    t.ok(status === 404 || status === 410)
    t.match(
      await new Response(body).text(),
      /generation 1 of channel approved is not kept any more/,
    )
    t.match(await fetch(byHash), { status: 200 }, 'who is on his way with it comes to the end')
    t.same(await blobFiles(world), files)
    const { length } = await sluice.api('GET', '/channels/approved/history?limit=100')
    t.ok(length >= 10 && length < 17, `${length} generations are left`)

    t.match(await world.live(1), { deleted: { generations: 0, states: 2, files: 1 } })
    t.match(await fetch(byHash), { status: 404 })
    const left = await blobFiles(world)
    t.ok(left.length < files.length, 'files of it are gone')
    t.match(await sluice.api('POST', '/verify', { deep: true }), { problems: [] })
    t.match(await world.live(1), { deleted: nothing })
    t.same((await sluice.api('GET', '/audit?limit=1000')).filter(isBroken), [])
    const now = await machine('now', 'approved', anyTime)
    t.same(troubles(await now.update()), clean)
    t.same(troubles(await now.install('hello')), clean)
    t.ok(clock.now() < Date.now())
  },
)

function isBroken({ what, detail }: { what: string; detail: object }): boolean {
  return what === 'gc' && Object.values(detail).every((value) => value === 0)
}

t.test('a dry run changes nothing, and tells exactly what the run then does', async (t) => {
  const world = await makeAgedWorld(t, [hello('1'), other])
  const { sluice } = world
  await makeHistory(world)
  await world.live(9)
  let compared = 0
  for (let day = 0; day < 4; day++) {
    await world.pass(DAY_MS)
    const planned = await sluice.api('POST', '/gc', { dryRun: true })
    t.same(
      { ...(await sluice.api('POST', '/gc', { dryRun: true })), durationMs: 0 },
      { ...planned, durationMs: 0 },
    )
    const audit = await sluice.api('GET', '/audit?limit=1')
    const done = await sluice.api('POST', '/gc', { reason: 'room is wanted' })
    t.same({ ...done, durationMs: 0 }, { ...planned, durationMs: 0 }, `day ${day}`)
    const [last] = await sluice.api('GET', '/audit?limit=1')
    if (Object.values(done.deleted).every((value) => value === 0)) {
      t.equal(last.id, audit[0].id, 'nothing done, nothing told')
      continue
    }
    compared++
    t.match(last, { what: 'gc', object: 'store', who: 'admin', why: 'room is wanted' })
    t.same(last.detail, done.deleted)
    t.equal(last.id, audit[0].id + 1)
    t.match(await sluice.api('GET', '/gc'), { last: { figures: done.deleted } })
  }
  t.ok(compared >= 2, 'generations, then what they named')
  t.match(await sluice.api('POST', '/verify', { deep: true }), { problems: [] })
})

t.test('what is much of the store is deleted only by force', async (t) => {
  const world = await makeAgedWorld(t, [hello('1'), other])
  const { sluice } = world
  await makeHistory(world)
  await world.rollBack(40, [2, 3])
  await world.pass(11 * DAY_MS)
  const lastRun = async (): Promise<{ brake?: string } | undefined> =>
    (await sluice.api('GET', '/gc')).last
  while ((await lastRun()) === undefined) await sleep(10)
  t.match(await lastRun(), { brake: /generations/ }, 'by itself it did nothing')
  const history = (): Promise<object[]> => sluice.api('GET', '/channels/approved/history?limit=100')
  const before = await history()
  const planned = await sluice.api('POST', '/gc', { dryRun: true })
  t.match(planned, { brake: /generations \(\d+ %\)/ })
  const refused = await sluice.api('POST', '/gc', {})
  t.match(refused.error, { code: 'ERR_REFUSED', message: planned.brake, hint: /--force/ })
  t.same(await history(), before)
  t.match(await lastRun(), { brake: planned.brake })
  t.match(
    await (await fetch(`${sluice.url}/metrics`)).text(),
    /^sluice_gc_last_run\{what="braked"\} 1$/m,
  )

  const forced = await sluice.api('POST', '/gc', { force: true })
  t.same(forced.deleted, planned.deleted)
  t.ok((await history()).length <= 12)
  t.match(
    await (await fetch(`${sluice.url}/metrics`)).text(),
    /^sluice_gc_last_run\{what="braked"\} 0$/m,
  )
  t.match(await sluice.api('POST', '/verify', {}), { problems: [] })
})

t.test('a machine that was told of an older generation comes to the end of it', async (t) => {
  const world = await makeAgedWorld(t, [hello('1'), other])
  const { sluice, machine } = world
  const root = '/channels/approved/nut'
  const inRelease = await (await fetch(`${sluice.url}${root}/dists/stable/InRelease`)).bytes()
  const late = await machine('late', 'approved', anyTime)
  for (const version of ['2', '3', '4']) {
    await world.renew([hello(version), other])
    await world.promote()
    await world.rollBack(5, [1, 2])
    await world.promote()
    await world.live(3)
  }
  await sluice.api('DELETE', '/channels/testing')
  const front = await startStale(t, sluice.url, inRelease)
  const sources = await readFile(join(late.dir, 'etc/apt/sources.list'), 'utf8')
  await late.setSources(sources.trim().replace(sluice.url, front))
  t.same(troubles(await late.update()), clean)
  t.match(await late.policy('hello'), { candidate: '1' })
  t.same(troubles(await late.install('hello', 'other')), clean)
  t.same(await late.installed(), ['hello=1', 'other=1'])
})

/** A cache between machine and server that goes on giving out an InRelease that it had. */
async function startStale(t: Test, behind: string, inRelease: Uint8Array): Promise<string> {
  const server = createServer(async (request, response) => {
    if (request.url?.endsWith('/InRelease')) return void response.end(inRelease)
    const answer = await fetch(behind + request.url)
    response.writeHead(answer.status)
    response.end(await answer.bytes())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

for (const days of [3, 6]) {
  const state = days === 3 ? 'doomed' : 'deleted'
  t.test(`upstream brings back what was just ${state}`, async (t) => {
    const world = await makeAgedWorld(t, [hello('1'), other])
    const { sluice, machine } = world
    for (const version of ['2', '3', '4']) await world.renew([hello(version), other])
    for (const name of ['testing', 'approved']) await sluice.api('DELETE', `/channels/${name}`)
    const report = await world.live(days)
    if (state === 'doomed') t.match(report, { waiting: { chunks: 1 }, deleted: { chunks: 0 } })
    else t.match(report, { waiting: none, deleted: nothing })
    await world.renew([hello('1'), other])
    await world.live(3)
    t.match(await sluice.api('POST', '/verify', { deep: true }), { problems: [] })
    await sluice.api('POST', '/channels', { name: 'testing', follow: ['nut'] })
    const apt = await machine('one', 'testing', anyTime)
    t.same(troubles(await apt.update()), clean)
    t.same(troubles(await apt.install('hello', 'other')), clean)
    t.same(await apt.installed(), ['hello=1', 'other=1'])
  })
}

t.test('an archive that was removed leaves nothing that nobody names', async (t) => {
  const world = await makeAgedWorld(t, [hello('1'), other])
  const { sluice } = world
  await sluice.api('DELETE', '/channels/testing')
  t.notOk((await sluice.api('DELETE', '/archives/nut')).error)
  t.match(await world.live(1), { deleted: { origins: 2 } }, 'nobody can ask it any more')
  t.match(await world.live(2), { deleted: nothing }, 'what a channel has of it stays')
  t.match(await sluice.api('POST', '/verify', { deep: true }), { problems: [] })
  await sluice.api('DELETE', '/channels/approved')
  t.match(await world.live(1), { deleted: { releases: 1, chunks: 0 }, waiting: { chunks: 1 } })
  t.match(await world.live(1), { deleted: { chunks: 1, states: 1 } })
  t.match(await world.live(1), { deleted: nothing, totals: { ...none, generations: 0 } })
  t.same(await blobFiles(world), [])
})
