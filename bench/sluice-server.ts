/**
 * Sluice as its users have it: `bin/sluice serve` as a child, the command line, and the JSON API with its token.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { send } from './client.ts'
import { type Daemon, freePort, run, startDaemon, untilReady } from './processes.ts'

const program = join(import.meta.dirname, '../bin/sluice')

export interface SluiceServer {
  readonly url: string
  readonly pid: number
  readonly data: string
  /** From the start of the process to the first answer. */
  readonly startMs: number
  /** A call of the API; an answer other than 2xx is an error. */
  post(path: string, body: unknown): Promise<unknown>
  get(path: string): Promise<unknown>
  /** Runs a command and tells how long it took. */
  command(...args: readonly string[]): Promise<number>
  end(): Promise<void>
}

/** Starts a server on an empty data directory below `directory`; nothing is imported. */
export async function startSluice(
  directory: string,
  logPath: string,
  limitMs: number,
): Promise<SluiceServer> {
  const data = join(directory, 'data')
  const listen = `127.0.0.1:${await freePort()}`
  const url = `http://${listen}`
  const args = ['serve', '--data', data, '--listen', listen, '--no-import']
  const startedMs = performance.now()
  const daemon: Daemon = startDaemon({ program, args, directory, logPath })
  await untilReady('sluice', 30_000, () => isHealthy(url), daemon)
  const startMs = performance.now() - startedMs
  const token = readFileSync(join(data, 'token'), 'utf8').trim()
  const call = async (method: string, path: string, body?: unknown) => {
    const authorization = `Bearer ${token}`
    const options =
      body === undefined
        ? { headers: { authorization } }
        : {
            headers: { authorization, 'content-type': 'application/json' },
            body: JSON.stringify(body),
          }
    const answer = await send(`${url}/api/v1${path}`, { method, limitMs, ...options })
    const reply = answer.body.toString()
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${reply.slice(0, 500)}`)
    const value: unknown = reply === '' ? undefined : JSON.parse(reply)
    return value
  }
  return {
    url,
    pid: daemon.pid,
    data,
    startMs,
    post: (path, body) => call('POST', path, body),
    get: (path) => call('GET', path),
    command: async (...words) => {
      const done = await run(
        { program, args: [...words, '--data', data], directory, logPath },
        limitMs,
      )
      return done.wallMs
    },
    end: daemon.end,
  }
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await send(`${url}/healthz`)).status === 200
  } catch {
    return false
  }
}
