/**
 * Uploads that break off, come from other machines, or are never finished; and what becomes of packages that no channel has.
 */
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { makeLocalBed } from '../support/local-bed.ts'
import { runSluice } from '../support/program.ts'
import type { TestSluice } from '../support/sluice.ts'
import { makeSmallDeb } from '../support/small-debs.ts'
import { createTestClock } from '../support/test-clock.ts'

const shape = { suites: ['stable'], components: ['main'], architectures: ['amd64'] }

interface Put {
  readonly path: string
  readonly token: string
  readonly body: Buffer
  /** Told for more than is sent; the connection breaks off when this resolves. */
  readonly length?: number
  readonly until?: () => Promise<void>
  readonly localAddress?: string
}

/** The status of the answer; 0 where there was none. */
function put(
  sluice: TestSluice,
  { path, token, body, length, until, localAddress }: Put,
): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const headers = {
    authorization: `Bearer ${token}`,
    'content-length': length ?? body.length,
    'content-type': 'application/octet-stream',
  }
  const options = { method: 'PUT', headers, agent: false, localAddress }
  const sent = request(`${sluice.url}${path}`, options, (answer: IncomingMessage) => {
    answer.resume()
    answer.once('end', () => resolve(answer.statusCode ?? 0))
  })
  sent.once('error', () => resolve(0))
  if (until === undefined) sent.end(body)
  else {
    sent.write(body)
    until().then(
      () => sent.destroy(),
      () => sent.destroy(),
    )
  }
  return promise
}

t.test('an upload that breaks off goes on where it was, also past a restart', async (t) => {
  const { sluice: first, start } = await makeLocalBed(t)
  const deb = await makeSmallDeb('acme', '1.0')
  const at = `/api/v1/archives/internal/packages/${deb.file}?sha256=${deb.sha256}`
  const half = deb.bytes.subarray(0, 400)
  const { token } = first
  const here = async (sluice: TestSluice): Promise<number> =>
    (await sluice.api('GET', at.slice('/api/v1'.length))).offset
  const until = async (): Promise<void> => {
    while ((await here(first)) !== 400) await setTimeout(20)
  }
  t.equal(await put(first, { path: at, token, body: half, length: deb.bytes.length, until }), 0)
  await first.close()
  const sluice = await start(first.dataDir)
  t.equal(await here(sluice), 400)
  const rest = deb.bytes.subarray(400)
  t.equal(await put(sluice, { path: `${at}&offset=7`, token, body: rest }), 409, 'not there')
  t.equal(await put(sluice, { path: `${at}&offset=400`, token, body: rest }), 200)
  t.match(await sluice.api('GET', at.slice('/api/v1'.length)), {
    published: [{ name: 'acme', version: '1.0' }],
    offset: 0,
  })
  const other = await makeSmallDeb('acme', '1.1')
  const wrong = `/api/v1/archives/internal/packages/${other.file}?sha256=${deb.sha256}`
  t.equal(
    await put(sluice, { path: wrong, token, body: other.bytes }),
    422,
    'other bytes than told',
  )
  t.same(await readdir(join(sluice.dataDir, 'uploads')), [])
})

t.test('other machines may upload with a token for that, and ask nothing else', async (t) => {
  const { sluice } = await makeLocalBed(t, {}, { flags: { clients: '127.0.0.2/32' } })
  const { token } = await sluice.api('POST', '/tokens', { name: 'ci', uploads: ['internal'] })
  const deb = await makeSmallDeb('acme')
  const path = `/api/v1/archives/internal/packages/${deb.file}`
  const from = (localAddress: string, what: string, by: string): Promise<number> =>
    put(sluice, { path: what, token: by, body: deb.bytes, localAddress })
  t.equal(await from('127.0.0.3', path, token), 403, 'none of its clients')
  t.equal(await from('127.0.0.2', path, 'x'.repeat(43)), 401, 'no token of ours')
  t.equal(await from('127.0.0.2', '/api/v1/archives/other/packages/a.deb', token), 403)
  t.equal(await from('127.0.0.2', path, token), 200)
  t.match(await sluice.api('GET', '/audit?what=publish'), [{ who: 'ci' }])
  const asked = await fetch(`${sluice.url}/api/v1/archives`, {
    headers: { Authorization: `Bearer ${token}` },
  })
  t.equal(asked.status, 403)
  t.match(
    (await runSluice(['--data', sluice.dataDir, 'token', 'list'])).stdout,
    /^ci .* uploads to internal$/m,
  )
})

t.test('what nobody goes on with for a day is removed', async (t) => {
  const { sluice: first, start } = await makeLocalBed(t)
  await first.close()
  const folder = join(first.dataDir, 'uploads', 'a'.repeat(32))
  await mkdir(folder, { recursive: true })
  const fresh = join(first.dataDir, 'uploads', 'b'.repeat(32))
  await mkdir(fresh)
  await writeFile(join(fresh, 'acme_1.1.dsc.part'), 'half')
  const file = join(folder, 'acme_1.0.dsc')
  await writeFile(file, 'half')
  const before = new Date(Date.now() - 25 * 3600_000)
  for (const path of [file, folder]) await utimes(path, before, before)
  await start(first.dataDir)
  const left = async (): Promise<string[]> => readdir(join(first.dataDir, 'uploads'))
  while ((await left()).length > 1) await setTimeout(20)
  t.same(await left(), ['b'.repeat(32)], 'what was just begun stays')
})

t.test('a package that no channel has is kept by collections', async (t) => {
  const clock = createTestClock()
  const { sluice, publish } = await makeLocalBed(t, {}, { clock })
  await sluice.api('POST', '/archives', { name: 'alone', kind: 'local', ...shape })
  const deb = await makeSmallDeb('lonely')
  const path = `/api/v1/archives/alone/packages/${deb.file}`
  t.equal(await put(sluice, { path, token: sluice.token, body: deb.bytes }), 200)
  await publish({ name: 'acme', version: '1', arch: 'all' })
  for (let day = 0; day < 3; day += 1) {
    t.notMatch(await sluice.api('POST', '/gc', {}), { error: Object })
    clock.advance(25 * 3600_000)
  }
  const file = join(sluice.dataDir, 'blobs', deb.sha256.slice(0, 2), deb.sha256.slice(2))
  t.same(await readFile(file), deb.bytes)
  t.same((await sluice.api('POST', '/verify', {})).problems, [])
})

t.test('a local archive is written to a file and applied from it', async (t) => {
  const { sluice, dir, start } = await makeLocalBed(t)
  const type = (data: string, ...args: string[]): ReturnType<typeof runSluice> =>
    runSluice(['--data', data, ...args])
  const { stdout } = await type(sluice.dataDir, 'export')
  t.match(stdout, /\[archive\.internal\]\nkind = "local"\nsuites = \[ "stable" \]\n/)
  const config = join(dir, 'config.toml')
  await writeFile(config, stdout)
  t.match((await type(sluice.dataDir, 'apply', config)).stdout, /all is as the file says/)
  const other = await start(join(dir, 'other'))
  const applied = await type(other.dataDir, 'apply', config)
  t.equal(applied.code, 0, applied.stderr)
  t.match(await other.api('GET', '/archives/internal'), {
    kind: 'local',
    suites: [{ packages: 0 }],
  })
  t.match(await other.api('GET', '/channels/testing'), { follows: ['internal'], head: 1 })
  t.match((await type(other.dataDir, 'apply', config)).stdout, /all is as the file says/)
})
