/**
 * `sluice serve` as an administrator starts it: a process whose output is read, and nothing else is known of it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const program = join(import.meta.dirname, '../../bin/sluice')

export interface Terminal {
  /** What was printed so far, on both streams. */
  readonly text: string
  /** Waits for a line that matches; throws, with all that was printed, when the program ends before. */
  line(pattern: RegExp): Promise<string>
  /** Ends it as Ctrl-C does; its exit code. */
  stop(): Promise<number | null>
}

/** Starts `sluice serve` with these arguments. */
export function startTerminal(args: readonly string[]): Terminal {
  const child = spawn(program, ['serve', ...args], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  let hasEnded = false
  let wake = Promise.withResolvers<void>()
  const note = (more: string): void => {
    text += more
    wake.resolve()
    wake = Promise.withResolvers()
  }
  child.stdout.setEncoding('utf8').on('data', note)
  child.stderr.setEncoding('utf8').on('data', note)
  const ended = once(child, 'close').then(([code]: (number | null)[]) => {
    hasEnded = true
    note('')
    return code ?? null
  })
  return {
    get text() {
      return text
    },
    line: async (pattern) => {
      for (;;) {
        const line = text
          .split('\n')
          .slice(0, -1)
          .find((one) => pattern.test(one))
        if (line !== undefined) return line
        if (hasEnded) throw new Error(`sluice serve ended, and never said ${pattern}:\n${text}`)
        await wake.promise
      }
    },
    stop: () => {
      if (!hasEnded) child.kill('SIGINT')
      return ended
    },
  }
}
