/**
 * Rows of the list of failures that users of other caches report (apt-on-the-wire.md, section 2), each by what a real apt
 * would see of it. The other rows: F1 publishing, proxy; F3, F14 corruption; F4, F9, F15, F16 misses; F7 upstream-faults,
 * silent-upstream, dead-upstream, refresh-behind; F8 re-sign, refresh-behind; F10 tunnels; F11 gc-crash, gc-races; F13 rescue,
 * lost-files; F18 relay: all `.test.ts`.
 */
import { once } from 'node:events'
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createApt, type TestApt } from '../support/apt.ts'
import { ask } from '../support/raw-http.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const hello = (version: string): PackageSpec => {
  return { name: 'hello', version, arch: 'amd64', content: 3000 }
}
const many = Array.from({ length: 30 }, (_, at): PackageSpec => {
  return { name: `some-${at}`, version: '1', arch: 'amd64', content: 1000 * (at % 7) + 10 }
})
const names = many.map(({ name }) => name)

t.test('F2: no half of an InRelease is ever put together with another', async (t) => {
  const world = await makeWorld(t, [hello('1')])
  const apt = await world.proxied('apt')
  t.same(troubles(await apt.update()), clean)
  const file = (await apt.lists()).find((name) => name.endsWith('InRelease')) ?? ''
  const old = await readFile(join(apt.listsDir, file))
  await world.publish([hello('2')])
  world.upstream.clearRequests()
  await world.sluice.api('POST', '/archives/refresh')

  // As an update leaves it that was broken off: half of the old one, by the time that it was served with.
  const release = `${world.upstream.url}/dists/stable/InRelease`
  const served = (await ask(world.sluice.url, `GET ${release} HTTP/1.1`)).headers['last-modified']
  for (const time of [new Date(served ?? 0), (await stat(join(apt.listsDir, file))).mtime]) {
    const partial = join(apt.listsDir, 'partial', file)
    await writeFile(partial, old.subarray(0, old.length / 2))
    await utimes(partial, time, time)
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('hello')).candidate, '2')
  }
  const mutable = world.upstream.requests.filter(({ path }) => /^\/dists/.test(path))
  t.ok(mutable.length > 0)
  for (const { headers, path } of mutable) t.equal(headers.range, undefined, `upstream: ${path}`)
})

t.test(
  'F5, F6: an upstream that hangs up after each answer, four machines at full depth',
  async (t) => {
    const world = await makeWorld(t, many)
    const host = new URL(world.upstream.url).host
    let requests = 0
    const rude = createServer({ keepAliveTimeout: 1 }, (request, response) => {
      requests += 1
      fetch(`${world.upstream.url}${request.url}`).then(
        async (answer) => {
          // No Content-Type, and every third is the last one of its connection without saying so.
          const data = Buffer.from(await answer.arrayBuffer())
          response.writeHead(answer.status, { 'Content-Length': data.length })
          response.end(data)
          if (requests % 3 === 0) response.once('finish', () => request.socket.destroySoon())
        },
        () => request.socket.destroy(),
      )
    })
    rude.listen(0, '127.0.0.1')
    await once(rude, 'listening')
    t.teardown(() => void rude.close())
    const address = rude.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const urls = [`http://127.0.0.1:${port}`, `http://${host}`]
    await world.sluice.api('PATCH', '/archives/nut', { urls: urls.slice(0, 1), reason: 'rude' })
    const sources = `deb [signed-by=${world.key.publicAsc}] ${urls[0]} stable main`
    const config = ['Acquire::http::Pipeline-Depth "10";', 'Debug::Acquire::http "1";']
    const machines: TestApt[] = []
    for (const name of ['a', 'b', 'c', 'd']) {
      const options = { sources, proxy: world.sluice.url, config }
      const apt = await createApt(join(world.dir, name), options)
      t.equal((await apt.update()).code, 0)
      machines.push(apt)
    }
    // Each in an order of its own, so that hits and misses come among one another.
    const runs = await Promise.all(
      machines.map((apt, at) => apt.download(...names.slice(at * 7), ...names.slice(0, at * 7))),
    )
    for (const run of runs) {
      const { code, warnings, errors, failed } = run
      t.same({ code, warnings, errors, failed }, { code: 0, warnings: [], errors: [], failed: [] })
      t.notMatch(run.output, /pipelin|fix.*queue|Bad header/i)
    }
    for (const apt of machines) t.equal((await apt.cached()).length, names.length)
  },
)

