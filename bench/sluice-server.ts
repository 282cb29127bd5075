/**
 * Sluice as its users have it: `bin/sluice serve` as a child, the command line, and the JSON API with its token.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { send } from './client.ts'
import { type Daemon, freePort, run, startDaemon, untilReady } from './processes.ts'

const program = join(import.meta.dirname, '../bin/sluice')
/** As the program is started, with the same settings of memory. */
const later = readFileSync(program, 'utf8').replace('src/cli/main.ts', 'bench/later.ts')

export interface SluiceServer {
  readonly url: string
  readonly pid: number
  readonly data: string
  /** From the start of the process to the first answer. */
  readonly startMs: number
  /** A call of the API; an answer other than 2xx is an error. */
  post(path: string, body: unknown): Promise<unknown>
  /** The same with PATCH, and with DELETE. */
  change(path: string, body: unknown): Promise<unknown>
  remove(path: string): Promise<unknown>
  /** Adds an archive with everything that its signed suites offer, from the first request to the last stored state. */
  addArchive(archive: ArchiveToAdd): Promise<unknown>
  /** Refreshes the archive; a suite that fails is an error. Milliseconds that the server says its suites took, until their states were written. */
  refresh(archive: string): Promise<number>
  /** Runs a command and tells how long it took. */
  command(...args: readonly string[]): Promise<number>
  end(): Promise<void>
}

export interface ArchiveToAdd {
  readonly name: string
  readonly url: string
  /** A file. */
  readonly keyring: string
  readonly suites: readonly string[]
  readonly components: readonly string[]
  readonly architectures: readonly string[]
  /** Of descriptions. */
  readonly languages: readonly string[]
}

/** Starts a server on the data directory below `directory`, its clock some days ahead; nothing is imported. */
export async function startSluice(
  {
    directory,
    logPath,
    limitMs,
    flags = [],
  }: { directory: string; logPath: string; limitMs: number; flags?: readonly string[] },
  days = 0,
): Promise<SluiceServer> {
  const data = join(directory, 'data')
  const listen = `127.0.0.1:${await freePort()}`
  const url = `http://${listen}`
  const server =
    days === 0
      ? { program, args: ['serve', '--data', data, '--listen', listen, '--no-import', ...flags] }
      : { program: 'sh', args: ['-c', later, program, data, listen, String(days)] }
  const startedMs = performance.now()
  const daemon: Daemon = startDaemon({ ...server, directory, logPath })
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
  const refresh = async (name: string) => {
    const result = await call('POST', `/archives/${name}/refresh`)
    const text = JSON.stringify(result)
    if (!text.includes('"outcomes"') || text.includes('"failed"'))
      throw new Error(`refresh: ${text}`)
    const { outcomes } = result as { outcomes: readonly { durationMs: number }[] }
    return outcomes.reduce((sum, outcome) => sum + outcome.durationMs, 0)
  }
  return {
    url,
    pid: daemon.pid,
    data,
    startMs,
    post: (path, body) => call('POST', path, body),
    change: (path, body) => call('PATCH', path, body),
    remove: (path) => call('DELETE', path),
    addArchive: async ({ name, url: from, keyring, ...rest }) => {
      const keyringBase64 = readFileSync(keyring).toString('base64')
      await call('POST', '/archives', { name, urls: [from], keyringBase64, ...rest })
      await refresh(name)
    },
    refresh,
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
