/**
 * `sluice serve` as a process of its own, as an administrator runs it, so that it can be killed at a crash point.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const program = join(import.meta.dirname, '../../bin/sluice')

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
  readonly stderr: string
}

export interface SluiceProcess {
  readonly url: string
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Calls the API; the JSON of the answer, whatever its status. Throws when the process dies meanwhile. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and a wrong name fails the test
  api(method: string, path: string, body?: object): Promise<any>
  /** Ends it by SIGTERM, or by the signal told. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<Exit>
}

/** Starts a server over `dataDir`; how it ended, if it does not come up. `fault` is its SLUICE_FAULT. */
export async function startProcess(dataDir: string, fault?: string): Promise<SluiceProcess | Exit> {
  const args = ['serve', '--json', '--data', dataDir, '--listen', '127.0.0.1:0', '--no-import']
  const child = spawn(program, [...args, '--log-level', 'warn'], {
    env: { PATH: process.env.PATH, ...(fault === undefined ? {} : { SLUICE_FAULT: fault }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${program} does not start`)
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const exited = once(child, 'close').then(([code, signal]): Exit => ({ code, signal, stderr }))
  const ready = await Promise.race([readyUrl(child.stdout), exited])
  if (typeof ready !== 'string') return ready ?? exited
  const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
  return {
    url: ready,
    pid,
    exited,
    api: (method, path, body) => call({ url: ready, token }, method, path, body),
    stop: (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) process.kill(pid, signal)
      return exited
    },
  }
}

async function readyUrl(stdout: NodeJS.ReadableStream): Promise<string | undefined> {
  const lines = createInterface({ input: stdout })
  const url = new Promise<string | undefined>((resolve) => {
    lines.on('line', (line) => {
      const event: { kind?: string; url?: string } = JSON.parse(line)
      if (event.kind === 'ready') resolve(event.url)
    })
    lines.on('close', () => resolve(undefined))
  })
  return url
}

async function call(
  { url, token }: { url: string; token: string },
  method: string,
  path: string,
  body: object | undefined,
): Promise<unknown> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return response.json()
}
