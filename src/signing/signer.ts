/**
 * Whoever signs: the signing process with the key files, or the command of `sign-command`. New keys are the command's
 * where there is one; each key goes on signing where it was made, so that rotating moves a publication from the one to
 * the other.
 */
import type { FileDigest } from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'
import { parseSha256 } from '../base/sha256.ts'
import { type PublicKey, readPublicKeys } from '../debian/public-keys.ts'
import {
  composeRelease,
  type ReleaseSignatures,
  type SignedRelease,
} from '../debian/release-signatures.ts'
import type { KeySource } from './publication-key-table.ts'
import { createSignCommand, type SignCommand, type WantedSignatures } from './sign-command.ts'
import {
  type SigningProcess,
  type SigningProcessOptions,
  startSigningProcess,
} from './signing-process.ts'
import type { SigningRequest } from './signing-requests.ts'

export interface SignerKey {
  readonly fingerprint: string
  readonly source: KeySource
}

export interface Signer {
  /** A key for the publication that is not `known`; `ERR_REFUSED` if the command has none. `at`: seconds since 1970. */
  makeKey(
    wanted: {
      readonly publication: string
      readonly at: number
      readonly known: readonly string[]
    },
    abortable?: Abortable,
  ): Promise<PublicKey & { readonly source: KeySource }>
  /** The public part of a key whose private part is here. */
  findKey(publication: string, key: SignerKey): Promise<PublicKey | undefined>
  /** The Release signed by all of the keys; `ERR_CONFIG` if one is missing, `ERR_SIGNING` if it was not signed. */
  sign(
    wanted: Omit<WantedSignatures, 'fingerprints'> & { readonly keys: readonly SignerKey[] },
    abortable?: Abortable,
  ): Promise<SignedRelease>
  /** The digest of what lies in a scratch file, by its place among the options' ones; `ERR_SIGNING` if none came. */
  measure(file: number, runs: Float64Array): Promise<FileDigest>
  /** Of the signing process, if one runs. */
  readonly pid: number | undefined
  close(): Promise<void>
}

export interface SignerOptions extends SigningProcessOptions {
  readonly signCommand?: readonly string[] | undefined
}

/** Starts what is needed; with a command the process only when a key of a file is asked for. */
export function openSigner(options: SignerOptions): Signer {
  const { signCommand, environment } = options
  const command =
    signCommand === undefined ? undefined : createSignCommand({ command: signCommand, environment })
  let process = command === undefined ? startSigningProcess(options) : undefined
  const ask = (
    request: SigningRequest,
    abortable: Abortable,
  ): ReturnType<SigningProcess['ask']> => {
    process ??= startSigningProcess(options)
    return process.ask(request, abortable)
  }
  const publicKey = async (request: SigningRequest): Promise<PublicKey | undefined> => {
    const reply = await ask(request, {})
    return reply.kind === 'key' ? (await readPublicKeys(reply.publicKey))[0] : undefined
  }
  return {
    get pid() {
      return process?.pid
    },
    makeKey: async ({ publication, at, known }, abortable = {}) => {
      if (command !== undefined) {
        const all = await command.exportKeys(publication, at, abortable)
        const key = all.find(({ fingerprint }) => !known.includes(fingerprint))
        if (key === undefined) throw noOtherKey(publication)
        return { ...key, source: 'command' }
      }
      const key = await publicKey({ kind: 'make', publication, at, known })
      if (key === undefined) throw unsigned('the signing process made no key')
      return { ...key, source: 'file' }
    },
    findKey: async (publication, { fingerprint, source }) =>
      source === 'file' ? publicKey({ kind: 'find', publication, fingerprint }) : undefined,
    sign: async ({ keys, ...wanted }, abortable = {}) => {
      const signatures: ReleaseSignatures[] = []
      const files = fingerprintsOf(keys, 'file')
      if (files.length > 0) {
        const reply = await ask({ kind: 'sign', ...wanted, fingerprints: files }, abortable)
        if (reply.kind !== 'signed') throw unsigned('the signing process signed nothing')
        signatures.push(...reply.signatures)
      }
      const others = fingerprintsOf(keys, 'command')
      if (others.length > 0) {
        signatures.push(await need(command).sign({ ...wanted, fingerprints: others }, abortable))
      }
      return composeRelease(wanted.text, signatures)
    },
    measure: async (file, runs) => {
      const reply = await ask({ kind: 'measure', file, runs }, {})
      const sha256 = reply.kind === 'measured' ? parseSha256(reply.sha256) : undefined
      if (reply.kind !== 'measured' || sha256 === undefined)
        throw unsigned('the signing process measured nothing')
      return { sha256, size: reply.size }
    },
    close: async () => process?.close(),
  }
}

function fingerprintsOf(keys: readonly SignerKey[], source: KeySource): string[] {
  return keys.filter((key) => key.source === source).map((key) => key.fingerprint)
}

function need(command: SignCommand | undefined): SignCommand {
  if (command !== undefined) return command
  throw new AppError('ERR_CONFIG', {
    message: 'the key was made by a sign-command, and the settings name none',
    hint: 'sign-command = ["PROGRAM", …] in sluice.toml',
  })
}

function noOtherKey(publication: string): AppError {
  return new AppError('ERR_REFUSED', {
    message: `sign-command has no key for ${publication} that is not in use already`,
    hint: 'make one, and let its export-key print it as well',
  })
}

function unsigned(message: string): AppError {
  return new AppError('ERR_SIGNING', { message })
}
