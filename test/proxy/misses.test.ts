/**
 * Files that are not here yet, from mirrors that fail in each way that users of other caches report (F4, F5, F9, F14 to
 * F16, F18, F20): with a second mirror a client notices nothing; with one alone it is told so with an answer that apt tries
 * again, or cut off, and nothing wrong is kept.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { createApt } from '../support/apt.ts'
import { makeDownloadWorld } from '../support/download-world.ts'
import type { Fault } from '../support/faults.ts'
import { ask, openSocket } from '../support/raw-http.ts'
import { scratchFiles } from '../support/scratch-files.ts'
import type { TestSluice } from '../support/sluice.ts'
import type { TestUpstream } from '../support/upstream-server.ts'
import { clean, troubles } from '../support/world.ts'

const some = (name: string, content: number): PackageSpec => ({
  ...{ name, version: '1', arch: 'amd64', content },
})
/** Not so short that a machine which is busy pauses for as long. */
const patience = { stallMs: 1500, firstByteTimeoutMs: 1500, connectTimeoutMs: 8000 }
const pathOf = (name: string): string => `/pool/main/${name[0]}/${name}/${name}_1_amd64.deb`

/** What is asked by the proxy for a file of this mirror. */
function get(sluice: TestSluice, mirror: TestUpstream, name: string) {
  return ask(sluice.url, `GET ${mirror.url}${pathOf(name)} HTTP/1.1`)
}

/** Lets the server see that this mirror answers: one that fails again and again would be left alone for a while. */
async function isWell(sluice: TestSluice, mirror: TestUpstream): Promise<void> {
  const { status } = await ask(sluice.url, `GET ${mirror.url}/doc/${mirror.count()} HTTP/1.1`)
  if (status !== 404) throw new Error(`${status} for what is not there`)
}

const faults: Readonly<Record<string, Fault>> = {
  'says another length': { kind: 'wrong-size', by: 7 },
  'is shorter': { kind: 'wrong-size', by: -7 },
  'answers 503': { kind: 'status', status: 503, body: '' },
  'hangs up': { kind: 'close' },
  'never answers': { kind: 'hang' },
  'stands still': { kind: 'stall', bytes: 100 },
  'shows a login page': { kind: 'html' },
  'packs what it sends': { kind: 'headers', headers: { 'Content-Encoding': 'gzip' } },
  'leads round in a circle': { kind: 'redirect', to: pathOf('large') },
  'forbids it': { kind: 'status', status: 403 },
}

/** One large file and a small one for each fault. */
const kinds = Object.entries(faults)
const packages = [
  ...[some('large', 800_000), some('small', 3000), some('huge', 12_000_000)],
  ...kinds.flatMap((_, at) => [some(`large-${at}`, 150_000), some(`small-${at}`, 3000)]),
]

const world = await makeDownloadWorld(t, packages)
let servers = 0

interface Bed {
  readonly first: TestUpstream
  readonly second: TestUpstream
  /** A server with nothing of the packages, that asks these mirrors. */
  start(...mirrors: TestUpstream[]): Promise<TestSluice>
}

function makeBed(t: Test): Bed {
  const [first, second] = world.mirrors
  if (first === undefined || second === undefined) throw new Error('no mirrors')
  return {
    ...{ first, second },
    start: async (...mirrors) => {
      const sluice = await world.follow(`var-${servers++}`, mirrors, { patience })
      t.teardown(() => sluice.close())
      for (const mirror of [first, second]) mirror.clearRequests()
      return sluice
    },
  }
}

t.test('a mirror that fails is made up for by the other', async (t) => {
  const { first, second, start } = makeBed(t)
  const sluice = await start(first, second)
  for (const [at, [what, fault]] of kinds.entries()) {
    first.fault(new RegExp(`-${at}_.*deb$`), fault)
    for (const name of [`large-${at}`, `small-${at}`]) {
      const answer = await get(sluice, first, name)
      const expected = await fetch(`${second.url}${pathOf(name)}`)
      t.equal(answer.status, 200, `${what}: ${name}`)
      t.ok(first.count(pathOf(name)) > 0, what)
      await isWell(sluice, first)
      t.equal(sha256Of(answer.body), sha256Of(Buffer.from(await expected.arrayBuffer())), what)
    }
  }
})

