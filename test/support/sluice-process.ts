/**
 * `sluice serve` as a process of its own, as an administrator runs it, so that it can be killed at a crash point.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Ended, startProgram } from './program.ts'

export interface SluiceProcess {
  readonly url: string
  readonly ended: Promise<Ended>
  /** Calls the API; the JSON of the answer, whatever its status. Throws when the process dies meanwhile. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and a wrong name fails the test
  api(method: string, path: string, body?: object): Promise<any>
  /** Ends it by SIGTERM, or by the signal told. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<Ended>
}

/** Starts a server over `dataDir`; how it ended, if it does not come up. `fault` is its SLUICE_FAULT. */
export async function startProcess(
  t: Test,
  dataDir: string,
  fault?: string,
): Promise<SluiceProcess | Ended> {
  const args = ['serve', '--json', '--data', dataDir, '--listen', '127.0.0.1:0', '--no-import']
  const env = fault === undefined ? {} : { SLUICE_FAULT: fault }
  const program = startProgram(t, [...args, '--log-level', 'warn'], { env })
  const stop: SluiceProcess['stop'] = (signal = 'SIGTERM') => {
    program.signal(signal)
    return program.ended
  }
  const url = await program.says(/"kind":"ready","url":"([^"]+)"/).catch(() => undefined)
  if (url === undefined) return stop('SIGKILL')
  const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
  return {
    url,
    ended: program.ended,
    api: (method, path, body) => call({ url, token }, method, path, body),
    stop,
  }
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
