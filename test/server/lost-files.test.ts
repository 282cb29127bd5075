/**
 * What was missed while the server was away: it is named, counted and refused, and comes back from another place.
 */
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { runSluice } from '../support/program.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { startUpstream } from '../support/upstream-server.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({
  name: 'hello',
  version,
  arch: 'amd64',
  content: 3000,
})
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }

/** A world whose server was stopped while upstream replaced hello 1 and dropped it; `attic` has what upstream had. */
async function missed(t: Test): Promise<World & { readonly attic: string }> {
  const world = await makeWorld(t, [hello('1'), other])
  const attic = join(world.dir, 'attic')
  await cp(join(world.dir, 'archive'), attic, { recursive: true })
  await world.sluice.close()
  await world.publish([hello('2'), other])
  await rm(join(world.dir, 'archive', poolPath(hello('1'))))
  const sluice = await startSluice(world.sluice.dataDir)
  t.teardown(() => sluice.close())
  return { ...world, sluice, attic }
}

t.test(
  'what was missed is named, counted and refused; a fallback URL brings it back',
  async (t) => {
    const { sluice, attic } = await missed(t)
    const { api } = sluice
    const run = (...args: string[]) => runSluice(['--data', sluice.dataDir, ...args])
    const refreshed = await run('archive', 'refresh')
    t.match(refreshed, { code: 0, stdout: /^1 superseded file is LOST/m })
    const shown = await api('GET', '/channels/approved')
    t.match(shown, {
      lost: 1,
      files: { held: { files: 0 }, reachable: { files: 1 }, lost: { files: 1 } },
      lostFiles: [{ package: 'hello', version: '1', architecture: 'amd64', generations: [1] }],
    })
    t.match(shown.lostFiles[0].said, /404/)
    t.ok(Math.abs(shown.lostFiles[0].since - Date.now()) < 600_000)
    t.match(await api('GET', '/channels/testing'), { lost: 1, files: { lost: { files: 0 } } })
    for (const line of [
      'sluice_channel_files{channel="testing",state="reachable"} 2',
      'sluice_channel_files{channel="testing",state="lost"} 1',
      'sluice_channel_files{channel="approved",state="lost"} 1',
    ])
      t.match(await metrics(sluice), line)
    t.match(await run('channel', 'list'), { stdout: /LOST FILES/ })
    t.match(await run('channel', 'show', 'approved'), {
      stdout:
        /^files +0 held, 1 \(.*\) reachable, 1 \(.*\) LOST$[\s\S]*^hello +1 +amd64 .* 1 .*404/m,
    })

    t.match(await api('POST', '/channels', { name: 'web', from: 'testing' }), { lost: 0 })
    const promote = ['promote', 'hello', '--from', 'approved@1', '--to', 'web']
    t.match(await run(...promote, '--dry-run'), { code: 0, stdout: /1 LOST: it would be refused/ })
    const refused = await run(...promote)
    t.match(refused, { code: 5, stderr: /hello 1 amd64[\s\S]*hint: .*--fallback/ })
    t.match(await api('GET', '/channels/web'), { head: 1 })
    const copied = await run('channel', 'create', 'copy', '--from', 'approved@1')
    t.match(copied, { code: 0, stdout: /^1 file of it is lost/m })

    const fallback = await startUpstream(attic)
    t.teardown(() => fallback.close())
    const set = await run('archive', 'set', 'nut', '--fallback', fallback.url)
    t.match(set, { code: 0, stdout: new RegExp(`^fallback +${fallback.url}`, 'm') })
    while ((await api('GET', '/channels/approved')).lost > 0);
    t.match(await api('GET', '/channels/approved'), {
      files: { held: { files: 1 } },
      lostFiles: [],
    })
    t.equal(fallback.count(/Release|Packages/), 0, 'indexes come from the archive alone')
    t.match(await run(...promote), { code: 0, stdout: /web generation 2/ })
    for (const line of ['sluice_channel_files{channel="approved",state="lost"} 0'])
      t.match(await metrics(sluice), line)
  },
)

t.test(
  'a promotion of what only cannot be reached for the moment fails as upstream does',
  async (t) => {
    const { sluice, upstream, publish } = await makeWorld(t, [hello('1'), other])
    await publish([hello('2'), other])
    await sluice.api('POST', '/archives/refresh')
    upstream.fault(/hello_2/, { kind: 'status', status: 503 })
    const promotion = { from: 'testing', to: 'approved', all: true }
    const failed = await sluice.api('POST', '/promotions', promotion)
    t.equal(failed.error.code, 'ERR_UPSTREAM_STATUS')
    upstream.clearFaults()
    upstream.fault(/hello_2/, { kind: 'status', status: 404 })
    const absent = await sluice.api('POST', '/promotions', promotion)
    t.equal(absent.error.code, 'ERR_UPSTREAM_STATUS', 'upstream lists it: its mirror lags behind')
    upstream.clearFaults()
    t.match(await sluice.api('POST', '/promotions', promotion), { generation: { serial: 2 } })
  },
)

t.test('a machine gets from a fallback what upstream has no more, or has wrong', async (t) => {
  const { sluice, dir, upstream, attic, machine } = await fallbackWorld(t)
  const fallback = await startUpstream(attic)
  t.teardown(() => fallback.close())
  const change = { fallbacks: [fallback.url], rescue: false }
  await sluice.api('PATCH', '/archives/nut', change)
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  upstream.fault(/hello_1/, { kind: 'status', status: 503 }, { times: 3 })
  t.equal((await apt.download('hello')).code, 0)
  t.equal(fallback.count(), 0, 'a mirror that is only ill for a moment is asked again')
  await rm(join(dir, 'archive', poolPath(other)))
  t.same(troubles(await apt.download('other')), clean)
  t.equal(fallback.count(/other_1/), 1)
  upstream.fault(/big_1/, { kind: 'flip', offset: 200_000 })
  t.equal(
    (await apt.download('big')).code,
    0,
    'wrong bytes end the first try, the next is another server’s',
  )
  t.equal(fallback.count(/big_1/), 1)
})

const big: PackageSpec = { name: 'big', version: '1', arch: 'amd64', content: 400_000 }

async function fallbackWorld(t: Test): Promise<World & { readonly attic: string }> {
  const world = await makeWorld(t, [hello('1'), other, big])
  const attic = join(world.dir, 'attic')
  await cp(join(world.dir, 'archive'), attic, { recursive: true })
  return { ...world, attic }
}

async function metrics({ url }: TestSluice): Promise<string> {
  return (await fetch(`${url}/metrics`)).text()
}
