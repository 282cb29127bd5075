/**
 * The entry of `sluice`: signals, exit codes, and how errors are told. The only place that ends the process.
 *
 * The first SIGINT or SIGTERM aborts the one root signal, which ends what runs in an orderly way; a second one ends the
 * process at once. npm passes on a signal that the terminal has sent to us as well, so two within half a second are one.
 */
import { type AppError, exitCode, toAppError } from '../base/errors.ts'
import { runProgram } from './program.ts'
import { printable } from './words.ts'

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

function tell({ code, message, hint, details }: AppError, isJson: boolean): void {
  if (isJson) {
    process.stderr.write(`${JSON.stringify({ error: { code, message, hint, details } })}\n`)
    return
  }
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
    tell(error, args.includes('--json'))
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

process.exit(await main())
