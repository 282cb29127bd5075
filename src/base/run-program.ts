/**
 * Runs a program of this machine to its end: no shell, its output bounded, and a time after which it is killed with all
 * that it started (it leads a process group of its own, so that Ctrl-C at our terminal does not reach it either).
 */
import { spawn } from 'node:child_process'
import { type Abortable, withTimeout } from './abortable.ts'
import { AppError, systemCode } from './errors.ts'

export interface ProgramInput extends Abortable {
  readonly input?: string | Uint8Array | undefined
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly timeoutMs: number
  /** For each of the two streams. */
  readonly maxOutputBytes: number
}

export interface ProgramResult {
  /** Null if a signal ended it. */
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

/**
 * Runs `command`; any exit code is a result. Rejects with `ERR_PROGRAM` for one that cannot be started, says too much or
 * takes too long, and with the signal's reason.
 */
export async function runProgram(
  command: string,
  args: readonly string[],
  { input, env, timeoutMs, maxOutputBytes, signal }: ProgramInput,
): Promise<ProgramResult> {
  signal?.throwIfAborted()
  const child = spawn(command, args, { env, detached: true, stdio: 'pipe' })
  const done = Promise.withResolvers<number | null>()
  const fail = (what: string, cause?: unknown): void =>
    done.reject(new AppError('ERR_PROGRAM', { message: `${command} ${what}`, cause }))
  // It may fail before anybody waits for it.
  done.promise.catch(() => undefined)
  child.on('error', (error) => fail(`cannot be run: ${systemCode(error) ?? error.message}`, error))
  child.on('close', (code) => done.resolve(code))
  // One for which there were no pipes has no streams, whatever its type says.
  const streams: Partial<Pick<typeof child, 'stdin' | 'stdout' | 'stderr'>> = child
  // A program that does not read its input to the end closes the pipe: its exit code tells the rest.
  streams.stdin?.on('error', () => undefined)
  streams.stdin?.end(input)
  const [stdout, stderr] = [streams.stdout, streams.stderr].map((stream) => {
    const pieces: Buffer[] = []
    let size = 0
    stream?.on('data', (piece: Buffer) => {
      size += piece.length
      if (size > maxOutputBytes) fail(`says more than ${maxOutputBytes} bytes`)
      else pieces.push(piece)
    })
    return pieces
  })
  const limit = withTimeout(signal, timeoutMs)
  const stop = (): void => {
    if (signal?.aborted === true) done.reject(signal.reason)
    else fail(`did not end within ${timeoutMs / 1000} s`)
  }
  limit.addEventListener('abort', stop)
  try {
    const code = await done.promise
    const text = Buffer.concat(stderr ?? []).toString()
    return { code, stdout: Buffer.concat(stdout ?? []), stderr: text }
  } catch (error) {
    killGroup(child.pid)
    throw error
  } finally {
    limit.removeEventListener('abort', stop)
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error
  }
}
