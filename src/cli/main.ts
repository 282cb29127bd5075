/**
 * The entry of `sluice`: signals, exit codes, and how errors are told. The only place that ends the process.
 *
 * The first SIGINT or SIGTERM aborts the one root signal, which ends what runs in an orderly way; a second one ends the
 * process at once. npm passes on a signal that the terminal has sent to us as well, so two within half a second are one.
 *
 * All other modules are imported after signals are watched.
 */
import type { AppError } from '../base/errors.ts'

const ONE_SIGNAL_MS = 500
const INTERRUPTED = 130

function watchSignals(): AbortSignal {
  const root = new AbortController()
  let firstAt: number | undefined
  const stop = (): void => {
    const now = performance.now()
    if (firstAt !== undefined && now - firstAt > ONE_SIGNAL_MS) process.exit(INTERRUPTED)
    firstAt ??= now
    root.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return root.signal
}

async function tell({ code, message, hint, details }: AppError, isJson: boolean): Promise<void> {
  if (isJson) {
    process.stderr.write(`${JSON.stringify({ error: { code, message, hint, details } })}\n`)
    return
  }
  const { printable } = await import('./words.ts')
  process.stderr.write(`sluice: error: ${printable(message)}\n`)
  if (hint !== undefined) process.stderr.write(`sluice: hint: ${printable(hint)}\n`)
}

async function main(): Promise<number> {
  const args = process.argv.slice(2)
  const signal = watchSignals()
  // What reads our output may stop reading: `sluice audit | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1)
  })
  const { runProgram } = await import('./program.ts')
  const { exitCode, toAppError } = await import('../base/errors.ts')
  let code = 0
  const { env, stdout, stderr } = process
  const setExitCode = (wanted: number): void => {
    code = wanted
  }
  try {
    await runProgram(args, { env, stdout, stderr, signal, setExitCode })
    return code
  } catch (thrown) {
    const error = toAppError(thrown)
    if (stderr.isTTY) stderr.write('\r\u001b[K')
    await tell(error, args.includes('--json'))
    if (
      error.code === 'ERR_INTERNAL' &&
      thrown instanceof Error &&
      env.SLUICE_DEBUG !== undefined
    ) {
      stderr.write(`${thrown.stack}\n`)
    }
    return exitCode(error.code)
  }
}

/** What was written is with who reads it: the end of the process would throw away what still waits in a pipe. */
async function drain(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise((resolve) => stream.write('', resolve))
  }
}

const code = await main()
await drain()
process.exit(code)
