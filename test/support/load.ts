/**
 * A server that is to be put under all its work at once, by a fast clock, a day in three seconds: retention and grace come to
 * their end, and Releases are signed anew, while one looks on. It keeps its URL when it is killed and started again.
 *
 * `load-changes.ts` changes things, `load-machines.ts` are the machines.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { randomFrom } from '../../bench/random.ts'
import type { Clock } from '../../src/base/clock.ts'
import { fastClock, paceFor } from './fast-clock.ts'
import type { FastServerInput } from './fast-server.ts'
import { startFront } from './front.ts'
import { type LoadUpstream, startLoadUpstream } from './load-upstream.ts'
import { testDir } from './test-dir.ts'

const DAY_MS = 24 * 3600 * 1000
const RATE = DAY_MS / 3000

export interface Load {
  /** For machines and scratch files. */
  readonly dir: string
  readonly url: string
  readonly dataDir: string
  readonly clock: Clock
  readonly random: () => number
  readonly upstream: LoadUpstream
  /** What went wrong, in words. */
  readonly failures: string[]
  /** How often each thing was done. */
  readonly counts: Map<string, number>
  count(what: string): void
  /** Calls the API; the JSON of the answer, whatever its status. Throws when the server is gone. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and a wrong name fails the test
  api(method: string, path: string, body?: object): Promise<any>
  /** Whether it was killed and does not serve again yet; how often it was. */
  readonly isDown: boolean
  readonly deaths: number
  /** Kills the server by SIGKILL, and starts it again. */
  killAndRestart(): Promise<void>
}

export interface LoadInput {
  readonly seed: number
  /** For how long at the most: the clock never passes the machine's. */
  readonly forMs: number
}

/** Starts upstream and server, with channels `testing`, `approved`, `derived` and the class `web`. */
export async function startLoad(t: Test, { seed, forMs }: LoadInput): Promise<Load> {
  const dir = testDir(t)
  const random = randomFrom(seed)
  const pace = paceFor(forMs, RATE)
  const clock = fastClock(pace)
  const upstream = await startLoadUpstream(t, dir, clock, random)
  const dataDir = join(dir, 'var')
  const flags = { 'log-level': 'error', 'retain-generations': '10', 'retain-days': '10' }
  const input: FastServerInput = { dataDir, listen: '127.0.0.1:0', pace, flags }
  let server = await startFastServer(input)
  // One that is started again on its old port may find that somebody else has it.
  const front = await startFront()
  front.turnTo(server.url)
  t.teardown(async () => {
    await server.stop('SIGTERM')
    await front.close()
  })
  const { url } = front
  const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
  const counts = new Map<string, number>()
  let isDown = false
  let deaths = 0
  const load: Load = {
    ...{ dir, url, dataDir, clock, random, upstream, failures: [], counts },
    count: (what) => void counts.set(what, (counts.get(what) ?? 0) + 1),
    api: (method, path, body) => call(url, token, { method, path, body }),
    get isDown() {
      return isDown
    },
    get deaths() {
      return deaths
    },
    killAndRestart: async () => {
      isDown = true
      deaths += 1
      front.turnTo(undefined)
      await server.stop('SIGKILL')
      server = await startFastServer(input)
      front.turnTo(server.url)
      isDown = false
    },
  }
  await setUp(load)
  return load
}

async function setUp({ api, upstream }: Load): Promise<void> {
  const where = { urls: [upstream.url], suites: ['stable'], components: ['main'] }
  const { keyring } = upstream
  const steps: readonly [string, object][] = [
    ['/archives', { name: 'nut', ...where, architectures: ['amd64'], keyring }],
    ['/archives/refresh', {}],
    ['/channels', { name: 'testing', follow: ['nut'] }],
    ['/channels', { name: 'approved', from: 'testing' }],
    ['/channels', { name: 'derived', base: 'approved' }],
    ['/classes', { name: 'web', channel: 'approved' }],
  ]
  for (const [path, body] of steps) {
    const { error } = await api('POST', path, body)
    if (error !== undefined) throw new Error(`${path}: ${error.message}`)
  }
}

interface Call {
  readonly method: string
  readonly path: string
  readonly body?: object | undefined
}

async function call(url: string, token: string, { method, path, body }: Call): Promise<unknown> {
  const headers: Record<string, string> = { Authorization: `Bearer ${token}` }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  const text = body === undefined ? null : JSON.stringify(body)
  return (await fetch(`${url}/api/v1${path}`, { method, headers, body: text })).json()
}

interface FastServer {
  readonly url: string
  stop(signal: NodeJS.Signals): Promise<void>
}

async function startFastServer(input: FastServerInput): Promise<FastServer> {
  const script = join(import.meta.dirname, 'fast-server.ts')
  const child = spawn(process.execPath, [script, JSON.stringify(input)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const [line] = await Promise.race([once(lines, 'line'), ended.then(() => [''])])
  if (line === '') throw new Error('the server does not start')
  const { url }: { url: string } = JSON.parse(line)
  return {
    url,
    stop: async (signal) => {
      child.kill(signal)
      await ended
    },
  }
}
