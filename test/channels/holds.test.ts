/**
 * Holds: what a channel keeps is not promoted over, nor followed away, until somebody says so.
 */
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { caughtUp } from '../support/based.ts'
import { makeWorld, type World } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const toApproved = { from: 'testing', to: 'approved' }

async function makeHeld(t: Test): Promise<World> {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const { api } = world.sluice
  await api('POST', '/holds', { channel: 'approved', source: 'hello', reason: 'breaks our shop' })
  await world.publish([pack('hello', '2'), pack('other', '2')])
  await api('POST', '/archives/refresh')
  return world
}

t.test('a curated channel takes no promotion of what it holds, unless it is forced', async (t) => {
  const { sluice } = await makeHeld(t)
  const { api } = sluice
  const named = { ...toApproved, sources: [{ name: 'hello' }] }
  const refused = await api('POST', '/promotions', named)
  t.match(refused.error, {
    code: 'ERR_REFUSED',
    message: 'hello is held in channel approved',
    hint: /sluice unhold hello --channel approved, or --force/,
  })
  t.match((await api('GET', '/pending')).pending, [
    { source: 'hello', note: 'held' },
    { source: 'other', note: undefined },
  ])
  const all = await api('POST', '/promotions', { ...toApproved, all: true })
  t.match(all, {
    changes: [{ source: 'other', old: ['1'], new: ['2'] }],
    leftOut: [{ source: 'hello', reason: 'held' }],
  })
  const forced = await api('POST', '/promotions', { ...named, force: true, reason: 'urgent' })
  t.match(forced, { changes: [{ source: 'hello', new: ['2'] }], leftOut: [] })
  t.match(await api('GET', '/audit?limit=1'), [
    { what: 'promote', why: 'urgent', detail: { forced: ['hello'] } },
  ])
  t.match(await api('GET', '/holds'), [
    { channel: 'approved', source: 'hello', new: ['2'], who: 'admin' },
  ])
  await api('DELETE', '/holds', { channel: 'approved', source: 'hello', reason: 'mended' })
  t.same(await api('GET', '/holds'), [])
  t.match(await api('GET', '/audit?limit=1'), [{ what: 'unhold', why: 'mended' }])
})

t.test(
  'a derived channel refuses what would not last, and keeps an old version by force',
  async (t) => {
    const { sluice, publish } = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
    const { api } = sluice
    await publish([pack('hello', '2'), pack('other', '1')])
    await api('POST', '/archives/refresh')
    await api('POST', '/promotions', { ...toApproved, all: true })
    await api('POST', '/channels', { name: 'web', base: 'approved' })
    const old = { from: 'approved@1', to: 'web', sources: [{ name: 'hello' }] }
    t.match((await api('POST', '/promotions', old)).error, {
      code: 'ERR_REFUSED',
      message: /^web has by what it is based on what is as new as hello 1/,
      hint: /sluice hold hello --channel web, then promote it with --force/,
    })
    await api('POST', '/holds', { channel: 'web', source: 'hello' })
    t.match(await api('POST', '/promotions', { ...old, force: true }), {
      generation: { serial: 2 },
    })
    await publish([pack('hello', '3'), pack('other', '1')])
    await api('POST', '/archives/refresh')
    await api('POST', '/promotions', { ...toApproved, all: true })
    await caughtUp(sluice, 'web')
    const differing = await api('GET', '/diff?from=approved&to=web')
    t.match(differing.changes, [{ source: 'hello', old: ['3'], new: ['1'] }])
  },
)

t.test('a removal lasts until the base has something newer', async (t) => {
  const { sluice, publish } = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const { api } = sluice
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  await publish([pack('other', '1')])
  await api('POST', '/archives/refresh')
  const gone = { from: 'testing', to: 'web', sources: [{ name: 'hello' }], removals: true }
  t.match(await api('POST', '/promotions', gone), { changes: [{ source: 'hello', new: [] }] })
  t.match(await api('GET', '/channels/web'), { packages: 1, pins: [{ source: 'hello', new: [] }] })
  t.match(await api('GET', '/channels/approved'), { packages: 2 })
  await publish([pack('hello', '2'), pack('other', '1')])
  await api('POST', '/archives/refresh')
  await api('POST', '/promotions', { ...toApproved, all: true })
  await caughtUp(sluice, 'web')
  t.match(await api('GET', '/channels/web'), { packages: 2, pins: [] })
})

