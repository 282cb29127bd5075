/**
 * Revoking a version: out of every channel at once, its files gone under every path, and refused whichever way it would come.
 */
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { caughtUp, machineAt } from '../support/based.ts'
import { ask as askRaw, type RawAnswer } from '../support/raw-http.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const toApproved = { from: 'testing', to: 'approved' }
const hello = { ...toApproved, sources: [{ name: 'hello' }] }
const bad = { name: 'hello', version: '2', reason: 'it eats disks' }
const why = /^sluice: hello 2 was revoked: it eats disks\n/

async function upstreamHas(world: World, ...packages: PackageSpec[]): Promise<void> {
  await world.publish(packages)
  await world.sluice.api('POST', '/archives/refresh')
}

/** A world in which `testing`, `approved`, `web` (based on it) and the class `shop` have hello 2, which was 1 before. */
async function withBad(t: Parameters<typeof makeWorld>[0], flags = {}): Promise<World> {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')], { start: { flags } })
  const { api } = world.sluice
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  await api('POST', '/classes', { name: 'shop', channel: 'web' })
  await upstreamHas(world, pack('hello', '2'), pack('other', '1'))
  await api('POST', '/promotions', { ...toApproved, all: true })
  for (const channel of ['web', 'class/shop']) await caughtUp(world.sluice, channel)
  return world
}

async function indexOf({ sluice }: World, channel: string): Promise<string> {
  const root = channel.startsWith('class/') ? channel : `channels/${channel}`
  const path = `/${root}/nut/dists/stable/main/binary-amd64/Packages.gz`
  const answer = await fetch(`${sluice.url}${path}`)
  return gunzipSync(await answer.arrayBuffer()).toString()
}

const ask = (url: string, method: string, path: string, headers?: string[]): Promise<RawAnswer> =>
  askRaw(url, `${method} ${path} HTTP/1.1`, headers)

/** `hello 1`, of each package that the channel offers. */
async function offers(world: World, channel: string): Promise<string[]> {
  const text = await indexOf(world, channel)
  return [...text.matchAll(/^Package: (.+)\n(?:.+\n)*?Version: (.+)$/gm)].map(
    ([, name, version]) => `${name} ${version}`,
  )
}

/** Every URL under which the file of hello 2 is. */
async function pathsOfBad(world: World): Promise<string[]> {
  const file = /^Filename: (.*hello_2_amd64.deb)$/m.exec(await indexOf(world, 'approved'))?.[1]
  const pool = poolPath(pack('hello', '2'))
  const { host } = new URL(world.upstream.url)
  return [
    ...['testing', 'approved', 'web', 'approved@1', 'approved@2'].map(
      (channel) => `/channels/${channel}/nut/${file}`,
    ),
    `/class/shop/nut/${file}`,
    `${world.upstream.url}/${pool}`,
    `/${host}/${pool}`,
    `/HTTPS///${host}/${pool}`,
  ]
}

t.test(
  'a revoked version is out of all channels, and its files are gone under every path',
  async (t) => {
    const world = await withBad(t)
    const { sluice, dir } = world
    const { api } = sluice
    const paths = (await pathsOfBad(world)).filter((path) => !path.includes('HTTPS'))
    // Twice, so that all that is remembered of hits is.
    for (const path of [...paths, ...paths]) {
      t.match(await ask(sluice.url, 'GET', path), { status: 200 }, path)
    }
    const late = await machineAt(join(dir, 'late'), sluice, 'channels/approved')
    t.same(troubles(await late.update()), clean)

    const revoked = await api('POST', '/revocations', bad)
    t.match(revoked, {
      name: 'hello',
      version: '2',
      files: 1,
      doneAt: Number,
      channels: [
        { channel: 'testing', kind: 'following', offers: [], earlier: { version: '1' } },
        {
          channel: 'approved',
          before: 2,
          serial: 3,
          offers: [],
          earlier: { version: '1', serial: 1 },
        },
        { channel: 'web', kind: 'derived', base: 'approved' },
        { channel: 'class/shop', kind: 'class' },
      ],
    })
    for (const channel of ['testing', 'approved', 'web', 'class/shop'])
      t.same(await offers(world, channel), ['other 1'], channel)
    for (const path of await Promise.all(paths)) {
      const answer = await ask(sluice.url, 'GET', path)
      t.match(answer, { status: 410 }, path)
      t.match(answer.body.toString(), why, path)
      t.match(await ask(sluice.url, 'HEAD', path), { status: 410 }, path)
      t.match(await ask(sluice.url, 'GET', path, ['Range: bytes=0-9']), { status: 410 }, path)
    }
    // What was signed stays as it was.
    t.same(await offers(world, 'approved@2'), ['hello 2', 'other 1'])
    const tried = await late.install('hello')
    t.not(tried.code, 0)
    t.match(tried.output, /410 +hello 2 was revoked: it eats disks/)
    t.same(troubles(await late.update()), clean)
    t.equal((await late.policy('hello')).candidate, undefined)

    const audit: { object: string; who: string; why: string }[] = await api(
      'GET',
      '/audit?what=revoke',
    )
    // What is based on a channel may have followed it by itself before.
    const objects = audit.map(({ object }) => object).filter((one) => !/web|shop/.test(one))
    t.same(objects.sort(), [
      'channel approved generation 3',
      'channel testing generation 3',
      'hello 2',
    ])
    for (const { who, why } of audit) t.match({ who, why }, { who: 'admin', why: /it eats disks$/ })
    t.match(await api('GET', '/revocations'), [{ ...{ name: 'hello', version: '2' }, files: 1 }])
    const shown = await api('GET', '/channels/approved')
    t.match(shown, { keptFiles: { lost: { files: 0 } }, lostFiles: [] })
    t.same((await api('POST', '/verify', { deep: true })).problems, [])
    await api('POST', '/gc', {})
    t.same((await api('POST', '/verify', {})).problems, [])
  },
)

