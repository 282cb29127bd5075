/**
 * What each command gets: the output, the signal that ends it, the environment, and the server once it asks for it.
 */
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { createOutput, type Output, type OutputStream } from './output.ts'

/** The process around a command. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** Aborts at SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  /** Sets the exit code of a command that ends without an error: 3, done in part. */
  setExitCode(code: number): void
}

/** Options of every command. */
export interface GlobalOptions {
  readonly json?: boolean
  readonly url?: string
  readonly data?: string
}

export interface Context extends Surroundings {
  readonly out: Output
  readonly global: GlobalOptions
  /** The server's API; `ERR_NO_SERVER` if none runs. */
  connect(): Promise<Client>
}

/** The context of a command that is about to run. */
export function contextOf(around: Surroundings, command: Command): Context {
  const global: GlobalOptions = command.optsWithGlobals()
  const out = createOutput({ out: around.stdout, err: around.stderr }, global.json === true)
  return {
    ...around,
    out,
    global,
    connect: async () => {
      const { connect } = await import('./client.ts')
      const { env, signal } = around
      return connect({ url: global.url, data: global.data, env, signal })
    },
  }
}

/** A command's work: its positional arguments, its options. */
export type Work<Options> = (
  context: Context,
  args: readonly string[],
  options: Options,
) => Promise<void>

/** Gives a command its work; variadic arguments come flat. */
export function run<Options extends object>(
  around: Surroundings,
  command: Command,
  work: Work<Options>,
): Command {
  return command.action(async () => {
    await work(contextOf(around, command), command.args, command.opts<Options>())
  })
}

/** Values of an option that takes several, given apart or with commas. */
export function splitList(values: readonly string[] | undefined): string[] | undefined {
  return values?.flatMap((value) => value.split(',')).filter((value) => value !== '')
}
