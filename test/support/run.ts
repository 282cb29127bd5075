/**
 * Runs a real program and waits for it, without a shell and without blocking: servers under test run in this process.
 * The program gets a clean environment (PATH, a UTF-8 locale, and what is told), so that no proxy setting leaks in.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Given on standard input. */
  readonly input?: string | Uint8Array
  /** Five minutes unless told; then the program is killed and the call throws. */
  readonly timeoutMs?: number
}

export interface RunResult {
  /** The exit code; a signal that ended the program throws instead. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `command` with `args`; an exit code other than 0 is a result, not an error. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const running = execute(command, [...args], {
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8', ...options.env },
    cwd: options.cwd,
    timeout: options.timeoutMs ?? 300_000,
    killSignal: 'SIGKILL',
    maxBuffer: 256 * 1024 * 1024,
  })
  // A program that does not read its input to the end closes the pipe: its exit code tells the rest.
  running.child.stdin?.on('error', () => undefined)
  running.child.stdin?.end(options.input)
  try {
    const { stdout, stderr } = await running
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as Partial<RunResult>
    if (typeof code !== 'number' || stdout === undefined || stderr === undefined) throw error
    return { code, stdout, stderr }
  }
}

/** As `run`, but an exit code other than 0 throws with what the program said. */
export async function runOk(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result = await run(command, args, options)
  if (result.code !== 0) {
    const said = `${result.stdout.slice(-2000)}${result.stderr.slice(-2000)}`
    throw new Error(`${command} ${args.join(' ')} ended with ${result.code}:\n${said}`)
  }
  return result
}
