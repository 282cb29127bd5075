/**
 * Runs `sluice serve` where every way out of the machine leads to a recorder: see closed-net.py.
 */
import { join } from 'node:path'
import { sluiceProgram } from './program.ts'
import { runOk } from './run.ts'

export interface ClosedNet {
  /** Of the server, over a data directory that is there. */
  readonly dataDir: string
  readonly flags?: readonly string[]
  /** `silent` takes questions for names and answers none. */
  readonly dns?: 'answers' | 'silent'
  /** A method and a target each, or a command line that begins with `sluice`. */
  readonly requests: readonly (readonly string[])[]
  /** Asks all at once. */
  readonly together?: boolean
}

export interface ClosedAnswer {
  /** Of HTTP; of a command its exit code. */
  readonly status: number
  readonly reason: string
  readonly headers: Readonly<Record<string, string>>
  /** The first 2,000 characters; of a command both streams. */
  readonly body: string
  readonly size: number
  readonly ms: number
}

export interface Recorded {
  readonly answers: readonly ClosedAnswer[]
  /** Names that were looked up. */
  readonly lookedUp: readonly string[]
  /** Addresses and ports that were connected to, the server's own apart. */
  readonly connected: readonly string[]
  /** What the server printed. */
  readonly said: string
}

/** Starts the server there, asks it, and stops it. */
export async function inClosedNet({ dataDir, flags = [], ...told }: ClosedNet): Promise<Recorded> {
  const serve = [sluiceProgram, 'serve', '--json', '--data', dataDir, '--listen', '127.0.0.1:0']
  const input = { dns: 'answers', ...told, serve: [...serve, '--no-import', ...flags] }
  const more = { sluice: sluiceProgram, data: dataDir }
  const user = process.getuid?.() === 0 ? [] : ['--map-root-user']
  const script = join(import.meta.dirname, 'closed-net.py')
  const { stdout } = await runOk('unshare', [
    ...user,
    '--net',
    '--mount',
    ...['python3', script, JSON.stringify({ ...input, ...more })],
  ])
  return JSON.parse(stdout)
}
