/**
 * Workers know what holds, however much they were told in between.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { poolPath } from '../../fixtures/debs.ts'
import { debOf, hello, inRelease, other } from '../support/hot-packages.ts'
import { ask, askPlain, openSocket } from '../support/raw-http.ts'
import { makeWorld, type World } from '../support/world.ts'

async function withWorker(t: Test): Promise<World> {
  const world = await makeWorld(t, [hello('1'), other], { start: { flags: { workers: '1' } } })
  while (world.sluice.server.workers().length < 1) await sleep(20)
  return world
}

/** Asks for `count` URLs that nobody asked for, and after each hundred for these again. */
async function askForMany(world: World, count: number, again: readonly string[]): Promise<void> {
  const { path } = await debOf(world, hello('1'))
  const directory = path.slice(0, path.lastIndexOf('/'))
  const socket = await openSocket(world.sluice.url)
  let answers = 0
  let rest = ''
  socket.on('data', (piece: Buffer) => {
    const parts = (rest + piece.toString('latin1')).split('\r\n\r\n')
    rest = parts.pop() ?? ''
    answers += parts.filter((head) => head.startsWith('HTTP/1.1 200')).length
  })
  const line = (url: string): string => `HEAD ${url} HTTP/1.1\r\nHost: sluice.example\r\n\r\n`
  for (let at = 0; at < count; at += 100) {
    const names = Array.from({ length: 100 }, (_, nth) => `${directory}/f${at + nth}.deb`)
    const wanted = answers + names.length + again.length
    socket.write([...names, ...again].map(line).join(''))
    while (answers < wanted) await once(socket, 'data')
  }
  socket.destroy()
}

t.test('what a worker was told long ago is taken back all the same', async (t) => {
  const world = await withWorker(t)
  const { sluice, upstream } = world
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  const deb = `/${new URL(upstream.url).host}/${poolPath(hello('1'))}`
  await askPlain(sluice.url, (await debOf(world, hello('1'))).path)
  for (const url of [inRelease, deb])
    for (let times = 0; times < 3; times++) await askPlain(sluice.url, url)
  await askForMany(world, 20_200, [inRelease, deb])
  const both = async (url: string) => {
    const worker = await askPlain(sluice.url, url)
    const main = await ask(sluice.url, `GET ${url} HTTP/1.1`)
    t.ok(worker.body.equals(main.body), url)
    return [worker.status, main.status]
  }
  await world.publish([hello('2'), other])
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  t.same(await both(inRelease), [200, 200])
  const withLogin = upstream.url.replace('://', '://joe:secret@')
  await sluice.api('PATCH', '/archives/nut', { urls: [withLogin] })
  t.same(await both(deb), [401, 401])
  for (const channel of ['approved', 'testing']) await sluice.api('DELETE', `/channels/${channel}`)
  t.same(await both(inRelease), [404, 404])
})
