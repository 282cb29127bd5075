/**
 * The judges of what we sign: gpgv and sqv, the programs that apt asks, where this machine has them. Nothing is published
 * that one of them refuses; where there is neither, our own verifier judges.
 *
 * Every key must have signed, `InRelease` and `Release.gpg`, and the text must be the Release. sqv 1.1 reads no
 * clear-signed files: it gets the signatures and the text apart. A key on a card may sign by a subkey.
 */
import { access, constants, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { AppError, systemCode } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { runProgram } from '../base/run-program.ts'
import { readKeyring } from '../debian/keyring.ts'
import { verifyClearSigned, verifyDetached } from '../debian/openpgp-verify.ts'
import { clearPackets, type SignedRelease } from '../debian/release-signatures.ts'

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
  readonly log: Log
}

/** What one program was asked, and what it answered. */
interface Answer {
  readonly judge: 'gpgv' | 'sqv'
  /** Its exit code; empty if it never began. */
  readonly code: string
  readonly lines: readonly string[]
  /** The file of what it said about it. */
  readonly saidPath: string
}

/**
 * One process of a large server costs milliseconds to begin: the four begin the others. All that is not constant in it
 * comes as an argument: the folder, the two programs (empty if absent), the number of signatures.
 */
const SCRIPT = `cd "$1" || exit 1
ask() { name=$1; shift; { "$@" 2>"$name.said"; code=$?; echo; echo "exit code $code"; } >"$name"; }
gpgv() { ask "$1" "$gpgv" --homedir /nonexistent --keyring ./keyring.gpg --status-fd 1 "$2" "$3" "$4"; }
sqv() { ask "$1" "$sqv" --keyring keyring.gpg --signatures "$count" "$2" "$3"; }
gpgv=$2 sqv=$3 count=$4
[ -z "$gpgv" ] || { gpgv gpgv-clear --output gpgv-read InRelease & gpgv gpgv-detached -- Release.gpg Release & }
[ -z "$sqv" ] || { sqv sqv-clear InRelease.sig InRelease.text & sqv sqv-detached Release.gpg Release & }
wait
`

/** Looks for the judges, once. */
export async function findJudges({ environment, tempPath, log }: JudgesOptions): Promise<Judges> {
  const path = environment.PATH ?? '/usr/local/bin:/usr/bin:/bin'
  const [gpgv, sqv] = [await findProgram('gpgv', path), await findProgram('sqv', path)]
  const names = [
    gpgv === undefined ? [] : ['gpgv' as const],
    sqv === undefined ? [] : ['sqv' as const],
  ].flat()
  if (names.length === 0) log.warn('neither gpgv nor sqv is here to judge signatures')
  return {
    names,
    judge: async (one) => {
      const asked = names.filter((name) => name === 'gpgv' || !isAhead(one))
      if (asked.length === 0) return judgeOurselves(one)
      const dir = tempPath()
      try {
        await writeFiles(dir, one)
        const count = String(one.keys.length)
        const args = [dir, gpgv ?? '', asked.includes('sqv') ? (sqv ?? '') : '', count]
        const limits = { timeoutMs: PATIENCE_MS, maxOutputBytes: MAX_OUTPUT_BYTES }
        await runProgram('/bin/sh', ['-c', SCRIPT, 'judges', ...args], {
          ...limits,
          env: { LC_ALL: 'C' },
        })
        for (const name of asked) await hear(one, dir, name)
      } finally {
        // What stays goes with the next start: no reason to refuse what was judged, or to hide why it was refused.
        await rm(dir, { recursive: true, force: true }).catch((error: unknown) =>
          log.warn({ code: systemCode(error) }, 'files of a judgement stay'),
        )
      }
    },
  }
}

/** sqv goes by the machine's clock, and can say nothing of the future that a test is in. */
function isAhead({ at }: Case): boolean {
  return at > Date.now() / 1000 + 60
}

async function hear(one: Case, dir: string, judge: Answer['judge']): Promise<void> {
  const answers = await Promise.all(
    ['clear', 'detached'].map((form) => readAnswer(dir, judge, `${judge}-${form}`)),
  )
  for (const answer of answers) {
    if (answer.code !== '0') throw await refused(one, answer)
    const missing = judge === 'gpgv' ? withoutSignature(one, answer) : undefined
    if (missing !== undefined) throw await refused(one, answer, `no good signature by ${missing}`)
  }
  if (judge === 'sqv') return
  const read = await readFile(join(dir, 'gpgv-read'), 'utf8').catch(() => '')
  if (read.trimEnd() !== one.text.trimEnd())
    throw bad(one, 'gpgv reads another text in it than the Release')
}

async function readAnswer(dir: string, judge: Answer['judge'], name: string): Promise<Answer> {
  // One that the disk had no room for never began.
  const text = await readFile(join(dir, name), 'utf8').catch(() => '')
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const [, code = ''] = /^exit code ([0-9]+)$/.exec(lines.at(-1) ?? '') ?? []
  return { judge, code, lines, saidPath: join(dir, `${name}.said`) }
}

/** The last word of VALIDSIG is the primary key, whichever of its subkeys signed. */
function withoutSignature({ keys }: Case, { lines }: Answer): string | undefined {
  const signers = new Set(
    lines.map((line) => /^\[GNUPG:\] VALIDSIG .* ([0-9A-F]{40})$/.exec(line)?.[1]),
  )
  return keys.find(({ fingerprint }) => !signers.has(fingerprint))?.fingerprint
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

async function writeFiles(dir: string, { text, signed, keys }: Case): Promise<void> {
  // Refuses one with another text.
  const signature = clearPackets(signed.inRelease, text)
  const files = {
    'keyring.gpg': Buffer.concat(keys.map((key) => key.publicKey)),
    InRelease: signed.inRelease,
    Release: text,
    'Release.gpg': signed.releaseGpg,
    'InRelease.sig': signature,
    'InRelease.text': text.slice(0, -1).replaceAll('\n', '\r\n'),
  }
  await mkdir(dir, { mode: 0o700 })
  await Promise.all(Object.entries(files).map(([name, data]) => writeFile(join(dir, name), data)))
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

async function refused(
  one: Case,
  { judge, code, saidPath }: Answer,
  what?: string,
): Promise<AppError> {
  const said = await readFile(saidPath, 'utf8').catch(() => '')
  const lines = said.split('\n').map((line) => line.trim())
  const last = lines.filter((line) => line !== '').slice(-2)
  return bad(one, `${judge} refuses it: ${what ?? (last.join(' / ') || `exit code ${code}`)}`)
}

function bad({ what }: Pick<Case, 'what'>, why: string): AppError {
  return new AppError('ERR_SIGNATURE_BAD', {
    message: `${what} was signed badly: ${why}`,
    hint: 'nothing was published; the keys are told by: sluice key list',
  })
}
