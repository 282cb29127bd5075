/**
 * The judges of the OpenPGP tests: a real gpg that makes keys and signatures in a home of its own, and gpgv, sqv and apt's
 * own gpgv method, each asked for its opinion of a file.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunResult, run, runOk } from '../support/run.ts'

export interface GpgHome {
  readonly dir: string
  /** Makes a key without a passphrase and gives its fingerprint; `options` come before the command. */
  makeKey(name: string, kind: KeyKind, options?: readonly string[]): Promise<string>
  run(...args: string[]): Promise<RunResult>
  /** The public keys, binary. */
  exportKeys(...fingerprints: string[]): Promise<Buffer>
  /** `text` clear-signed by the keys. */
  clearSign(text: string, keys: readonly string[], options?: readonly string[]): Promise<Buffer>
  /** A detached signature of `text`, armored. */
  detachSign(text: string, keys: readonly string[], options?: readonly string[]): Promise<Buffer>
  close(): Promise<void>
}

/** Algorithm, usage and life, as gpg --quick-generate-key takes them. */
export type KeyKind = readonly [algorithm: string, usage?: string, expire?: string]

/**
 * A new gpg home; `close` ends its agent and removes it. Not below the test's own directory, because the path of the
 * agent's socket may not be longer than 107 bytes.
 */
export async function openGpgHome(): Promise<GpgHome> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-gpg-'))
  const base = ['--homedir', dir, '--batch', '--quiet', '--pinentry-mode', 'loopback']
  const start = [...base, '--passphrase', '']
  const call = (args: readonly string[]): Promise<RunResult> => runOk('gpg', [...start, ...args])
  let serial = 0
  const sign = async (how: string, text: string, args: readonly string[]): Promise<Buffer> => {
    const file = join(dir, `text-${++serial}`)
    await writeFile(file, text)
    await call([...args, '--output', `${file}.out`, how, file])
    return readFile(`${file}.out`)
  }
  const users = (keys: readonly string[]): string[] => keys.flatMap((key) => ['--local-user', key])
  return {
    dir,
    run: (...args) => call(args),
    makeKey: async (name, [algorithm, usage = 'sign', expire = 'never'], options = []) => {
      const user = `${name} <${name.replaceAll(' ', '.')}@example.org>`
      await call([...options, '--quick-generate-key', user, algorithm, usage, expire])
      return fingerprintOf((await call(['--with-colons', '--list-keys', `=${user}`])).stdout)
    },
    exportKeys: async (...fingerprints) => {
      const file = join(dir, `keys-${++serial}`)
      await call(['--output', file, '--export', ...fingerprints])
      return readFile(file)
    },
    clearSign: (text, keys, options = []) =>
      sign('--clear-sign', text, [...users(keys), ...options]),
    detachSign: (text, keys, options = []) =>
      sign('--detach-sign', text, ['--armor', ...users(keys), ...options]),
    close: async () => {
      await runOk('gpgconf', ['--homedir', dir, '--kill', 'gpg-agent'])
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** What gpgv says of a file: the keywords of its status lines that tell, in order. */
export async function askGpgv(keyring: string, ...files: string[]): Promise<string[]> {
  const { stdout } = await run('gpgv', ['--status-fd', '1', '--keyring', keyring, ...files])
  const words = [...stdout.matchAll(/^\[GNUPG:\] (\S+)/gm)].map((match) => match[1] ?? '')
  return words.filter((word) => /SIG$|^NO_PUBKEY$|^NODATA$/.test(word) && word !== 'NEWSIG')
}

/** Whether sqv takes the detached signature. */
export async function askSqv(keyring: string, signature: string, file: string): Promise<boolean> {
  return (await run('sqv', ['--keyring', keyring, signature, file])).code === 0
}

export interface AptQuestion {
  /** A file, or fingerprints as `Signed-By` takes them. */
  readonly keyring: string
  /** The detached signature, or the clear-signed file itself. */
  readonly signature: string
  readonly file: string
}

/**
 * Whether apt's gpgv method takes each file, as apt-get update would; one process for all of them. `trustedParts` is a
 * directory of keyrings, for questions whose `keyring` is a fingerprint.
 */
export async function askApt(
  questions: readonly AptQuestion[],
  trustedParts = '/nonexistent',
): Promise<boolean[]> {
  const items = ['Dir::Etc::trusted=/nonexistent', `Dir::Etc::trustedparts=${trustedParts}`]
  const config = `601 Configuration\n${items.map((item) => `Config-Item: ${item}\n`).join('')}\n`
  const asked = questions.map(
    ({ keyring, signature, file }) =>
      `600 URI Acquire\nURI: gpgv:${signature}\nFilename: ${file}\nSigned-By: ${keyring}\n\n`,
  )
  const input = config + asked.join('')
  const { stdout } = await run('/usr/lib/apt/methods/gpgv', [], { input })
  const answers = stdout.split('\n\n').filter((part) => /^(201|400)/.test(part))
  if (answers.length !== questions.length)
    throw new Error(`apt's gpgv method said: ${stdout.slice(-2000)}`)
  return answers.map((answer) => answer.startsWith('201'))
}

function fingerprintOf(colons: string): string {
  const found = /^fpr:::::::::([0-9A-F]{40}):/m.exec(colons)?.[1]
  if (found === undefined) throw new Error(`gpg listed no key: ${colons}`)
  return found
}