t.test('where it is the only one, apt is told so in a way that makes it try again', async (t) => {
  const { first, start } = makeBed(t)
  const sluice = await start(first)
  for (const [at, [what, fault]] of kinds.entries()) {
    first.fault(new RegExp(`-${at}_.*deb$`), fault)
    const answer = await get(sluice, first, `small-${at}`)
    t.equal(answer.status, 503, what)
    t.ok(answer.body.length > 20, what)
    t.ok(Number(answer.headers['retry-after']) > 0, what)
    t.ok(first.count(pathOf(`small-${at}`)) > 0, what)
    await isWell(sluice, first)
  }
  t.same((await sluice.api('POST', '/verify', { deep: true })).problems, [])
  t.same(await scratchFiles(sluice.dataDir), [])
})

t.test('dates of mirrors that nobody can read reach no client', async (t) => {
  const { first, start } = makeBed(t)
  const sluice = await start(first)
  const headers = { 'Last-Modified': 'Sat, 21 Nov 2026 18:00:00 CET', Date: 'yesterday' }
  first.fault(/deb$/, { kind: 'headers', headers })
  const { status, headers: told } = await get(sluice, first, 'small')
  t.equal(status, 200)
  const date = told['last-modified'] ?? ''
  t.equal(date, new Date(Date.parse(date)).toUTCString())
})

t.test('an end that comes too early is none, whether a length was told or not', async (t) => {
  const { first, start } = makeBed(t)
  const sluice = await start(first)
  first.fault(/deb$/, { kind: 'chunked' })
  first.fault(/deb$/, { kind: 'wrong-size', by: -100_000 })
  await t.rejects(fetchBody(sluice, first))
  first.clearFaults()
  const { status } = await get(sluice, first, 'large')
  t.equal(status, 200)
})

async function fetchBody(sluice: TestSluice, mirror: TestUpstream): Promise<ArrayBuffer> {
  const { host } = new URL(mirror.url)
  return (await fetch(`${sluice.url}/${host}${pathOf('large')}`)).arrayBuffer()
}

t.test(
  'whoever was given wrong bytes is cut off before their end, and finds another time',
  async (t) => {
    const { first, start } = makeBed(t)
    const sluice = await start(first)
    first.fault(/deb$/, { kind: 'flip', offset: 700_000 }, { times: 1 })
    const answered = Promise.withResolvers<void>()
    const hold = { kind: 'hold', bytes: 400_000, until: answered.promise } as const
    first.fault(/deb$/, hold, { times: 1 })
    const { host } = new URL(first.url)
    const url = `${sluice.url}/${host}${pathOf('large')}`
    const bad = await fetch(url)
    answered.resolve()
    await t.rejects(bad.arrayBuffer(), 'the connection is reset')
    const time = bad.headers.get('last-modified') ?? ''
    const headers = { Range: 'bytes=600000-', 'If-Range': time }
    const good = await fetch(url, { headers })
    t.equal(good.status, 200, 'not a part that would be joined with what is wrong')
    t.equal((await good.arrayBuffer()).byteLength, Number(good.headers.get('content-length')))
  },
)

t.test('apt itself sees no break of a transfer', async (t) => {
  const { first, second, start } = makeBed(t)
  const breaks: readonly Fault[] = [
    { kind: 'truncate', bytes: 200_000 },
    { kind: 'stall', bytes: 300_000 },
    { kind: 'trickle', bytesPerSecond: 50 },
  ]
  for (const fault of breaks) {
    const sluice = await start(first, second)
    first.fault(/large.*deb$/, fault)
    const apt = await createApt(join(world.dir, `machine-${fault.kind}`), {
      sources: `deb [signed-by=${world.key.publicAsc}] ${first.url} stable main`,
      proxy: sluice.url,
      options: ['-o', 'Acquire::Retries=0'],
    })
    t.same(troubles(await apt.update()), clean)
    t.same(troubles(await apt.download('large', 'small')), clean, fault.kind)
    t.equal((await apt.cached()).length, 2)
    const bytes = first.bytes(/large.*deb/) + second.bytes(/large.*deb/)
    t.ok(bytes < 900_000, `${fault.kind}: no byte twice, but ${bytes - 801_000}`)
  }
})

t.test('a client that takes nothing slows down nobody', async (t) => {
  const { first, start } = makeBed(t)
  const sluice = await start(first)
  const { host } = new URL(first.url)
  const idle = await openSocket(sluice.url)
  idle.write(`GET ${first.url}${pathOf('huge')} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  const { status, body } = await get(sluice, first, 'huge')
  t.equal(status, 200)
  t.equal(first.bytes(/deb$/), body.length)
  let got = 0
  for await (const piece of idle) {
    got += piece.length
    if (got >= body.length) break
  }
  t.ok(got >= body.length, 'and it gets all when it wants to')
})