t.test('F12: what an InRelease names is there long after the next ones', async (t) => {
  const world = await makeWorld(t, [hello('1')])
  const held = await ask(
    world.sluice.url,
    `GET ${world.upstream.url}/dists/stable/InRelease HTTP/1.1`,
  )
  for (const version of ['2', '3']) {
    await world.publish([hello(version)])
    await world.sluice.api('POST', '/archives/refresh')
  }
  const text = held.body.toString()
  const [, digest] = /^ ([0-9a-f]{64}) +\d+ main\/binary-amd64\/Packages\.gz$/m.exec(text) ?? []
  const index = `${world.upstream.url}/dists/stable/main/binary-amd64/by-hash/SHA256/${digest}`
  t.equal((await ask(world.sluice.url, `GET ${index} HTTP/1.1`)).status, 200)
})

t.test('F17: what a machine logs in with stands in no file and no answer', async (t) => {
  const logPath = join(t.testdirName, '..', `access-${process.pid}.log`)
  const flags = { 'access-log': logPath, 'log-level': 'info' }
  const world = await makeWorld(t, [hello('1')], { start: { flags } })
  const { sluice, upstream, dir } = world
  const secret = 'h0peful'
  const url = upstream.url.replace('//', `//joe:${secret}@`)
  const sources = `deb [signed-by=${world.key.publicAsc}] ${url} stable main`
  const apt = await createApt(join(dir, 'machine'), { sources, proxy: sluice.url })
  t.equal((await apt.update()).code, 0)
  t.equal((await apt.install('hello')).code, 0)
  const bodies = [
    await ask(sluice.url, `GET ${url}/pool/none.deb HTTP/1.1`),
    await ask(sluice.url, `GET http://joe:${secret}@other.example/x HTTP/1.1`),
    await ask(sluice.url, `GET ${url}/%2e%2e/x HTTP/1.1`),
  ].map(({ body, reason }) => `${reason} ${body}`)
  for (const text of bodies) t.notMatch(text, secret)
  t.notMatch(JSON.stringify(await sluice.api('GET', '/archives')), secret)
  await sluice.close()
  t.match(await readFile(logPath, 'utf8'), /GET .*InRelease/)
  const data = join(dir, 'var')
  const files = await readdir(data, { recursive: true, withFileTypes: true })
  const forms = [secret, Buffer.from(`joe:${secret}`).toString('base64')]
  const paths = files.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name))
  for (const path of [logPath, ...paths]) {
    const text = await readFile(path)
    for (const form of forms) t.notOk(text.includes(form), path.slice(data.length))
  }
})

t.test('F19: machines are served while all else is written', async (t) => {
  const world = await makeWorld(t, [hello('1'), ...many])
  const { sluice } = world
  const proxied = await world.proxied('proxied')
  const onChannel = await world.machine('channel', 'testing')
  for (const apt of [proxied, onChannel]) t.same(troubles(await apt.update()), clean)
  const more = { over: false }
  const writes = async (): Promise<void> => {
    for (const version of ['2', '3']) {
      await world.publish([hello(version), ...many])
      const done = await Promise.all([
        sluice.api('POST', '/archives/refresh'),
        sluice.api('POST', '/verify', { deep: true }),
        sluice.api('POST', '/gc', {}),
      ])
      for (const one of done) t.notMatch(JSON.stringify(one), /locked|SQLITE_BUSY/)
      const all = { from: 'testing', to: 'approved', all: true }
      t.notMatch(JSON.stringify(await sluice.api('POST', '/promotions', all)), /locked/)
    }
    more.over = true
  }
  const reads = async (apt: TestApt): Promise<void> => {
    while (!more.over) {
      t.same(troubles(await apt.update()), clean)
      const run = await apt.download('hello', ...names.slice(0, 5))
      t.same({ code: run.code, errors: run.errors }, { code: 0, errors: [] })
    }
  }
  await Promise.all([writes(), reads(proxied), reads(onChannel)])
})

t.test('F20: nothing is packed on its way, whatever a client offers to unpack', async (t) => {
  const world = await makeWorld(t, [hello('1')])
  const paths = ['dists/stable/InRelease', 'pool/main/h/hello/hello_1_amd64.deb']
  for (const path of paths) {
    const line = `GET ${world.upstream.url}/${path} HTTP/1.1`
    const answer = await ask(world.sluice.url, line, ['Accept-Encoding: gzip, br, zstd'])
    t.equal(answer.headers['content-encoding'], undefined)
    t.ok(answer.body.equals(await readFile(join(world.dir, 'archive', path))), path)
  }
  for (const { headers } of world.upstream.requests) {
    t.equal(headers['accept-encoding'], 'identity')
  }
})
