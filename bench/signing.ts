/**
 * The throw-away key that signs a benchmark's archive: a GNUPGHOME below the archive's directory, no passphrase.
 *
 * gpg signs with the Release's own time (`--faked-system-time`), so the same key and Release give the same signature.
 * Its agent is ended for this home alone, by gpgconf.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const user = 'Benchmark archive <bench@archive.example>'

/** Where the public half is, for `Signed-By`, `--keyring` and the like. */
export function keyringPath(directory: string): string {
  return join(directory, 'archive-keyring.gpg')
}

/** Where gpg finds the secret half. */
export function gnupgHome(directory: string): string {
  return join(directory, 'gnupg')
}

/** Makes the key unless the directory has one. `epochSeconds` is the earliest time that anything is signed at. */
export function ensureKey(directory: string, epochSeconds: number): void {
  const home = gnupgHome(directory)
  if (!existsSync(keyringPath(directory))) {
    mkdirSync(home, { recursive: true, mode: 0o700 })
    const dayBefore = epochSeconds - 86_400
    gpg(home, dayBefore, ['--quick-generate-key', user, 'ed25519', 'sign', 'never'])
    writeFileSync(keyringPath(directory), gpg(home, dayBefore, ['--export']))
  }
}

/** The fingerprint of the key. */
export function keyFingerprint(directory: string): string {
  const out = gpg(gnupgHome(directory), undefined, ['--with-colons', '--list-keys']).toString()
  const fingerprint = /^fpr:+([0-9A-F]+):/m.exec(out)?.[1]
  if (fingerprint === undefined) throw new Error(`no key in ${gnupgHome(directory)}`)
  return fingerprint
}

/** The two signed forms of a Release: InRelease and Release.gpg. */
export function signRelease(
  directory: string,
  release: Buffer,
  epochSeconds: number,
): { readonly inRelease: Buffer; readonly detached: Buffer } {
  const home = gnupgHome(directory)
  const inRelease = gpg(home, epochSeconds, ['--clearsign', '--output', '-'], release)
  const detached = gpg(home, epochSeconds, ['--detach-sign', '--armor', '--output', '-'], release)
  return { inRelease, detached }
}

/** Ends the agent that gpg started for this directory's key. */
export function endAgent(directory: string): void {
  execFileSync('gpgconf', ['--homedir', gnupgHome(directory), '--kill', 'gpg-agent'])
}

function gpg(
  home: string,
  at: number | undefined,
  args: readonly string[],
  input?: Buffer,
): Buffer {
  const clock = at === undefined ? [] : ['--faked-system-time', String(at)]
  const quiet = ['--batch', '--yes', '--no-tty', '--quiet', '--no-permission-warning']
  const loopback = ['--pinentry-mode', 'loopback', '--passphrase', '']
  return execFileSync('gpg', ['--homedir', home, ...quiet, ...loopback, ...clock, ...args], {
    input,
    stdio: ['pipe', 'pipe', 'pipe'],
    maxBuffer: 1 << 26,
  })
}
