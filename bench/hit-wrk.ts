/**
 * One run of wrk against one target, and what the target's processes used meanwhile.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processorSeconds } from './processes.ts'

export interface Asked {
  /** `http://127.0.0.1:3142` */
  readonly origin: string
  /** Of the server: its group of processes is looked at. */
  readonly pid: number
  /** In the order in which they are asked for, again and again. */
  readonly paths: readonly string[]
  readonly header: string | undefined
  readonly connections: number
}

export interface Result {
  readonly requestsPerSecond: number
  readonly megabytesPerSecond: number
  /** Microseconds of the server's processors. */
  readonly processorPerRequest: number
  readonly processorSecondsPerGigabyte: number
  /** Microseconds until an answer is whole: the median, and the worst of a hundred. */
  readonly latency: number
  readonly latency99: number
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
  const before = processorSeconds(asked.pid)
  const out = execFileSync('wrk', [...args, origin], { timeout: 120_000 }).toString()
  const used = processorSeconds(asked.pid) - before
  const found = /^result (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$/m.exec(out)
  if (found === null) throw new Error(`wrk said:\n${out}`)
  const [requests = 0, bytes = 0, took = 1, errors = 0, latency = 0, latency99 = 0] = found
    .slice(1)
    .map(Number)
  return {
    requestsPerSecond: (requests - errors) / (took / 1e6),
    megabytesPerSecond: bytes / took,
    processorPerRequest: (used / Math.max(1, requests)) * 1e6,
    processorSecondsPerGigabyte: used / (bytes / 1e9),
    latency,
    latency99,
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
