/**
 * An upstream with three suites whose packages change day by day, made up but signed; Sluice follows it in `testing`, and
 * has `approved` and `lab` beside. The server is a process of its own, which can be killed, by a clock that goes where it
 * is told to.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { putRelease } from '../../fixtures/make-archive.ts'
import { makeSigningKey, type SigningKey } from '../../fixtures/signing-key.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { formatRelease } from '../../src/debian/release.ts'
import type { SteeredInput } from './steered-server.ts'
import { testDir } from './test-dir.ts'
import { startUpstream } from './upstream-server.ts'

export const suites = ['stable', 'stable-security', 'stable-updates'] as const

/** Versions by suite and source: `stable bash`. */
export type Versions = ReadonlyMap<string, string>

export interface PolicyWorld {
  /** The time by the server's clock. */
  now(): number
  /** Sets the clock, on or back. */
  goTo(at: number): Promise<void>
  /** Calls the API; the JSON of the answer, whatever its status. Throws when the server is gone. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and a wrong name fails the test
  api(method: string, path: string, body?: object): Promise<any>
  /** Publishes at upstream as of the world's time, and lets `testing` follow. */
  publish(versions: Versions): Promise<void>
  /** Ends the server by a signal, if it still runs. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Starts it over the same data; `fault` is its SLUICE_FAULT. Whether it came up. */
  start(fault?: string): Promise<boolean>
}

export const HOUR_MS = 3600_000
export const DAY_MS = 24 * HOUR_MS

/** Makes it, and starts the server, at a time. */
export async function makePolicyWorld(
  t: Test,
  at: number,
  versions: Versions,
): Promise<PolicyWorld> {
  const dir = testDir(t)
  const archive = join(dir, 'archive')
  const dataDir = join(dir, 'var')
  let ahead = at - Date.now()
  const now = (): number => Date.now() + ahead
  const createdAt = new Date(at - DAY_MS)
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>', { createdAt })
  await writeSuites(archive, key, versions, at - HOUR_MS)
  const upstream = await startUpstream(archive)
  let published = at - HOUR_MS
  let server = await startServer({ dataDir, ahead })
  const world: PolicyWorld = {
    now,
    goTo: async (to) => {
      ahead = to - Date.now()
      await server?.steer(ahead)
    },
    api: (method, path, body) => call(server?.url, dataDir, { method, path, body }),
    publish: async (some) => {
      // Upstream's own clock does not go back: nobody could tell two publications of one second from one another.
      published = Math.max(now() - 60_000, published + 1000)
      await writeSuites(archive, key, some, published)
      const { outcomes } = await world.api('POST', '/archives/refresh', {})
      for (const { problem } of outcomes) if (problem) throw new Error(JSON.stringify(problem))
    },
    stop: async (signal) => server?.stop(signal),
    start: async (fault) => {
      await server?.stop('SIGKILL')
      server = await startServer({ dataDir, ahead }, fault)
      return server !== undefined
    },
  }
  t.teardown(async () => {
    await world.stop('SIGKILL')
    await upstream.close()
  })
  const keyring = await readFile(key.publicAsc, 'utf8')
  const settings = { suites, components: ['main'], architectures: ['amd64'], keyring }
  const steps = [
    ['/archives', { name: 'nut', urls: [upstream.url], ...settings }],
    ['/archives/refresh', {}],
    ['/channels', { name: 'testing', follow: ['nut'] }],
    ['/channels', { name: 'approved', from: 'testing' }],
    ['/channels', { name: 'lab', from: 'approved' }],
  ] as const
  for (const [path, body] of steps) {
    const { error } = await world.api('POST', path, body)
    if (error !== undefined) throw new Error(`${path}: ${error.message}`)
  }
  return world
}

interface SteeredServer {
  readonly url: string
  steer(ahead: number): Promise<void>
  stop(signal: NodeJS.Signals): Promise<void>
}

async function startServer(
  where: Pick<SteeredInput, 'dataDir' | 'ahead'>,
  fault?: string,
): Promise<SteeredServer | undefined> {
  // It looks upstream when it is told to: the time at which a version came is then known.
  const flags = { 'log-level': 'silent', 'refresh-minutes': '10000' }
  const input: SteeredInput = { ...where, flags }
  const script = join(import.meta.dirname, 'steered-server.ts')
  const child = spawn(process.execPath, [script, JSON.stringify(input)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, ...(fault === undefined ? {} : { SLUICE_FAULT: fault }) },
  })
  const ended = once(child, 'exit').then(() => undefined)
  const next = async (): Promise<{ readonly url?: string } | undefined> =>
    (await Promise.race([once(child, 'message'), ended]))?.[0]
  const url = (await next())?.url
  if (url === undefined) return undefined
  return {
    url,
    steer: async (ahead) => {
      if (!child.connected) return
      const told = next()
      child.send({ ahead }, () => undefined)
      await told
    },
    stop: async (signal) => {
      child.kill(signal)
      await ended
    },
  }
}

interface Call {
  readonly method: string
  readonly path: string
  readonly body?: object | undefined
}

async function call(
  url: string | undefined,
  dataDir: string,
  { method, path, body }: Call,
): Promise<unknown> {
  if (url === undefined) throw new Error('no server runs')
  const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
  const headers: Record<string, string> = { Authorization: `Bearer ${token}` }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  const text = body === undefined ? null : JSON.stringify(body)
  return (await fetch(`${url}/api/v1${path}`, { method, headers, body: text })).json()
}

/** Publishes the suites that changed. */
async function writeSuites(
  dir: string,
  key: SigningKey,
  versions: Versions,
  at: number,
): Promise<void> {
  const modifiedAt = new Date(Math.floor(at / 1000) * 1000)
  for (const suite of suites) {
    const stanzas: string[] = []
    for (const [id, version] of versions) {
      const [of, name = ''] = id.split(' ')
      if (of !== suite) continue
      const path = `pool/main/${name}_${version}_${suite}.deb`
      const content = `${name} ${version} of ${suite}`
      await put(join(dir, path), content)
      stanzas.push(stanzaOf(name, version, path, content))
    }
    const text = stanzas.join('\n')
    const name = 'main/binary-amd64/Packages'
    const index = join(dir, 'dists', suite, name)
    if ((await readFile(index, 'utf8').catch(() => '')) === text) continue
    await put(index, text)
    const files = [{ path: name, size: text.length, sha256: sha256Of(text) }]
    const names = { origin: 'Nut', label: 'Nut', suite, codename: suite.replace('stable', 'nut') }
    const lists = { architectures: ['amd64'], components: ['main'], files }
    const date = modifiedAt.getTime() / 1000
    const release = formatRelease({ ...names, date, acquireByHash: false, ...lists })
    const sign = { signedAt: modifiedAt }
    const forms = ['InRelease'] as const
    await putRelease(dir, `dists/${suite}`, { release, keys: [key], forms, modifiedAt, sign })
  }
}

async function put(path: string, data: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, data)
}

function stanzaOf(name: string, version: string, path: string, content: string): string {
  const fields = [
    `Package: ${name}`,
    `Version: ${version}`,
    'Architecture: amd64',
    'Maintainer: Nut Maintainers <maintainers@archive.example>',
    `Filename: ${path}`,
    `Size: ${content.length}`,
    `SHA256: ${sha256Of(content)}`,
    `Description: ${name}`,
  ]
  return `${fields.join('\n')}\n`
}
