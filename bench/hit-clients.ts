/**
 * One run of clients against one target, and what the target's processes used meanwhile: wrk, or clients that drop what they
 * get in the kernel (sink.py). wrk copies a large file in pieces of 8 kB, at the cost of the processor that it shares.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processorSeconds } from './processes.ts'

export interface Asked {
  /** `http://127.0.0.1:3142` */
  readonly origin: string
  /** Of all servers that take part: their groups of processes are looked at. */
  readonly pids: readonly number[]
  /** In the order in which they are asked for, again and again. */
  readonly paths: readonly string[]
  readonly header?: string | undefined
  readonly connections: number
}

export interface Result {
  readonly requestsPerSecond: number
  readonly megabytesPerSecond: number
  /** Microseconds of the server's processors. */
  readonly processorPerRequest: number
  readonly processorSecondsPerGigabyte: number
  /** Microseconds until an answer is whole: the median, and the worst of a hundred. */
  readonly latency?: number
  readonly latency99?: number
  /** Answers that were none, or that were wrong. */
  readonly errors: number
}

/** Asks for some seconds. */
export function runWrk(asked: Asked, seconds: number, directory: string): Result {
  const script = join(directory, 'wrk.lua')
  writeFileSync(script, luaScript(asked.paths))
  const { connections, header, origin } = asked
  const threads = String(Math.min(2, connections))
  const args = ['-t', threads, '-c', String(connections), '-d', `${seconds}s`, '-s', script]
  if (header !== undefined) args.push('-H', header)
  const before = processorOf(asked.pids)
  const out = execFileSync('wrk', [...args, origin], { timeout: 120_000 }).toString()
  const used = processorOf(asked.pids) - before
  const [requests = 0, bytes = 0, took = 1, errors = 0, latency = 0, latency99 = 0] = figuresOf(out)
  return {
    ...resultOf({ requests, bytes, took, errors }, used),
    latency,
    latency99,
  }
}

/** Asks for the one path for some seconds, by clients that drop its bytes. */
export function runSink({ origin, pids, paths, connections }: Asked, seconds: number): Result {
  const { hostname, port } = new URL(origin)
  const script = join(import.meta.dirname, 'sink.py')
  const args = [script, hostname, port, paths[0] ?? '', String(connections), String(seconds)]
  const before = processorOf(pids)
  const out = execFileSync('python3', args, { timeout: 180_000 }).toString()
  const used = processorOf(pids) - before
  const [requests = 0, bytes = 0, took = 1, errors = 0] = figuresOf(out)
  return resultOf({ requests, bytes, took, errors }, used)
}

function processorOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + processorSeconds(pid), 0)
}

function figuresOf(out: string): number[] {
  const found = /^result ([0-9 ]+)$/m.exec(out)?.[1]
  if (found === undefined) throw new Error(`the clients said:\n${out}`)
  return found.split(' ').map(Number)
}

/** `took` in microseconds, `used` in seconds of processors. */
function resultOf(
  one: {
    readonly requests: number
    readonly bytes: number
    readonly took: number
    readonly errors: number
  },
  used: number,
): Result {
  const { requests, bytes, took, errors } = one
  return {
    requestsPerSecond: (requests - errors) / (took / 1e6),
    megabytesPerSecond: bytes / took,
    processorPerRequest: (used / Math.max(1, requests)) * 1e6,
    processorSecondsPerGigabyte: used / (bytes / 1e9),
    errors,
  }
}

function luaScript(paths: readonly string[]): string {
  const list = paths.map((path) => JSON.stringify(path)).join(',\n')
  return `local paths = {${list}}
local at = 0
request = function()
  at = at % #paths + 1
  return wrk.format('GET', paths[at])
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('result %d %d %d %d %d %d\\n', summary.requests, summary.bytes, summary.duration,
    e.status + e.connect + e.read + e.write + e.timeout, latency:percentile(50.0), latency:percentile(99.0)))
end
`
}
