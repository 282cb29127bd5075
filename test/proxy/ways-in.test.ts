/**
 * Every way in which a machine that was set up for apt-cacher-ng asks, by real clients: proxy mode, path mode, and
 * `HTTPS///` in both; and all URLs of one archive, however they are written.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { bootstrap } from '../support/debootstrap.ts'
import { ask } from '../support/raw-http.ts'
import { run } from '../support/run.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 3000 }
const odd: PackageSpec = { name: 'libg++-dev', version: '1:2.0~rc1+b1-1', arch: 'amd64' }

/** An archive of four URLs, the first of which is there. */
async function makeMirrored(t: Test): Promise<World> {
  const world = await makeWorld(t, [hello, odd])
  const others = [
    'http://mirror.example.org/pub/debian',
    'https://secure.archive.example/~deb/all',
    'http://depot/debian',
  ]
  await world.sluice.api('PATCH', '/archives/nut', { urls: [world.upstream.url, ...others] })
  return world
}

t.test('a machine may have any URL of the archive, in any style', async (t) => {
  const world = await makeMirrored(t)
  const { sluice, upstream, key } = world
  const first = await world.proxied('first')
  t.same(troubles(await first.update()), clean)
  t.same(troubles(await first.install('hello', 'libg++-dev')), clean)
  upstream.clearRequests()
  const authority = new URL(upstream.url).host
  const paths = [
    authority,
    'mirror.example.org/pub/debian',
    'mirror.example.org:80/pub/debian/',
    'secure.archive.example/~deb/all',
    'HTTPS///secure.archive.example/~deb/all',
    'depot/debian',
  ]
  const ways: { uri: string; proxy?: string }[] = [
    ...paths.map((path) => ({ uri: `${sluice.url}/${path}` })),
    ...paths.map((path) => ({ uri: `http://${path}`, proxy: sluice.url })),
    { uri: `${sluice.url}/mirror.example.org/pub/debian`, proxy: sluice.url },
    { uri: 'http://mirror.example.org//pub/debian//', proxy: sluice.url },
  ]
  for (const [at, { uri, proxy }] of ways.entries()) {
    const sources = `deb [signed-by=${key.publicAsc}] ${uri} stable main`
    const apt = await createApt(join(world.dir, `way-${at}`), {
      sources,
      ...(proxy === undefined ? {} : { proxy }),
    })
    const title = `${uri}${proxy === undefined ? '' : ' by the proxy'}`
    t.same(troubles(await apt.update()), clean, title)
    t.same(troubles(await apt.download('hello', 'libg++-dev')), clean, title)
  }
  t.equal(upstream.count(), 0, 'all of them are one')
})

t.test(
  'debootstrap by the proxy and by a path; the second takes nothing from upstream',
  async (t) => {
    const world = await makeMirrored(t)
    const { dir, sluice, upstream, key } = world
    const keyring = key.publicGpg
    const env = { http_proxy: sluice.url }
    await bootstrap(t, 'by-proxy', { dir, keyring, url: upstream.url, env })
    upstream.clearRequests()
    const path = `${sluice.url}/mirror.example.org/pub/debian/`
    await bootstrap(t, 'by-path', { dir, keyring, url: path })
    const url = 'http://mirror.example.org/pub/debian'
    await bootstrap(t, 'again', { dir, keyring, url, env })
    t.equal(upstream.count(), 0)
  },
)

