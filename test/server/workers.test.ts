/**
 * Several processes that answer hits on one port: what they send is what the main process would, changes are seen at once, and
 * one that dies under load troubles no apt.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { debOf, hello, inRelease, other } from '../support/hot-packages.ts'
import { ask, askPlain, openSocket, type RawAnswer, sendRaw } from '../support/raw-http.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const large: PackageSpec = { name: 'large', version: '1', arch: 'all', content: 900_000 }

/** A world whose workers are there. */
async function withWorkers(t: Test, packages: readonly PackageSpec[]): Promise<World> {
  const world = await makeWorld(t, packages, {
    start: { flags: { workers: '2' }, patience: { drainMs: 3600_000 } },
  })
  while (world.sluice.server.workers().length < 2) await sleep(20)
  return world
}

const get = ({ sluice }: World, path: string, headers?: string): Promise<RawAnswer> =>
  askPlain(sluice.url, path, headers)

/** Bytes that the workers have written. */
async function writtenBy({ sluice }: World): Promise<number> {
  const files = sluice.server.workers().map((pid) => readFile(`/proc/${pid}/io`, 'utf8'))
  const found = (await Promise.all(files)).map((text) => /^wchar: (\d+)$/m.exec(text)?.[1])
  return found.reduce((sum, bytes) => sum + Number(bytes), 0)
}

async function hitsOf({ sluice }: World): Promise<number> {
  const metrics = await (await fetch(`${sluice.url}/metrics`)).text()
  return Number(/^sluice_files_total\{outcome="hit"\} (\d+)$/m.exec(metrics)?.[1])
}

t.test('apt finds no difference, and its requests are counted', async (t) => {
  const world = await withWorkers(t, [hello('1'), other, large])
  for (const name of ['first', 'second']) {
    const direct = await world.machine(name, 'approved')
    t.same(troubles(await direct.update()), clean)
    t.same(troubles(await direct.download('hello', 'other', 'large')), clean)
    const proxied = await world.proxied(`${name}-proxied`)
    t.same(troubles(await proxied.update()), clean)
    t.same(troubles(await proxied.download('hello', 'large')), clean)
  }
  t.equal(world.upstream.count(/large_/), 1)
  const { path, bytes } = await debOf(world, large)
  for (let times = 0; times < 3; times++) await get(world, path)
  const before = await hitsOf(world)
  const written = await writtenBy(world)
  for (let at = 0; at < 20; at++) t.ok((await get(world, path)).body.equals(bytes))
  while ((await hitsOf(world)) < before + 20) await sleep(20)
  t.pass('what workers sent is counted')
  t.ok((await writtenBy(world)) - written >= 20 * bytes.length, 'it was they who sent it')
  const { clients } = await world.sluice.api('GET', '/channels/approved/clients')
  t.ok(JSON.stringify(clients).includes('127.0.0.1'))
})

t.test('a package that is here is sent by the worker that is asked for it first', async (t) => {
  const world = await withWorkers(t, [large])
  const { path, bytes } = await debOf(world, large)
  await get(world, path)
  await world.publish([large, other])
  await world.sluice.api('POST', '/archives/refresh')
  const written = await writtenBy(world)
  t.ok((await get(world, path)).body.equals(bytes))
  t.ok((await writtenBy(world)) - written >= bytes.length)
})

t.test('answers of workers are those of the main process', async (t) => {
  const world = await withWorkers(t, [hello('1'), large])
  const paths = [inRelease, (await debOf(world, hello('1'))).path, (await debOf(world, large)).path]
  for (const path of paths) {
    for (let times = 0; times < 3; times++) await get(world, path)
    const main = await ask(world.sluice.url, `GET ${path} HTTP/1.1`)
    const since = `If-Modified-Since: ${main.headers['last-modified']}\r\n`
    const worker = await get(world, path)
    const { connection: _, date: __, ...said } = main.headers
    const { connection: ___, date: ____, 'keep-alive': _____, ...worked } = worker.headers
    t.same(worked, said)
    t.ok(worker.body.equals(main.body))
    t.equal((await get(world, path, since)).status, 304)
    const part = await get(world, path, 'Range: bytes=10-19\r\n')
    t.equal(part.status, path === inRelease ? 200 : 206, 'parts are left to the main process')
  }
})

