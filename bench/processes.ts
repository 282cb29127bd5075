/**
 * Children of a benchmark: started by name, watched in /proc, ended by their id and never by a broad name.
 *
 * Everything is bounded in time. Whatever still runs when the benchmark ends, or is interrupted, is ended with it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  type Dirent,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

const started = new Set<ChildProcess>()

process.once('exit', endAllNow)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    endAllNow()
    process.exit(130)
  })
}

/** A new directory below the benchmarks' own; unless it is to be kept, it goes when the benchmark ends in any way. */
export function workingDirectory(prefix: string, isKept: boolean): string {
  const parent = join(tmpdir(), 'sluice-bench')
  mkdirSync(parent, { recursive: true })
  const directory = mkdtempSync(join(parent, prefix))
  process.once('exit', () => {
    if (isKept) console.error(`kept: ${directory}`)
    else rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })
  return directory
}

function endAllNow(): void {
  for (const child of started) signalGroup(child, 'SIGKILL')
}

// Each child leads a group of its own, so that what it started ends with it.
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly directory: string
  readonly environment?: NodeJS.ProcessEnv
  /** Output of both kinds is added to this file. */
  readonly logPath: string
}

function start(command: Command): ChildProcess {
  const log = openSync(command.logPath, 'a')
  const child = spawn(command.program, [...command.args], {
    cwd: command.directory,
    env: { ...process.env, ...command.environment },
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  started.add(child)
  child.once('exit', () => started.delete(child))
  child.once('error', () => started.delete(child))
  return child
}

export interface Daemon {
  readonly pid: number
  readonly logPath: string
  isRunning(): boolean
  /** SIGTERM, and SIGKILL after 20 s. */
  end(): Promise<void>
}

/** Starts a program that stays. */
export function startDaemon(command: Command): Daemon {
  const child = start(command)
  const { pid } = child
  if (pid === undefined) throw new Error(`${command.program} cannot be started`)
  const isRunning = () => child.exitCode === null && child.signalCode === null
  return {
    pid,
    logPath: command.logPath,
    isRunning,
    end: async () => {
      if (!isRunning()) return
      const exit = once(child, 'exit')
      signalGroup(child, 'SIGTERM')
      const late = setTimeout(() => signalGroup(child, 'SIGKILL'), 20_000)
      await exit
      clearTimeout(late)
    },
  }
}

function lastLines(logPath: string): string {
  return readFileSync(logPath, 'utf8').slice(-1500)
}

export interface Run {
  readonly wallMs: number
  /** Of all processes of the run, looked at ten times a second: a little less than the truth. */
  readonly processorMs: number
  /** Of the largest process of the run, looked at ten times a second. */
  readonly peakBytes: number
}

/** Runs a program to its end; a failure or `limitMs` passed is an error that ends with the log's last lines. */
export async function run(command: Command, limitMs: number): Promise<Run> {
  const startedMs = performance.now()
  const child = start(command)
  let peakBytes = 0
  let processorMs = 0
  const watch = setInterval(() => {
    processorMs = Math.max(processorMs, processorSeconds(child.pid ?? 0) * 1000)
    for (const pid of groupOf(child.pid ?? 0)) peakBytes = Math.max(peakBytes, peakMemory(pid))
  }, 100)
  const late = setTimeout(() => signalGroup(child, 'SIGKILL'), limitMs)
  try {
    const [code] = await once(child, 'exit')
    const wallMs = performance.now() - startedMs
    if (code === 0) return { wallMs, processorMs, peakBytes }
    const text = [command.program, ...command.args].join(' ')
    throw new Error(
      `${text} ended with ${code} after ${(wallMs / 1000).toFixed(0)} s:\n${lastLines(command.logPath)}`,
    )
  } finally {
    clearInterval(watch)
    clearTimeout(late)
  }
}

/** The leader and all living members of its process group. */
function groupOf(leader: number): number[] {
  const members: number[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const group = readProc(`/proc/${name}/stat`)
      ?.replace(/^.*\) /s, '')
      .split(' ')[2]
    if (group === String(leader)) members.push(Number(name))
  }
  return members
}

/** The most memory that the process ever had resident (VmHWM), in bytes; 0 if it is gone. */
export function peakMemory(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB/m.exec(readProc(`/proc/${pid}/status`) ?? '')?.[1]
  return kib === undefined ? 0 : Number(kib) * 1024
}

/** What the daemon and all in its group have resident now, or had at the most, together; in bytes. */
export function groupMemory(leader: number, field: 'VmRSS' | 'VmHWM'): number {
  return memoryOfEach(leader, field).reduce((sum, bytes) => sum + bytes, 0)
}

/** The same of each by itself. */
export function memoryOfEach(leader: number, field: 'VmRSS' | 'VmHWM'): number[] {
  return groupOf(leader).map((pid) => {
    const status = readProc(`/proc/${pid}/status`) ?? ''
    const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]
    return Number(kib ?? 0) * 1024
  })
}

/** Processor seconds, user and system, of the daemon and all in its group. */
export function processorSeconds(leader: number): number {
  let ticks = 0
  for (const pid of groupOf(leader)) {
    const fields =
      readProc(`/proc/${pid}/stat`)
        ?.replace(/^.*\) /s, '')
        .split(' ') ?? []
    for (const field of fields.slice(11, 15)) ticks += Number(field)
  }
  return ticks / ticksPerSecond
}

// USER_HZ: 100 on every architecture that Debian has had in this century.
const ticksPerSecond = 100

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

/** A port on loopback that was free a moment ago: of all that there are, or between these. */
export async function freePort(least?: number, most?: number): Promise<number> {
  const server: Server = createServer()
  const isAny = least === undefined || most === undefined
  for (let port = isAny ? 0 : least; ; port += 1) {
    server.listen(port, '127.0.0.1')
    const error = await once(server, 'listening').then(() => undefined, String)
    if (error === undefined) break
    if (isAny || port === most) throw new Error(error)
  }
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Waits until `isReady` says so; an error after `limitMs`, or as soon as the daemon has ended. */
export async function untilReady(
  what: string,
  limitMs: number,
  isReady: () => Promise<boolean>,
  daemon?: Daemon,
): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await isReady())) {
    if (daemon !== undefined && !daemon.isRunning()) {
      throw new Error(`${what} has ended:\n${lastLines(daemon.logPath)}`)
    }
    if (performance.now() > deadline) throw new Error(`${what} is not ready after ${limitMs} ms`)
    await wait(10)
  }
}

/** Bytes on disk of all files below `directory` but those `leaves` is true of, hard links once. What vanishes meanwhile counts nothing. */
export function diskUsage(
  directory: string,
  leaves: (name: string) => boolean = () => false,
): number {
  const seen = new Set<number>()
  let bytes = 0
  const waiting = [directory]
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    for (const entry of entriesOf(one)) {
      const path = join(one, entry.name)
      if (entry.isDirectory()) waiting.push(path)
      if (!entry.isFile() || leaves(entry.name)) continue
      const facts = statSync(path, { throwIfNoEntry: false })
      if (facts === undefined || seen.has(facts.ino)) continue
      seen.add(facts.ino)
      bytes += facts.blocks * 512
    }
  }
  return bytes
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