t.test('curl gets the same file by every URL of it', async (t) => {
  const { sluice, upstream } = await makeMirrored(t)
  const path = poolPath(odd)
  const mirror = 'mirror.example.org/pub/debian'
  const proxied = ['--proxy', sluice.url]
  const ways: string[][] = [
    [...proxied, `${upstream.url}/${path}`],
    [...proxied, `http://${mirror}/${path}`],
    [...proxied, `http://MIRROR.Example.ORG:80/pub/debian/${path}`],
    [...proxied, `http://mirror.example.org./pub/debian/${path}`],
    [...proxied, `http://mirror.example.org:443/pub/debian//${path}`],
    [...proxied, `http://secure.archive.example/%7Edeb/all/${path}`],
    [...proxied, `http://secure.archive.example/~deb/all/${path.replaceAll('~', '%7e')}`],
    [...proxied, `http://HTTPS///${mirror}/${path}`],
    [`${sluice.url}/${mirror}/${path}?from=apt`],
    [`${sluice.url}/mirror.example.org%3a80/pub/debian/${path.replaceAll('+', '%2B')}`],
    [`${sluice.url}/HTTPS///Mirror.example.org:443/pub/debian/./${path}`],
    [`${sluice.url}/depot/debian/${path}`],
  ]
  const seen = new Set<string>()
  for (const way of ways) {
    const head = ['--silent', '--show-error', '--fail', '--dump-header', '-', '--path-as-is']
    const { code, stdout, stderr } = await run('curl', [...head, '--output', '/dev/null', ...way])
    t.equal(code, 0, `${way.at(-1)}: ${stderr}`)
    seen.add(/^Last-Modified: .*|^Content-Length: .*/gim.exec(stdout)?.[0] ?? '')
  }
  t.equal(seen.size, 1)
  t.equal(upstream.count(/libg/), 1)
})

t.test('a machine with auto-apt-proxy finds the server, and uses it', async (t) => {
  const world = await makeMirrored(t)
  const { dir, sluice, key } = world
  // What auto-apt-proxy 14 does at port 3142 of this machine and its gateway, at our port.
  const script = [
    '#!/bin/sh',
    'tmp=$(mktemp)',
    'hit() { /usr/lib/apt/apt-helper -o Acquire::http::Proxy=DIRECT -o Acquire::Retries=0 \\',
    '  download-file "$@" "$tmp" 2>&1; }',
    `if hit -o Acquire::http::Proxy::127.0.0.1=DIRECT ${sluice.url} | grep -q -i '406.*usage.information'; then echo ${sluice.url}; fi`,
    'rm -f "$tmp"',
  ]
  const path = join(dir, 'auto-apt-proxy')
  await writeFile(path, `${script.join('\n')}\n`, { mode: 0o755 })
  const apt = await createApt(join(dir, 'found'), {
    sources: `deb [signed-by=${key.publicAsc}] http://mirror.example.org/pub/debian stable main`,
    config: [`Acquire::http::Proxy-Auto-Detect "${path}";`],
  })
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello')), clean)
})

t.test('what looks like a path of ours is ours, and no other host is asked', async (t) => {
  const { sluice, upstream } = await makeMirrored(t)
  upstream.clearRequests()
  const plain = (path: string) => ask(sluice.url, `GET ${path} HTTP/1.1`)
  const foreign = [
    '/other.example/debian/dists/stable/InRelease',
    '/HTTPS///other.example/debian/dists/stable/InRelease',
    '/mirror.example.org:8080/pub/debian/dists/stable/InRelease',
    '/mirror.example.org/pub/dists/stable/InRelease',
    '/[::1]:9/debian/dists/stable/InRelease',
  ]
  for (const path of foreign) {
    t.match(await plain(path), { status: 403, reason: /is not in an archive/ }, path)
  }
  const climbing = '/mirror.example.org/pub/debian/%2e%2e/%2e%2e/dists/stable/InRelease'
  t.match(await plain(climbing), { status: 400 })
  t.equal((await plain('/unheard/of/it')).status, 404)
  t.equal((await plain('/api/v1/status')).status, 401)
  t.equal((await plain('/healthz')).status, 200)
  t.equal((await plain('/favicon.ico')).status, 404)
  const own = '/channels/testing/nut/dists/stable/InRelease'
  t.equal((await plain(own)).status, 200)
  const post = 'POST /mirror.example.org/pub/debian/dists/stable/InRelease HTTP/1.1'
  t.equal((await ask(sluice.url, post, ['Content-Length: 0'])).status, 405)
  t.equal(upstream.count(), 0)
})