t.test('hundreds of requests in a row, of which some are for the main process', async (t) => {
  const world = await withWorkers(t, [hello('1'), other, large])
  const [small, big] = [await debOf(world, hello('1')), await debOf(world, large)]
  for (const path of [small.path, big.path, inRelease, inRelease, small.path])
    await get(world, path)
  const known = (path: string) => `GET ${path} HTTP/1.1\r\nHost: sluice.example\r\n\r\n`
  const rounds = 30
  const row = [small.path, big.path, inRelease, small.path, '/healthz', small.path]
  const requests = Array.from({ length: rounds }, () => row.map(known).join(''))
  const last = `GET ${small.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
  for (const skip of [0, 4]) {
    // The second time without what goes over at once.
    const text = skip === 0 ? requests : requests.map((one) => one.replace(known('/healthz'), ''))
    const answers = await sendRaw(world.sluice.url, text.join('') + last)
    const own = skip === 0 ? row : row.filter((path) => path !== '/healthz')
    t.equal(answers.length, own.length * rounds + 1)
    const wrong = answers.slice(0, -1).filter(({ status, body }, at) => {
      const path = own[at % own.length]
      if (path === small.path) return !body.equals(small.bytes)
      if (path === big.path) return !body.equals(big.bytes)
      return status !== 200
    })
    t.equal(wrong.length, 0)
  }
})

t.test('what a client sends while its connection goes over is not lost', async (t) => {
  const world = await withWorkers(t, [hello('1')])
  const { path } = await debOf(world, hello('1'))
  await get(world, path)
  const line = (what: string): string => `GET ${what} HTTP/1.1\r\nHost: sluice.example\r\n\r\n`
  for (let round = 0; round < 60; round++) {
    const socket = (await openSocket(world.sluice.url)).setNoDelay(true)
    const pieces: Buffer[] = []
    const count = (): number =>
      Buffer.concat(pieces).toString('latin1').split('HTTP/1.1 200 OK').length - 1
    socket.on('data', (piece: Buffer) => pieces.push(piece))
    socket.write(line(path))
    while (count() < 1) await once(socket, 'data')
    socket.write(line('/healthz'))
    for (let at = 0; at < 8; at++) {
      // Each by itself, a little later than the one before.
      for (let turns = 0; turns < 4 * at; turns++) await new Promise((go) => setImmediate(go))
      socket.write(line(path))
    }
    while (count() < 10) await once(socket, 'data')
    socket.destroy()
  }
  t.pass('all were answered')
})

t.test('a change is seen by the next request to any of them', async (t) => {
  const world = await withWorkers(t, [hello('1'), other])
  const { sluice } = world
  const dateOf = async (): Promise<Set<string>> => {
    const all = await Promise.all(Array.from({ length: 8 }, () => get(world, inRelease)))
    return new Set(all.map(({ body }) => /^Date: .*$/m.exec(body.toString())?.[0] ?? 'none'))
  }
  await dateOf()
  const seen = await dateOf()
  t.equal(seen.size, 1)
  for (let version = 2; version < 5; version++) {
    await world.publish([hello(String(version)), other])
    await sluice.api('POST', '/archives/refresh')
    await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
    const now = await dateOf()
    t.equal(now.size, 1)
    for (const date of now) t.notOk(seen.has(date), date)
    for (const date of now) seen.add(date)
  }
  const { path } = await debOf(world, other)
  for (let times = 0; times < 4; times++) t.equal((await get(world, path)).status, 200)
  await sluice.api('DELETE', '/channels/approved')
  await sluice.api('DELETE', '/channels/testing')
  t.equal((await get(world, path)).status, 404)
  t.equal((await get(world, inRelease)).status, 404)
})

t.test('workers that are killed under load are started again, and apt finds its way', async (t) => {
  const world = await withWorkers(t, [hello('1'), other, large])
  const apt = await world.machine('machine', 'approved')
  const { path, bytes } = await debOf(world, large)
  let isOver = false
  const whole = Array.from({ length: 6 }, () => 0)
  const load = whole.map(async (_, at) => {
    while (!isOver) {
      const answer = await get(world, path).catch(() => undefined)
      if (answer?.body.equals(bytes)) whole[at] = (whole[at] ?? 0) + 1
      else await sleep(5)
    }
  })
  const killed = new Set<number>()
  // Not without end: apt asks again for what broke off three times at most.
  const killing = (async () => {
    while (!isOver && killed.size < 6) {
      const [pid] = world.sluice.server.workers()
      if (pid !== undefined && !killed.has(pid)) {
        killed.add(pid)
        process.kill(pid, 'SIGKILL')
      }
      await sleep(400)
    }
  })()
  for (let times = 0; times < 3 || killed.size < 2; times++) {
    t.equal((await apt.update()).code, 0)
    t.equal((await apt.download('hello', 'other', 'large')).code, 0)
  }
  while (whole.includes(0)) await sleep(20)
  isOver = true
  await Promise.all([killing, ...load])
  while (world.sluice.server.workers().length < 2) await sleep(20)
  t.ok((await get(world, path)).body.equals(bytes))
  await world.sluice.close()
  t.same(world.sluice.server.workers(), [])
})
