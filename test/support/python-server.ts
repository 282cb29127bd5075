/**
 * Servers in Python that judge what we send, by nothing of ours: `mail-server.py` and `webhook-server.py`. What each tells of
 * comes one after the other.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'

/** What a server tells: `{ mail }`, `{ call }`, `{ refused }`, `{ hung }`. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into what is told by name, and a wrong name fails the test
type Told = any

export interface PythonServer {
  readonly port: number
  /** The next thing that it tells; what was told stays until it is asked for. Throws after five minutes. */
  next(): Promise<Told>
  /** What was told and not asked for. */
  rest(): Told[]
  /** From then on it answers so. */
  behave(behavior: object): Promise<void>
  /** Ends it; its port answers no more. */
  stop(): Promise<void>
}

const PATIENCE_MS = 300_000

/** Starts one; it ends with the test. */
export async function startPython(
  t: Test,
  script: 'mail-server.py' | 'webhook-server.py',
  options: object = {},
): Promise<PythonServer> {
  const args = ['-u', join(import.meta.dirname, script), JSON.stringify(options)]
  const child = spawn('python3', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const told: Told[] = []
  let wake = Promise.withResolvers<void>()
  const next = async (): Promise<Told> => {
    const late = setTimeout(() => wake.reject(new Error(`${script} tells nothing`)), PATIENCE_MS)
    try {
      while (told.length === 0) await wake.promise
      return told.shift()
    } finally {
      clearTimeout(late)
    }
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    told.push(JSON.parse(line))
    wake.resolve()
    wake = Promise.withResolvers()
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  t.teardown(stop)
  const { port } = await next()
  return {
    port,
    next,
    rest: () => told.splice(0),
    behave: async (behavior) => {
      child.stdin.write(`${JSON.stringify(behavior)}\n`)
      for (;;) if ((await next()).behaves === true) return
    },
    stop,
  }
}
