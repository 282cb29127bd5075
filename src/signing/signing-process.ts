/**
 * The server's side of the signing process: starts it, asks it one thing at a time, and starts it again when it dies.
 *
 * A request that it died under is asked once more, of a new one: all requests can be. One that it does not answer in time
 * costs it its life, and is an error.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { extname, join } from 'node:path'
import type { Abortable } from '../base/abortable.ts'
import { AppError, isErrorCode } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { createMutex } from '../base/mutex.ts'
import { parseMessage, type SigningReply, type SigningRequest } from './signing-requests.ts'

/** As the module that this is: `.ts` in a checkout, `.js` in what `npm pack` makes of it. */
const entry = join(import.meta.dirname, `signing-main${extname(import.meta.filename)}`)
/** Its heap needs 10 MB, and two thirds of what it takes is the program of Node, which it shares with us. */
const memoryFlags = ['--max-old-space-size=48', '--max-semi-space-size=1']
/** The same as in bin/sluice: with it the process is ready in half the time. */
const compileCache = join(import.meta.dirname, '../../node_modules/.cache/sluice')
const ANSWER_MS = 20_000

export interface SigningProcess {
  /** The answer; a failure that it tells is thrown. `ERR_SIGNING` if it gives none. */
  ask(request: SigningRequest, abortable?: Abortable): Promise<SigningReply>
  /** Of the one that runs. */
  readonly pid: number | undefined
  close(): Promise<void>
}

export interface SigningProcessOptions {
  readonly keysDir: string
  readonly log: Log
  /** Of what the server's environment says, only SLUICE_SIGNING_FAULT gets to it, as its SLUICE_FAULT. */
  readonly environment: Readonly<NodeJS.ProcessEnv>
  readonly answerWithinMs?: number | undefined
  /** Descriptors of files that it may read, to measure what is in them. */
  readonly scratch?: readonly number[] | undefined
}

interface Running {
  readonly child: ChildProcess
  readonly ended: PromiseWithResolvers<void>
  waiting?: PromiseWithResolvers<SigningReply | 'died'> | undefined
  hasAnswered: boolean
}

/** Starts it; it is ready when it answers. */
export function startSigningProcess(options: SigningProcessOptions): SigningProcess {
  const { log, answerWithinMs = ANSWER_MS } = options
  const oneAtATime = createMutex()
  let isClosing = false
  let running: Running | undefined
  const start = (): Running => {
    const mine = launch(options, (how) => {
      if (running === mine) running = undefined
      if (isClosing) return
      log.warn(how, 'signing process ended')
      // One that never answered would die again and again.
      if (mine.hasAnswered) running = start()
    })
    return mine
  }
  const askOnce = async (request: SigningRequest): Promise<SigningReply | 'died'> => {
    running ??= start()
    const { child } = running
    const waiting = Promise.withResolvers<SigningReply | 'died'>()
    running.waiting = waiting
    // What cannot be sent is told by its end.
    child.send(request, () => undefined)
    const timer = setTimeout(() => {
      waiting.reject(late(answerWithinMs))
      child.kill('SIGKILL')
    }, answerWithinMs)
    try {
      return await waiting.promise
    } finally {
      clearTimeout(timer)
    }
  }
  running = start()
  return {
    get pid() {
      return running?.child.pid
    },
    ask: (request, { signal } = {}) =>
      oneAtATime(async () => {
        signal?.throwIfAborted()
        const first = await askOnce(request)
        const reply = first === 'died' ? await askOnce(request) : first
        if (reply === 'died') throw died()
        if (reply.kind === 'failed') throw told(reply)
        return reply
      }),
    close: async () => {
      isClosing = true
      const last = running
      if (last === undefined) return
      if (last.child.connected) last.child.disconnect()
      const timer = setTimeout(() => last.child.kill('SIGKILL'), 2000)
      await last.ended.promise
      clearTimeout(timer)
    },
  }
}

function launch(
  { keysDir, environment, scratch = [] }: SigningProcessOptions,
  onEnd: (how: { readonly code: number | null; readonly signal: string | null }) => void,
): Running {
  const fault = environment.SLUICE_SIGNING_FAULT
  const child = fork(entry, [keysDir], {
    execArgv: memoryFlags,
    env: {
      NODE_COMPILE_CACHE: compileCache,
      MALLOC_ARENA_MAX: '1',
      ...(fault === undefined ? {} : { SLUICE_FAULT: fault }),
    },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', ...scratch],
  })
  const mine: Running = { child, ended: Promise.withResolvers(), hasAnswered: false }
  let isOver = false
  const end = (code: number | null, signal: string | null): void => {
    if (isOver) return
    isOver = true
    mine.waiting?.resolve('died')
    mine.ended.resolve()
    onEnd({ code, signal })
  }
  child.on('exit', end)
  // One that could not even be started has no exit.
  child.on('error', () => {
    if (child.pid === undefined) end(null, null)
  })
  child.on('message', (message) => {
    mine.hasAnswered = true
    mine.waiting?.resolve(parseMessage<SigningReply>(message))
  })
  return mine
}

function told({ code, message, hint }: Extract<SigningReply, { kind: 'failed' }>): AppError {
  return new AppError(isErrorCode(code) ? code : 'ERR_SIGNING', { message, hint })
}

function died(): AppError {
  return new AppError('ERR_SIGNING', {
    message: 'the signing process died, and the one after it too',
    hint: 'look for it in the system’s log: it may have been out of memory',
  })
}

function late(answerWithinMs: number): AppError {
  return new AppError('ERR_SIGNING', {
    message: `the signing process did not answer within ${answerWithinMs / 1000} s`,
    hint: 'a new one is started: try again',
  })
}
