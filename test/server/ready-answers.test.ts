/**
 * Hits out of memory: whatever is changed, found damaged or forbidden is seen by the very next request, and what is sent does
 * not depend on whether it was asked for before.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { debOf, hello, inRelease, other } from '../support/hot-packages.ts'
import { ask, type RawAnswer, readAnswers, sendRaw } from '../support/raw-http.ts'
import { makeWorld, type World } from '../support/world.ts'

const large: PackageSpec = { name: 'large', version: '1', arch: 'all', content: 400_000 }

/** Upstream's own path below ours, as apt-cacher-ng's clients write it. */
function proxied({ upstream }: World, path: string): string {
  return `/${new URL(upstream.url).host}/${path}`
}

/** Asks so often that it is remembered, if it may be. */
async function askHot({ sluice }: World, path: string): Promise<RawAnswer> {
  for (let times = 0; times < 3; times++) await ask(sluice.url, `GET ${path} HTTP/1.1`)
  return ask(sluice.url, `GET ${path} HTTP/1.1`)
}

t.test('the next request after a promotion, a rollback, and the end of a channel', async (t) => {
  const world = await makeWorld(t, [hello('1'), other])
  const { sluice } = world
  const serialOf = async (): Promise<string> => {
    const { body } = await ask(sluice.url, `GET ${inRelease} HTTP/1.1`)
    return /^Date: .*$/m.exec(body.toString())?.[0] ?? ''
  }
  t.equal((await askHot(world, inRelease)).status, 200)
  const first = await serialOf()
  await world.publish([hello('2'), other])
  await sluice.api('POST', '/archives/refresh')
  t.equal(await serialOf(), first)
  const plan = { from: 'testing', to: 'approved', all: true }
  await sluice.api('POST', '/promotions', plan)
  const second = await serialOf()
  t.not(second, first)
  await askHot(world, inRelease)
  await sluice.api('POST', '/channels/approved/rollback', { to: 1 })
  t.not(await serialOf(), second)
  const deb = (await debOf(world, other)).path.replace('testing', 'approved')
  t.equal((await askHot(world, deb)).status, 200)
  await sluice.api('DELETE', '/channels/approved')
  t.equal((await ask(sluice.url, `GET ${inRelease} HTTP/1.1`)).status, 404)
  t.equal((await ask(sluice.url, `GET ${deb} HTTP/1.1`)).status, 404)
})

t.test(
  'the next request after an archive was refreshed, got a login, or was removed',
  async (t) => {
    const world = await makeWorld(t, [hello('1'), other])
    const { sluice } = world
    const release = proxied(world, 'dists/stable/InRelease')
    const deb = proxied(world, poolPath(hello('1')))
    const before = await askHot(world, release)
    t.equal(before.status, 200)
    t.equal((await askHot(world, deb)).headers['x-cache'], 'HIT')
    const name = await readFile(join(world.dir, 'archive', poolPath(hello('1'))))
    await world.publish([{ ...hello('1'), content: 5000 }, other])
    t.ok((await ask(sluice.url, `GET ${release} HTTP/1.1`)).body.equals(before.body))
    await sluice.api('POST', '/archives/refresh')
    const after = await ask(sluice.url, `GET ${release} HTTP/1.1`)
    t.notOk(after.body.equals(before.body))
    const replaced = await ask(sluice.url, `GET ${deb} HTTP/1.1`)
    t.notOk(replaced.body.equals(name), 'other bytes under the old name')

    await askHot(world, deb)
    const withLogin = world.upstream.url.replace('://', '://joe:secret@')
    await sluice.api('PATCH', '/archives/nut', { urls: [withLogin] })
    t.equal((await ask(sluice.url, `GET ${deb} HTTP/1.1`)).status, 401)
    const login = `Authorization: Basic ${Buffer.from('joe:secret').toString('base64')}`
    t.equal((await ask(sluice.url, `GET ${deb} HTTP/1.1`, [login])).status, 200)
    t.equal((await ask(sluice.url, `GET ${deb} HTTP/1.1`)).status, 401, 'to each who has none')

    // A URL that stays keeps its login.
    await sluice.api('PATCH', '/archives/nut', { urls: [`${world.upstream.url}/elsewhere`] })
    await sluice.api('PATCH', '/archives/nut', { urls: [world.upstream.url] })
    t.equal((await askHot(world, deb)).status, 200)
    await sluice.api('DELETE', '/channels/testing')
    await sluice.api('DELETE', '/channels/approved')
    await sluice.api('DELETE', '/archives/nut')
    t.equal((await ask(sluice.url, `GET ${deb} HTTP/1.1`)).status, 403)
  },
)

t.test('a file that is found to be damaged is not given out of memory', async (t) => {
  const world = await makeWorld(t, [hello('1'), large])
  const { sluice, upstream } = world
  for (const spec of [hello('1'), large]) {
    const { path, bytes } = await debOf(world, spec)
    t.ok((await askHot(world, path)).body.equals(bytes))
    const [, hash = ''] = /pool\/([0-9a-f]{2}\/[0-9a-f]{62})\//.exec(path) ?? []
    const file = join(sluice.dataDir, 'blobs', hash)
    const damaged = Buffer.from(bytes)
    damaged[1000] = (damaged[1000] ?? 0) ^ 1
    await rm(file)
    await writeFile(file, damaged)
    upstream.clearRequests()
    await sluice.api('POST', '/verify', { deep: true })
    const next = await ask(sluice.url, `GET ${path} HTTP/1.1`)
    t.ok(next.body.equals(bytes))
    t.equal(upstream.count(new RegExp(`${spec.name}_`)), 1, 'it was fetched again')
  }
})

