/**
 * `bin/sluice` as a process of its own, known by what its user sees of it: what it prints, how it ends. Its environment
 * is clean, so that no setting of this machine leaks in.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Test } from 'tap'
import { orphansGone } from './orphans.ts'
import { type RunResult, run } from './run.ts'

export const sluiceProgram = join(import.meta.dirname, '../../bin/sluice')

const PATIENCE_MS = 300_000

export interface ProgramOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Runs the program with its arguments: `['unshare', '--mount']`. */
  readonly wrapper?: readonly string[]
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Both streams, as they came. */
  readonly text: string
}

export interface Program {
  readonly pid: number
  /** What was printed so far, on both streams. */
  readonly text: string
  /** Waits until what was printed matches; the first group, else the match. Throws if it ends before, or after five minutes. */
  says(pattern: RegExp): Promise<string>
  signal(name: NodeJS.Signals): void
  readonly ended: Promise<Ended>
}

/** Starts `sluice` with these arguments; it is killed at the end of the test, if it still runs then. */
export function startProgram(
  t: Test,
  args: readonly string[],
  { cwd, env, wrapper = [] }: ProgramOptions = {},
): Program {
  const [command = sluiceProgram, ...rest] = [...wrapper, sluiceProgram, ...args]
  const child = spawn(command, rest, {
    cwd,
    env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} does not start`)
  let text = ''
  let wake = Promise.withResolvers<void>()
  const note = (more: string): void => {
    text += more
    wake.resolve()
    wake = Promise.withResolvers()
  }
  child.stdout.setEncoding('utf8').on('data', note)
  child.stderr.setEncoding('utf8').on('data', note)
  let hasEnded = false
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    hasEnded = true
    note('')
    return { code, signal, text }
  })
  const signal = (name: NodeJS.Signals): void => {
    if (!hasEnded) child.kill(name)
  }
  t.teardown(async () => {
    signal('SIGKILL')
    await ended
    const dataDir = args[args.indexOf('--data') + 1]
    if (args.includes('--data') && dataDir !== undefined) await orphansGone(dataDir)
  })
  return {
    pid,
    get text() {
      return text
    },
    says: async (pattern) => {
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        note('')
      }, PATIENCE_MS)
      try {
        for (;;) {
          const found = pattern.exec(text)
          if (found !== null) return found[1] ?? found[0]
          if (hasEnded || isLate) throw new Error(`sluice never said ${pattern}:\n${text}`)
          await wake.promise
        }
      } finally {
        clearTimeout(timer)
      }
    },
    signal,
    ended,
  }
}

/** Runs `sluice` with these arguments to its end. */
export function runSluice(
  args: readonly string[],
  { cwd, env }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<RunResult> {
  return run(sluiceProgram, args, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
  })
}