t.test('it does not come back, whichever way it would', async (t) => {
  const world = await withBad(t)
  const { api } = world.sluice
  await api('POST', '/revocations', bad)
  await api('POST', '/archives/refresh')
  await upstreamHas(world, pack('hello', '2'), pack('other', '2'))
  t.same(await offers(world, 'testing'), ['other 2'], 'not by a refresh')
  const old = { ...hello, from: 'approved@2' }
  for (const force of [false, true]) {
    t.match((await api('POST', '/promotions', { ...old, force })).error, {
      code: 'ERR_REFUSED',
      message: 'hello 2 was revoked: it eats disks',
      hint: /sluice revoke --undo hello=2/,
    })
  }
  t.match(await api('POST', '/promotions', { ...old, sources: undefined, all: true }), {
    changes: [],
    leftOut: [{ source: 'hello', reason: 'revoked' }],
  })
  await api('POST', '/channels', { name: 'copy', from: 'approved@2' })
  t.same(await offers(world, 'copy'), ['other 1'], 'not by a copy')
  const back = await api('POST', '/channels/approved/rollback', { to: 2 })
  t.match(back.error ?? back, {})
  t.same(await offers(world, 'approved'), ['other 1'], 'not by a rollback')
  await api('POST', '/channels/approved/rollback', { to: 1 })
  t.same(await offers(world, 'approved'), ['hello 1', 'other 1'])
  await caughtUp(world.sluice, 'web')
  t.same(await offers(world, 'web'), ['hello 1', 'other 1'])
  await upstreamHas(world, pack('hello', '3'), pack('other', '2'))
  t.same(await offers(world, 'testing'), ['hello 3', 'other 2'])
  t.match(await api('POST', '/promotions', hello), { changes: [{ old: ['1'], new: ['3'] }] })
  t.same((await api('POST', '/verify', {})).problems, [])
})

t.test('what was revoked by mistake comes back', async (t) => {
  const world = await withBad(t)
  const { sluice, dir } = world
  const { api } = sluice
  const [path = ''] = await pathsOfBad(world)
  const { body } = await ask(sluice.url, 'GET', path)
  await api('POST', '/revocations', bad)
  t.match(await ask(sluice.url, 'GET', path), { status: 410 })
  t.match((await api('DELETE', '/revocations', { ...bad, version: '7' })).error, {
    code: 'ERR_NOT_FOUND',
    hint: 'sluice revoke --list',
  })
  const undone = await api('DELETE', '/revocations', { ...bad, reason: 'it was another' })
  t.match(undone, { channels: [{ channel: 'testing', changes: [{ new: ['2'] }] }] })
  t.same(await api('GET', '/revocations'), [])
  const again = await ask(sluice.url, 'GET', path)
  t.equal(again.status, 200)
  t.ok(again.body.equals(body))
  t.same(await offers(world, 'approved'), ['other 1'])
  t.match(await api('POST', '/promotions', hello), { changes: [{ old: [], new: ['2'] }] })
  const apt = await machineAt(join(dir, 'one'), sluice, 'channels/approved')
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.install('hello')).code, 0)
  t.match((await api('GET', '/audit?what=revoke+undo')) as object[], [{ why: 'it was another' }])
})

