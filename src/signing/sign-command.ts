/**
 * Signing by a command of the administrator's (`sign-command`), for keys on smart cards and in HSMs.
 *
 *   COMMAND… export-key PUBLICATION DATE             prints the public keys of the publication, armored or binary
 *   COMMAND… clearsign  PUBLICATION DATE KEY…        reads a Release, prints it clear-signed by all these keys
 *   COMMAND… detach     PUBLICATION DATE KEY…        reads a Release, prints the detached signatures
 *
 * PUBLICATION is `channel:approved`, DATE the time to sign with in seconds since 1970, KEY a fingerprint. Nothing of what
 * it prints is believed: the text must be the Release, and the signatures are judged like our own (judges.ts).
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError, toAppError } from '../base/errors.ts'
import { runProgram } from '../base/run-program.ts'
import { type PublicKey, readPublicKeys } from '../debian/public-keys.ts'
import {
  clearPackets,
  detachedPackets,
  type ReleaseSignatures,
} from '../debian/release-signatures.ts'

/** Time for a person to touch a card. */
const PATIENCE_MS = 60_000
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024

export interface SignCommand {
  /** All public keys that it has for the publication, in its order. */
  exportKeys(publication: string, at: number, abortable?: Abortable): Promise<PublicKey[]>
  sign(wanted: WantedSignatures, abortable?: Abortable): Promise<ReleaseSignatures>
}

export interface WantedSignatures {
  readonly publication: string
  /** Each must sign. */
  readonly fingerprints: readonly string[]
  readonly text: string
  /** Seconds since 1970. */
  readonly at: number
}

export interface SignCommandOptions {
  /** The program and what stands before the arguments above. */
  readonly command: readonly string[]
  readonly environment: Readonly<NodeJS.ProcessEnv>
  readonly timeoutMs?: number | undefined
}

/** What calls the command; each failure of it is `ERR_SIGNING`. */
export function createSignCommand(options: SignCommandOptions): SignCommand {
  return {
    exportKeys: async (publication, at, { signal } = {}) => {
      const printed = await call(options, ['export-key', publication, String(at)], '', signal)
      return judged(options, 'export-key', () => readPublicKeys(printed))
    },
    sign: async ({ publication, fingerprints, text, at }, { signal } = {}) => {
      const args = [publication, String(at), ...fingerprints]
      // One after the other: a card does one thing at a time.
      const clear = await call(options, ['clearsign', ...args], text, signal)
      const detached = await call(options, ['detach', ...args], text, signal)
      return {
        clear: await judged(options, 'clearsign', () => clearPackets(clear, text)),
        detached: await judged(options, 'detach', () => detachedPackets(detached)),
      }
    },
  }
}

async function call(
  options: SignCommandOptions,
  args: readonly string[],
  input: string,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const [program = '', ...first] = options.command
  // What is Sluice's own (a token among it) is no business of the command.
  const env = Object.fromEntries(
    Object.entries(options.environment).filter(([name]) => !name.startsWith('SLUICE_')),
  )
  const limits = {
    timeoutMs: options.timeoutMs ?? PATIENCE_MS,
    maxOutputBytes: MAX_OUTPUT_BYTES,
  }
  try {
    const ended = await runProgram(program, [...first, ...args], { ...limits, input, env, signal })
    if (ended.code === 0) return ended.stdout
    const how = ended.code === null ? 'was killed' : `ended with ${ended.code}`
    const said = ended.stderr.trim().split('\n').slice(-3).join(' / ').slice(0, 500)
    throw failure(options, args[0], said === '' ? how : `${how}: ${said}`)
  } catch (error) {
    if (toAppError(error).code !== 'ERR_PROGRAM') throw error
    throw failure(options, args[0], toAppError(error).message, error)
  }
}

/** What it printed, read; what cannot be is its failure. */
async function judged<T>(
  options: SignCommandOptions,
  wanted: string,
  read: () => T | Promise<T>,
): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const what = `what it printed cannot be used: ${toAppError(error).message}`
    throw failure(options, wanted, what, error)
  }
}

function failure(
  { command }: SignCommandOptions,
  wanted: string | undefined,
  what: string,
  cause?: unknown,
): AppError {
  return new AppError('ERR_SIGNING', {
    message: `sign-command, asked for ${wanted}: ${what}`,
    hint: `nothing was published; try it by hand: ${command.join(' ')} ${wanted} …`,
    cause,
  })
}
