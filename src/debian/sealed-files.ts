/**
 * Small secret files under a passphrase: a tar inside an OpenPGP message that is encrypted symmetrically (RFC 9580 §5.3),
 * so that the keys in a backup can be had without Sluice as well:
 *
 *     gpg -d keys.tar.gpg | tar x
 */
import { createMessage, decrypt, encrypt, readMessage } from 'openpgp'
import { extract, pack } from 'tar-stream'
import { AppError } from '../base/errors.ts'
import { wideConfig } from './openpgp-config.ts'
import { asBuffer } from './openpgp-packets.ts'

export interface SecretFile {
  /** A plain name, without a folder. */
  readonly name: string
  readonly data: Buffer
}

const MAX_FILE_BYTES = 1024 * 1024
/** Neither hidden nor anywhere else than in the folder that one unpacks them into. */
const plainName = /^[^./\p{Cc}][^/\p{Cc}]{0,200}$/u

/** Whether such a file can be sealed. */
export function canSeal({ name, data }: SecretFile): boolean {
  return plainName.test(name) && data.length <= MAX_FILE_BYTES
}

/** The files as one message; `at` (seconds since 1970) is their time. */
export async function sealFiles(
  files: readonly SecretFile[],
  passphrase: string,
  at: number,
): Promise<Buffer> {
  const tar = pack()
  for (const { name, data } of files) {
    tar.entry({ name, mode: 0o600, mtime: new Date(at * 1000), size: data.length }, data)
  }
  tar.finalize()
  const pieces: Buffer[] = []
  for await (const piece of tar) pieces.push(piece as Buffer)
  const message = await createMessage({ binary: Buffer.concat(pieces), date: new Date(at * 1000) })
  const passwords = [passphrase]
  return asBuffer(await encrypt({ message, passwords, format: 'binary', config: wideConfig }))
}

/** The files of a message; `ERR_PASSPHRASE` if the passphrase does not open it, `ERR_FORMAT` if it is none of ours. */
export async function unsealFiles(sealed: Buffer, passphrase: string): Promise<SecretFile[]> {
  return readTar(await open(sealed, passphrase))
}

async function open(sealed: Buffer, passphrase: string): Promise<Buffer> {
  let message: Awaited<ReturnType<typeof readMessage<Buffer>>>
  try {
    message = await readMessage({ binaryMessage: sealed, config: wideConfig })
  } catch (error) {
    throw new AppError('ERR_FORMAT', { message: 'it is no OpenPGP message', cause: error })
  }
  try {
    const passwords = [passphrase]
    const { data } = await decrypt({ message, passwords, format: 'binary', config: wideConfig })
    return asBuffer(data)
  } catch (error) {
    throw new AppError('ERR_PASSPHRASE', {
      message: 'the passphrase does not open the keys',
      hint: 'give the one that the backup was made with: --passphrase-file FILE',
      cause: error,
    })
  }
}

async function readTar(tar: Buffer): Promise<SecretFile[]> {
  const files: SecretFile[] = []
  const entries = extract()
  entries.end(tar)
  try {
    for await (const entry of entries) {
      const { name, type } = entry.header
      const pieces: Buffer[] = []
      for await (const piece of entry) pieces.push(piece as Buffer)
      const file = { name, data: Buffer.concat(pieces) }
      if (type !== 'file' || !canSeal(file)) {
        throw new AppError('ERR_FORMAT', { message: `there is no place for ${name} among keys` })
      }
      files.push(file)
    }
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('ERR_FORMAT', { message: 'the packed keys are damaged', cause: error })
  }
  return files
}