t.test('hot or cold, the answer is the same', async (t) => {
  const world = await makeWorld(t, [hello('1'), large])
  const { sluice } = world
  const paths = [
    inRelease,
    (await debOf(world, hello('1'))).path,
    proxied(world, 'dists/stable/InRelease'),
    proxied(world, poolPath(hello('1'))),
  ]
  for (const path of paths) {
    await (await fetch(sluice.url + path)).arrayBuffer()
    const told = await ask(sluice.url, `GET ${path} HTTP/1.1`)
    // A query has no meaning, and is not remembered.
    const since = `If-Modified-Since: ${told.headers['last-modified']}`
    const asked: [string, string[]][] = [
      ['GET', []],
      ['HEAD', []],
      ['GET', [since]],
      ['HEAD', [since]],
      ['GET', ['If-Modified-Since: Sat, 17 May 2025 08:54:08 GMT']],
      ['GET', ['Range: bytes=10-19']],
      ['GET', ['Range: bytes=10-', 'If-Range: Sat, 17 May 2025 08:54:08 GMT']],
      ['POST', ['Content-Length: 0']],
    ]
    for (const [method, headers] of asked) {
      const own = path.startsWith('/channels/')
      const cold = await ask(sluice.url, `${method} ${path}${own ? '?' : ''} HTTP/1.1`, headers)
      await askHot(world, path)
      const hot = await ask(sluice.url, `${method} ${path} HTTP/1.1`, headers)
      const plain = ({ status, headers: { date: _, age: __, ...rest }, body }: RawAnswer) => ({
        status,
        rest,
        body: body.toString('latin1'),
      })
      if (own) t.same(plain(hot), plain(cold), `${method} ${path} ${headers}`)
      t.equal(hot.status, cold.status)
    }
  }
})

t.test('hundreds of requests sent at once are answered in their order', async (t) => {
  const world = await makeWorld(t, [hello('1'), other, large])
  const [small, middle, big] = await Promise.all(
    [hello('1'), other, large].map((spec) => debOf(world, spec)),
  )
  if (small === undefined || middle === undefined || big === undefined) throw new Error('no files')
  for (const { path } of [small, middle, big]) await askHot(world, path)
  const released = await askHot(world, inRelease)
  const since = `If-Modified-Since: ${released.headers['last-modified']}\r\n`
  const kinds: [string, string, Buffer][] = [
    [small.path, '', small.bytes],
    [inRelease, '', released.body],
    [inRelease, since, Buffer.alloc(0)],
    [middle.path, '', middle.bytes],
    ['/channels/none/nut/pool/x', '', Buffer.alloc(0)],
    [big.path, '', big.bytes],
    [small.path, '', small.bytes],
  ]
  const count = 420
  const requests = Array.from({ length: count }, (_, at) => {
    const [path, header] = kinds[at % kinds.length] ?? ['', '']
    const last = at === count - 1 ? 'Connection: close\r\n' : ''
    return `GET ${path} HTTP/1.1\r\nHost: sluice.example\r\n${header}${last}\r\n`
  })
  const answers = await sendRaw(world.sluice.url, requests.join(''))
  t.equal(answers.length, count)
  const wrong = answers.filter(({ status, body }, at) => {
    const [path, header, bytes] = kinds[at % kinds.length] ?? ['', '', Buffer.alloc(0)]
    if (path.includes('/none/')) return status !== 404
    return status !== (header === '' ? 200 : 304) || !body.equals(bytes)
  })
  t.equal(wrong.length, 0)
})

t.test(
  'who is no client gets nothing, however hot; hits are counted, and who took them',
  async (t) => {
    const world = await makeWorld(t, [hello('1')], {
      start: { flags: { clients: '192.0.2.0/24' } },
    })
    const { sluice } = world
    const { path } = await debOf(world, hello('1'))
    await askHot(world, path)
    await askHot(world, inRelease)
    const stranger = connect({
      port: Number(new URL(sluice.url).port),
      host: '127.0.0.1',
      localAddress: '127.0.0.9',
    })
    const lines = [path, inRelease].map((one) => `GET ${one} HTTP/1.1\r\nHost: x\r\n`)
    stranger.write(`${lines.join('\r\n')}Connection: close\r\n\r\n`)
    const pieces: Buffer[] = []
    for await (const piece of stranger) pieces.push(piece)
    t.same(
      readAnswers(Buffer.concat(pieces)).map(({ status }) => status),
      [403, 403],
    )
    const metrics = await (await fetch(`${sluice.url}/metrics`)).text()
    const hits = Number(/^sluice_files_total\{outcome="hit"\} (\d+)$/m.exec(metrics)?.[1])
    t.ok(hits >= 7, `${hits} hits`)
    t.ok(Number(/^sluice_requests_total\{status="200"\} (\d+)$/m.exec(metrics)?.[1]) >= 8)
  },
)