t.test('a source means all that was built from it; a binary package itself alone', async (t) => {
  const built = (name: string, version: string, sourceVersion: string): PackageSpec => ({
    ...pack(name, version),
    source: 'tools',
    sourceVersion,
  })
  const first = [built('tool-a', '1:2', '5'), built('tool-b', '5+b1', '5'), pack('other', '1')]
  const world = await makeWorld(t, first)
  const { api } = world.sluice
  const reason = 'bad'
  t.match(await api('POST', '/revocations', { name: 'tool-b', version: '5+b1', reason }), {
    channels: [{ removed: [{ package: 'tool-b' }] }, { removed: [{ package: 'tool-b' }] }],
    files: 1,
  })
  t.same(await offers(world, 'approved'), ['other 1', 'tool-a 1:2'])
  t.match(await api('POST', '/revocations', { name: 'tools', version: '5', reason }), {
    channels: [{ removed: [{ package: 'tool-a' }] }, { removed: [{ package: 'tool-a' }] }],
  })
  t.match(await api('GET', '/revocations'), [
    { name: 'tool-b', files: 1 },
    { name: 'tools', files: 2 },
  ])
  t.same(await offers(world, 'testing'), ['other 1'])
  await api('DELETE', '/revocations', { name: 'tools', version: '5', reason })
  t.same(await offers(world, 'testing'), ['other 1', 'tool-a 1:2'], 'tool-b is revoked for itself')
})

t.test('what nobody has is refused when it comes', async (t) => {
  const world = await makeWorld(t, [pack('hello', '1')])
  const { api } = world.sluice
  t.match(await api('POST', '/revocations', bad), { channels: [], files: 0 })
  await upstreamHas(world, pack('hello', '1'), pack('hello', '2'))
  t.same(await offers(world, 'testing'), ['hello 1'])
  const { host } = new URL(world.upstream.url)
  const answer = await ask(world.sluice.url, 'GET', `/${host}/${poolPath(pack('hello', '2'))}`)
  t.match(answer, { status: 410 })
  t.match(await api('GET', '/revocations'), [{ files: 1 }])
})

t.test('a derived channel has what its base has, when its own promotion is revoked', async (t) => {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const { sluice } = world
  const { api } = sluice
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  await upstreamHas(world, pack('hello', '2'), pack('other', '1'))
  await api('POST', '/promotions', { ...hello, to: 'web' })
  t.same(await offers(world, 'web'), ['hello 2', 'other 1'])
  t.match(await api('POST', '/revocations', bad), {
    channels: [{ channel: 'testing' }, { channel: 'web', offers: ['1'] }],
  })
  t.same(await offers(world, 'web'), ['hello 1', 'other 1'])
  t.match(await api('GET', '/channels/web'), { pins: [] })
})

t.test('what cannot be revoked is told', async (t) => {
  const { sluice } = await makeWorld(t, [pack('hello', '1')])
  const { api } = sluice
  for (const wrong of [
    { name: 'hello', version: '2' },
    { ...bad, version: '2 3' },
    { ...bad, name: '../x' },
    { ...bad, reason: ' ' },
    { ...bad, reason: 'two\nlines' },
  ])
    t.match((await api('POST', '/revocations', wrong)).error, { code: 'ERR_USAGE' })
  t.same(await api('GET', '/revocations'), [])
})

t.test('a held version is revoked all the same, and its hold is told', async (t) => {
  const world = await withBad(t)
  const { sluice } = world
  const { api } = sluice
  for (const channel of ['approved', 'web'])
    await api('POST', '/holds', { channel, source: 'hello' })
  const { channels } = await api('POST', '/revocations', bad)
  t.match(
    new Map(channels.map((one: { channel: string; held: string[] }) => [one.channel, one.held])),
    new Map([
      ['approved', ['hello']],
      ['web', ['hello']],
      ['testing', []],
    ]),
  )
  for (const channel of ['testing', 'approved', 'web', 'class/shop'])
    t.same(await offers(world, channel), ['other 1'], channel)
  await upstreamHas(world, pack('hello', '3'), pack('other', '1'))
  t.match((await api('POST', '/promotions', hello)).error, { message: /held/ })
  for (const channel of ['approved', 'web'])
    await api('DELETE', '/holds', { channel, source: 'hello' })
  t.match(await api('POST', '/promotions', hello), { changes: [{ old: [], new: ['3'] }] })
  for (const channel of ['web', 'class/shop']) await caughtUp(sluice, channel)
  t.same(await offers(world, 'class/shop'), ['hello 3', 'other 1'])
})
