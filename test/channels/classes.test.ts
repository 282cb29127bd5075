/**
 * Classes of machines, told by a real apt: moved from channel to channel under one URL and one key.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { caughtUp, machineAt } from '../support/based.ts'
import { run } from '../support/run.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })

/** A world whose testing has hello 2 and approved has hello 1. */
async function makeStages(t: Test): Promise<World> {
  const world = await makeWorld(t, [hello('1')])
  await world.publish([hello('2')])
  await world.sluice.api('POST', '/archives/refresh')
  return world
}

t.test('a class is moved from approved to testing and back; its machines follow', async (t) => {
  const { dir, sluice } = await makeStages(t)
  const { api, url } = sluice
  const made = await api('POST', '/classes', { name: 'web', channel: 'approved' })
  t.match(made, { name: 'web', head: 1, base: { channel: 'approved', isBehind: false } })
  const apt = await machineAt(join(dir, 'web'), sluice, 'class/web')
  const dates: number[] = []
  const follow = async (version: string): Promise<void> => {
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('hello')).candidate, version)
    const response = await fetch(`${url}/class/web/nut/dists/stable/InRelease`)
    dates.push(Date.parse(response.headers.get('last-modified') ?? ''))
  }
  await follow('1')
  const moved = await api('PATCH', '/classes/web', { channel: 'testing', reason: 'new hello' })
  t.match(moved, { head: 2, move: { before: 'approved', channel: 'testing', serial: 2, lost: [] } })
  await follow('2')
  await api('PATCH', '/classes/web', { channel: 'approved' })
  await follow('1')
  t.same(
    [...dates].sort((a, b) => a - b),
    dates,
    'the Date only goes up',
  )
  t.equal(new Set(dates).size, 3)

  const late = await machineAt(join(dir, 'late'), sluice, 'class/web@2')
  t.same(troubles(await late.update()), clean)
  t.equal((await late.policy('hello')).candidate, '2', 'what it published before is still there')
  t.match(await api('GET', '/classes/web/history'), [
    { serial: 3, kind: 'move', why: 'from testing to approved', isHead: true },
    { serial: 2, kind: 'move', why: 'new hello' },
    { serial: 1, kind: 'create' },
  ])
  const audit = await api('GET', '/audit?limit=100')
  t.match(
    audit.find((row: { what: string }) => row.what === 'class set'),
    { object: 'class web', detail: { before: 'testing', base: 'approved' } },
  )
  t.same((await api('POST', '/verify', {})).problems, [])
})

t.test('a class follows its channel by itself, through promotion and rollback', async (t) => {
  const { dir, sluice } = await makeStages(t)
  const { api } = sluice
  await api('POST', '/classes', { name: 'web', channel: 'approved' })
  const apt = await machineAt(join(dir, 'web'), sluice, 'class/web')
  await api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  await caughtUp(sluice, 'class/web')
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '2')
  await api('POST', '/channels/approved/rollback', { to: '1' })
  await caughtUp(sluice, 'class/web')
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '1')
})

t.test('a class is no channel: it has a key of its own, and takes no changes', async (t) => {
  const { dir, sluice } = await makeStages(t)
  const { api, url } = sluice
  await api('POST', '/classes', { name: 'approved', channel: 'approved' })
  const keys = await Promise.all(
    ['class/approved', 'channels/approved'].map(async (path) =>
      (await fetch(`${url}/${path}/key.asc`)).text(),
    ),
  )
  t.match(keys[0], /BEGIN PGP PUBLIC KEY BLOCK/)
  t.not(keys[0], keys[1])
  const channels: { name: string }[] = await api('GET', '/channels')
  t.same(
    channels.map((one) => one.name),
    ['testing', 'approved'],
  )
  t.equal((await api('GET', '/channels/class%2Fapproved')).error.code, 'ERR_NOT_FOUND')
  const refused = await Promise.all([
    api('POST', '/promotions', { from: 'testing', to: 'class/approved', all: true }),
    api('POST', '/holds', { channel: 'class/approved', source: 'hello' }),
    api('POST', '/channels', { name: 'new', base: 'class/approved' }),
    api('DELETE', '/channels/approved'),
  ])
  t.same(
    refused.map((one) => one.error.code),
    ['ERR_REFUSED', 'ERR_REFUSED', 'ERR_REFUSED', 'ERR_REFUSED'],
  )
  t.match(refused[3].error, {
    message: 'channel approved is what class approved is based on',
    hint: /sluice class set approved --channel CHANNEL/,
  })
  const root = join(dir, 'machine')
  const apt = await createApt(root, { sources: '' })
  const script = await (await fetch(`${url}/client/class/approved`)).text()
  const set = await run('sh', ['-c', script, 'script', '--root', root])
  t.equal(set.code, 0, set.stderr)
  t.match(set.stdout, '/etc/apt/keyrings/sluice-class_approved.asc')
  const update = await apt.run('apt-get', [
    'update',
    '-o',
    `Dir::Etc::sourceparts=${root}/etc/apt/sources.list.d`,
  ])
  t.match(update.stdout + update.stderr, /class\/approved/)
  t.same(await api('DELETE', '/classes/approved'), { deleted: 'approved' })
  t.equal((await fetch(`${url}/class/approved/key.asc`)).status, 404)
  t.same(await api('DELETE', '/channels/approved'), { deleted: 'approved' })
})

t.test("testing's signed Release served at approved's URL is refused", async (t) => {
  const { dir, sluice } = await makeStages(t)
  let isSwapped = false
  const proxy = await startProxy(t, (path) => {
    const isSigned = /\/(InRelease|Release|Release\.gpg)$/.test(path)
    const swapped = isSwapped && isSigned ? path.replace('/approved/', '/testing/') : path
    return sluice.url + swapped
  })
  const apt = await machineAt(join(dir, 'victim'), { ...sluice, url: proxy }, 'channels/approved')
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '1')
  isSwapped = true
  const refused = await apt.update()
  t.match(refused.warnings, [/repository is not updated.*NO_PUBKEY/, /NO_PUBKEY/])
  t.equal((await apt.policy('hello')).candidate, '1', 'it goes on with what it had')
  const fresh = await createApt(join(dir, 'fresh'), { sources: '' })
  const key = join(dir, 'victim', 'sluice.asc')
  await fresh.setSources(`deb [signed-by=${key}] ${proxy}/channels/approved/nut stable main`)
  const { code, errors } = await fresh.update()
  t.equal(code, 100, 'a machine that had nothing gets nothing')
  t.match(errors, [/is not signed/])
  isSwapped = false
  t.same(troubles(await apt.update()), clean)
})

/** Answers with what is at the URL that `turn` makes of the path. */
async function startProxy(t: Test, turn: (path: string) => string): Promise<string> {
  const server: Server = createServer((request, response) => {
    fetch(turn(request.url ?? '/'))
      .then(async (answer) => {
        const body = Buffer.from(await answer.arrayBuffer())
        const modified = answer.headers.get('last-modified')
        response.writeHead(answer.status, {
          'Content-Length': body.length,
          ...(modified === null ? {} : { 'Last-Modified': modified }),
        })
        response.end(body)
      })
      .catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}
