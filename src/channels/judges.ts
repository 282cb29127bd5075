/**
 * The judges of what we sign: gpgv and sqv, the programs that apt asks, where this machine has them. Nothing is published
 * that one of them refuses; where there is neither, our own verifier judges.
 *
 * Every key must have signed, `InRelease` and `Release.gpg`, and the text must be the Release. sqv 1.1 reads no
 * clear-signed files: it gets the signatures and the text apart.
 */
import { access, constants, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { AppError } from '../base/errors.ts'
import { type ProgramResult, runProgram } from '../base/run-program.ts'
import { signedBytes, splitClearSigned } from '../debian/clear-signed.ts'
import { readKeyring } from '../debian/keyring.ts'
import { verifyClearSigned, verifyDetached } from '../debian/openpgp-verify.ts'
import type { SignedRelease } from '../debian/release-signatures.ts'

const PATIENCE_MS = 20_000
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024

/** What was signed, and what it must be. */
export interface Case {
  /** For messages: `approved nut stable`. */
  readonly what: string
  readonly text: string
  readonly signed: SignedRelease
  readonly keys: readonly { readonly fingerprint: string; readonly publicKey: Buffer }[]
  /** Now: seconds since 1970. */
  readonly at: number
}

export interface Judges {
  /** `gpgv`, `sqv`: those that were found. */
  readonly names: readonly string[]
  /** Throws `ERR_SIGNATURE_BAD` if one of them refuses, or a milder reason of our own verifier. */
  judge(one: Case): Promise<void>
}

export interface JudgesOptions {
  readonly environment: Readonly<NodeJS.ProcessEnv>
  /** A path for a folder of its own, which is removed. */
  readonly tempPath: () => string
}

/** The files of a case on disk. */
interface Files {
  readonly dir: string
  readonly keyring: string
  readonly inRelease: string
  readonly release: string
  readonly releaseGpg: string
  /** The signatures of InRelease, and what they are over. */
  readonly clearSignature: string
  readonly clearText: string
}

/** Looks for the judges, once. */
export async function findJudges({ environment, tempPath }: JudgesOptions): Promise<Judges> {
  const path = environment.PATH ?? '/usr/local/bin:/usr/bin:/bin'
  const [gpgv, sqv] = [await findProgram('gpgv', path), await findProgram('sqv', path)]
  const programs = [
    ...(gpgv === undefined ? [] : [{ name: 'gpgv', judge: askGpgv(gpgv) }]),
    ...(sqv === undefined ? [] : [{ name: 'sqv', judge: askSqv(sqv) }]),
  ]
  return {
    names: programs.map(({ name }) => name),
    judge: async (one) => {
      if (programs.length === 0) return judgeOurselves(one)
      const files = await writeFiles(tempPath(), one)
      try {
        await Promise.all(programs.map(({ judge }) => judge(one, files)))
      } finally {
        await rm(files.dir, { recursive: true, force: true })
      }
    },
  }
}

type AskProgram = (one: Case, files: Files) => Promise<void>

function askGpgv(program: string): AskProgram {
  const ask = async (one: Case, keyring: string, files: readonly string[]): Promise<void> => {
    const base = ['--homedir', '/nonexistent', '--keyring', keyring, '--status-fd', '1']
    const ended = await run(program, [...base, ...files])
    const status = ended.stdout.toString()
    // The last word of VALIDSIG is the primary key, whichever of its subkeys signed.
    const signers = [...status.matchAll(/^\[GNUPG:\] VALIDSIG .* ([0-9A-F]{40})$/gm)].map(
      (match) => match[1],
    )
    const missing = one.keys.find(({ fingerprint }) => !signers.includes(fingerprint))
    if (ended.code === 0 && missing === undefined) return
    throw refused(one, 'gpgv', ended, missing && `no good signature by ${missing.fingerprint}`)
  }
  return async (one, { dir, keyring, inRelease, release, releaseGpg }) => {
    const output = join(dir, 'gpgv-read')
    await Promise.all([
      ask(one, keyring, ['--output', output, inRelease]),
      ask(one, keyring, [releaseGpg, release]),
    ])
    if ((await readFile(output, 'utf8')).trimEnd() === one.text.trimEnd()) return
    throw bad(one, 'gpgv reads another text in it than the Release')
  }
}

function askSqv(program: string): AskProgram {
  return async (one, files) => {
    const { keyring, clearSignature, clearText, releaseGpg, release } = files
    // By our clock, which tests move.
    const now = new Date((one.at + 1) * 1000).toISOString().replace('.000', '')
    const count = String(one.keys.length)
    const base = ['--keyring', keyring, '--signatures', count, '--not-after', now]
    const ask = async (...pair: string[]): Promise<void> => {
      const ended = await run(program, [...base, ...pair])
      if (ended.code !== 0) throw refused(one, 'sqv', ended)
    }
    await Promise.all([ask(clearSignature, clearText), ask(releaseGpg, release)])
  }
}

async function judgeOurselves({ text, signed, keys, at, what }: Case): Promise<void> {
  const ring = await readKeyring(Buffer.concat(keys.map((key) => key.publicKey)))
  const release = Buffer.from(text)
  for (const verified of [
    await verifyClearSigned(signed.inRelease, ring, at),
    await verifyDetached(release, signed.releaseGpg, ring, at),
  ]) {
    const signers = verified.signers.map(({ fingerprint }) => fingerprint)
    const missing = keys.find(({ fingerprint }) => !signers.includes(fingerprint))
    if (missing !== undefined) throw bad({ what }, `no good signature by ${missing.fingerprint}`)
    if (verified.text !== text) throw bad({ what }, 'its text is not the Release')
  }
}

async function writeFiles(dir: string, { text, signed, keys }: Case): Promise<Files> {
  const path = (name: string): string => join(dir, name)
  const files = {
    dir,
    keyring: path('keyring.gpg'),
    inRelease: path('InRelease'),
    release: path('Release'),
    releaseGpg: path('Release.gpg'),
    clearSignature: path('InRelease.sig'),
    clearText: path('InRelease.text'),
  }
  const { lines, signature } = splitClearSigned(signed.inRelease)
  await mkdir(dir, { mode: 0o700 })
  await Promise.all([
    writeFile(files.keyring, Buffer.concat(keys.map((key) => key.publicKey))),
    writeFile(files.inRelease, signed.inRelease),
    writeFile(files.release, text),
    writeFile(files.releaseGpg, signed.releaseGpg),
    writeFile(files.clearSignature, signature),
    writeFile(files.clearText, signedBytes(lines)),
  ])
  return files
}

function run(program: string, args: readonly string[]): Promise<ProgramResult> {
  const limits = { timeoutMs: PATIENCE_MS, maxOutputBytes: MAX_OUTPUT_BYTES }
  return runProgram(program, args, { ...limits, env: { LC_ALL: 'C' } })
}

async function findProgram(name: string, path: string): Promise<string | undefined> {
  for (const dir of path.split(delimiter).filter((one) => one.startsWith('/'))) {
    const file = join(dir, name)
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return file
  }
  return undefined
}

function refused(one: Case, judge: string, ended: ProgramResult, what?: string): AppError {
  const lines = ended.stderr.split('\n').map((line) => line.trim())
  const said = lines.filter((line) => line !== '').slice(-2)
  return bad(one, `${judge} refuses it: ${what ?? (said.join(' / ') || `exit code ${ended.code}`)}`)
}

function bad({ what }: Pick<Case, 'what'>, why: string): AppError {
  return new AppError('ERR_SIGNATURE_BAD', {
    message: `${what} was signed badly: ${why}`,
    hint: 'nothing was published; the keys are told by: sluice key list',
  })
}