t.test('what cannot be held is told', async (t) => {
  const { sluice } = await makeWorld(t, [pack('hello', '1')])
  const { api } = sluice
  const answers = await Promise.all([
    api('POST', '/holds', { channel: 'testing', source: 'hello' }),
    api('POST', '/holds', { channel: 'approved', source: 'hallo' }),
    api('POST', '/holds', { channel: 'nowhere', source: 'hello' }),
    api('DELETE', '/holds', { channel: 'approved', source: 'hello' }),
  ])
  t.match(
    answers.map((one) => one.error),
    [
      { code: 'ERR_REFUSED', hint: /sluice channel create NAME --base testing/ },
      { code: 'ERR_NOT_FOUND', message: 'no archive has a source package hallo' },
      { code: 'ERR_NOT_FOUND' },
      { code: 'ERR_NOT_FOUND', message: 'hello is not held in channel approved' },
    ],
  )
})

interface Gate {
  readonly url: string
  /** Resolves when somebody has asked for what waits. */
  readonly asked: Promise<void>
  readonly open: () => void
}

/** A mirror that gives files of such names only when it is told to. */
async function makeGate(t: Test, dir: string, name: RegExp): Promise<Gate> {
  const [asked, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(request.url ?? '')
    if (name.test(path)) {
      asked.resolve()
      await opened.promise
    }
    const file = createReadStream(join(dir, path))
    file.on('error', () => response.writeHead(404).end())
    file.pipe(response)
  })
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, asked: asked.promise, open: opened.resolve }
}

t.test('what is held while files of its promotion are on their way stays as it is', async (t) => {
  const gate = await makeGate(t, join(t.testdirName, 'archive'), /(hello|other)_2/)
  const settings = { urls: [gate.url] }
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')], { settings })
  const { api } = world.sluice
  await world.publish([pack('hello', '2'), pack('other', '2')])
  await api('POST', '/archives/refresh')
  const promoting = api('POST', '/promotions', { ...toApproved, all: true })
  await gate.asked
  await api('POST', '/holds', { channel: 'approved', source: 'hello', reason: 'breaks our shop' })
  gate.open()
  t.match(await promoting, {
    changes: [{ source: 'other', new: ['2'] }],
    leftOut: [{ source: 'hello', reason: 'held' }],
  })
  t.match(await api('GET', '/holds'), [{ source: 'hello', new: ['1'], why: 'breaks our shop' }])
})

t.test('what is promoted to is what was there when it was asked, not its successor', async (t) => {
  const gate = await makeGate(t, join(t.testdirName, 'archive'), /hello_2/)
  const settings = { urls: [gate.url] }
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')], { settings })
  const { api } = world.sluice
  await world.publish([pack('hello', '2'), pack('other', '1')])
  await api('POST', '/archives/refresh')
  const promoting = api('POST', '/promotions', { ...toApproved, all: true })
  await gate.asked
  await api('DELETE', '/channels/approved')
  await api('POST', '/channels', { name: 'approved', follow: ['nut'] })
  gate.open()
  t.match((await promoting).error, { code: 'ERR_REFUSED' })
  t.match(await api('GET', '/channels/approved/history'), [{ serial: 1, kind: 'create' }])
})

t.test('what is declined while its files are on their way does not come', async (t) => {
  const gate = await makeGate(t, join(t.testdirName, 'archive'), /(hello|other)_2/)
  const settings = { urls: [gate.url] }
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')], { settings })
  const { api } = world.sluice
  await world.publish([pack('hello', '2'), pack('other', '2')])
  await api('POST', '/archives/refresh')
  const promoting = api('POST', '/promotions', { ...toApproved, all: true })
  await gate.asked
  await api('POST', '/declines', { channel: 'approved', source: 'hello', version: '2' })
  gate.open()
  t.match(await promoting, {
    changes: [{ source: 'other', new: ['2'] }],
    leftOut: [{ source: 'hello', reason: 'declined' }],
  })
})
