/**
 * A real Sluice server for tests, in the test's own process on a free port of 127.0.0.1, and its API.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseConfig } from '../../src/base/config.ts'
import { type RunningServer, type StartOptions, startServer } from '../../src/server/start.ts'

export interface TestSluice {
  readonly url: string
  readonly dataDir: string
  readonly server: RunningServer
  /** The administrator's. */
  readonly token: string
  /** Calls the API; the JSON of the answer, whatever its status. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and a wrong name fails the test
  api(method: string, path: string, body?: object): Promise<any>
  close(): Promise<void>
}

const running = new Set<TestSluice>()

/** Closes the servers that still run over data below this folder, which may be removed then. */
export async function closeBelow(dir: string): Promise<void> {
  const all = [...running].filter(({ dataDir }) => dataDir.startsWith(`${dir}/`))
  for (const one of all) await one.close()
}

/** Starts a server over `dataDir`, which may hold the data of an earlier one; it imports nothing by itself. */
export async function startSluice(
  dataDir: string,
  options: StartOptions & { readonly flags?: Record<string, string | boolean> } = {},
): Promise<TestSluice> {
  const config = parseConfig({
    flags: {
      data: dataDir,
      listen: '127.0.0.1:0',
      import: false,
      'learn-hosts': 'none',
      ...options.flags,
    },
    env: {},
  })
  const server = await startServer(config, options)
  const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
  const sluice: TestSluice = {
    url: server.url,
    dataDir,
    server,
    token,
    api: async (method, path, body) => {
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
      const init =
        body === undefined
          ? { method, headers: { Authorization: headers.Authorization } }
          : { method, headers, body: JSON.stringify(body) }
      const response = await fetch(`${server.url}/api/v1${path}`, init)
      return response.json()
    },
    close: async () => {
      await server.close()
      running.delete(sluice)
    },
  }
  running.add(sluice)
  return sluice
}
