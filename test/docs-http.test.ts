/** docs/http.md, tried: each path of its table is asked for, and each status of the other one is had. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { parseConfig } from '../src/base/config.ts'
import { startServer } from '../src/server/start.ts'
import { makeDocsWorld } from './support/docs-world.ts'
import { tablesOf } from './support/markdown.ts'
import { ask, type RawAnswer } from './support/raw-http.ts'
import { makeWideWorld } from './support/wide-world.ts'

const page = await readFile(join(import.meta.dirname, '../docs/http.md'), 'utf8')
const [paths = [], statuses = []] = tablesOf(page).map((table) => table.slice(1))
const { dir, key, sluice, upstream } = await makeDocsWorld(t)
await sluice.api('POST', '/classes', { name: 'lab', channel: 'testing' })

const suite = '/channels/testing/debian-security/dists/bookworm-security'
const release = await (await fetch(`${sluice.url}${suite}/Release`)).text()
const index = await fetch(`${sluice.url}${suite}/main/binary-amd64/Packages.gz`)
const packages = gunzipSync(await index.arrayBuffer()).toString()
const [, pool = '', hh = '', rest = '', file = ''] =
  /^Filename: (pool\/(..)\/([0-9a-f]{62})\/(openssl_.*))$/m.exec(packages) ?? []
const names: Readonly<Record<string, string>> = {
  CHANNEL: 'testing',
  GENERATION: '1',
  CLASS: 'lab',
  ARCHIVE: 'debian-security',
  SUITE: 'bookworm-security',
  COMPONENT: 'main',
  ARCH: 'amd64',
  DIGEST: /^ ([0-9a-f]{64}) +\d+ main\/binary-amd64\/Packages\.gz$/m.exec(release)?.[1] ?? '',
  HH: hh,
  REST: rest,
  FILE: file,
  INITIAL: 'o',
  SOURCE: 'openssl',
  VERSION: '3.0.16-1~deb12u1',
}

/** The path that a row means, of this world or of names told. */
function pathOf(row: readonly string[], more: Readonly<Record<string, string>> = {}): string {
  const known = { ...names, ...more }
  return bare(row[0]).replaceAll(/[A-Z]{2,}[0-9]*(?![a-z0-9])/g, (word) => known[word] ?? word)
}

function bare(cell = ''): string {
  return cell.replaceAll('`', '')
}

/** A world with an index that is large enough for patches. */
async function patched(t: Test): Promise<string> {
  const versions = (first: string): Map<string, string> =>
    new Map(Array.from({ length: 300 }, (_, nth) => [`pkg${nth}`, nth === 0 ? first : '1']))
  const world = await makeWideWorld(t, versions('1'))
  await world.publish(versions('2'))
  return world.sluice().url
}

for (const row of paths) {
  const [path, , type = '', changes = ''] = row.map(bare)
  t.test(`${path} is there`, async (t) => {
    const isPatch = path?.includes('.diff/') === true
    const url = isPatch ? await patched(t) : sluice.url
    const more = isPatch ? { ARCHIVE: 'nut', SUITE: 'stable' } : {}
    const answer = await fetch(url + pathOf(row, more))
    await answer.arrayBuffer()
    t.equal(answer.status, 200)
    t.equal(answer.headers.get('content-type')?.replace(/;.*/, ''), type)
    const cached = { yes: /^no-cache$/, no: /immutable/ }[changes]
    if (cached === undefined) return
    t.match(answer.headers.get('cache-control'), cached)
    t.match(answer.headers.get('x-cache'), /^(HIT|MISS)$/)
    t.ok(answer.headers.has('last-modified') && answer.headers.has('content-length'))
    const part = await fetch(url + pathOf(row, more), { headers: { Range: 'bytes=0-0' } })
    await part.arrayBuffer()
    t.equal(part.status, changes === 'yes' ? 200 : 206)
  })
}

t.test('each status is had as told', async (t) => {
  const asked = (path: string, headers: readonly string[] = []): Promise<RawAnswer> =>
    ask(sluice.url, `GET ${path} HTTP/1.1`, headers)
  const whole = `${suite}/InRelease`
  const { headers } = await asked(whole)
  const deb = `/channels/testing/debian-security/${pool}`
  const secret = `${upstream.url}/linux/debian`
  const login = {
    ...{ name: 'private', urls: [secret.replace('//', '//user:pass@')] },
    ...{ suites: ['bookworm'], components: ['stable'], architectures: ['amd64'] },
  }
  const keyring = await readFile(key.publicAsc, 'utf8')
  t.notMatch(await sluice.api('POST', '/archives', { ...login, keyring }), { error: Object })
  const had: Record<string, number[]> = {
    200: [(await asked(whole)).status],
    206: [(await asked(deb, ['Range: bytes=1-2'])).status],
    304: [(await asked(whole, [`If-Modified-Since: ${headers['last-modified']}`])).status],
    400: [(await asked('http://:bad/ x')).status],
    401: [(await asked(`${secret}/dists/bookworm/InRelease`)).status],
    403: [
      (await asked('http://other.example/debian/dists/x/InRelease')).status,
      (await ask(sluice.url, 'CONNECT archive.example:443 HTTP/1.1')).status,
      await asStranger(t, whole),
    ],
    404: [(await asked(`${suite}/nothing`)).status],
    405: [(await ask(sluice.url, `POST ${whole} HTTP/1.1`)).status],
    406: [(await asked('/')).status],
    414: [(await asked(`/${'x'.repeat(8192)}`)).status],
    416: [(await asked(deb, ['Range: bytes=9999999-'])).status],
    431: [(await asked(whole, [`X-Long: ${'x'.repeat(16 * 1024)}`])).status],
  }
  upstream.fault(/libssl3_/, { kind: 'status', status: 500 })
  const other = /^Filename: (pool\/.*\/libssl3_.*)$/m.exec(packages)?.[1]
  const late = await asked(`/channels/testing/debian-security/${other}`)
  t.match(late.headers, { 'retry-after': /^\d+$/ })
  had[503] = [late.status]
  const revoked = { name: 'openssl', version: names.VERSION, reason: 'harmful' }
  t.notMatch(await sluice.api('POST', '/revocations', revoked), { error: Object })
  had[410] = [(await asked(deb)).status]
  const told = statuses.flatMap(([codes = '']) => codes.split(', '))
  t.same(Object.keys(had), told)
  for (const [code, all] of Object.entries(had)) for (const one of all) t.equal(String(one), code)

  const { reason, body } = await asked('/channels/nowhere/debian/dists/bookworm/InRelease')
  const [first, second] = body.toString().split('\n')
  t.equal(first, `sluice: ${reason}`)
  t.match(second, /^hint: /)
})

/** What an address that is none of `clients` is told of a file; others may ask for what tells of the server. */
async function asStranger(t: Test, path: string): Promise<number> {
  const data = join(dir, 'other')
  const flags = { data, listen: '127.0.0.1:0', import: false, clients: '10.0.0.0/8' }
  const server = await startServer(parseConfig({ flags, env: {} }))
  t.teardown(() => server.close())
  const statusOf = async (what: string): Promise<number> => {
    const request = get(`${server.url}${what}`, { localAddress: '127.0.0.2', agent: false })
    const [response]: IncomingMessage[] = await once(request, 'response')
    response?.resume()
    return response?.statusCode ?? 0
  }
  t.equal(await statusOf('/healthz'), 200)
  return statusOf(path)
}
