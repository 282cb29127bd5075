/**
 * `SHA256SUMS` of a backup, as sha256sum writes and checks it in the directory of the backup: its own files, then the
 * blobs in the order of their digests. Written and read a piece at a time: there may be a million of them.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256, sha256Stream } from '../base/sha256.ts'
import { snapshotFiles } from './backup-dir.ts'

/** One line: a file of the backup itself by its name, or a blob. */
export interface Sum {
  readonly sha256: Sha256
  /** `blob`, or the name. */
  readonly name: string
}

export interface SumsWriter {
  add(sums: readonly Sum[]): Promise<void>
  /** Durable when it returns; the digest of the list. */
  close(): Promise<Sha256>
  /** Harmless after `close`. */
  abort(): Promise<void>
}

const own: readonly string[] = [
  snapshotFiles.database,
  snapshotFiles.keys,
  snapshotFiles.settings,
  snapshotFiles.imported,
]
const BLOBS = '../../blobs/'

/** Starts the list of the backup at `path`. */
export async function createSums(path: string): Promise<SumsWriter> {
  const handle = await open(join(path, snapshotFiles.sums), 'wx', 0o600)
  const hash = sha256Stream()
  let isOpen = true
  const close = async (): Promise<void> => {
    if (isOpen) await handle.close()
    isOpen = false
  }
  return {
    add: async (sums) => {
      const text = Buffer.from(sums.map(lineOf).join(''))
      hash.update(text)
      await handle.writeFile(text)
    },
    close: async () => {
      await handle.sync()
      await close()
      return hash.digest()
    },
    abort: close,
  }
}

/** The list of the backup at `path`, some lines at a time; throws at its end if it is not that with the digest `expected`. */
export async function* readSums(path: string, expected: Sha256): AsyncGenerator<Sum[]> {
  const file = join(path, snapshotFiles.sums)
  const handle = await open(file, 'r')
  const hash = sha256Stream()
  let rest = ''
  for await (const piece of handle.createReadStream({ highWaterMark: 64 * 1024 })) {
    hash.update(piece)
    const lines = (rest + String(piece)).split('\n')
    rest = lines.pop() ?? ''
    yield lines.map((line) => parseLine(line, file))
  }
  if (rest !== '' || hash.digest() !== expected) throw damaged(file)
}

function lineOf({ sha256, name }: Sum): string {
  const path = name === 'blob' ? `${BLOBS}${sha256.slice(0, 2)}/${sha256.slice(2)}` : name
  return `${sha256}  ${path}\n`
}

function parseLine(line: string, file: string): Sum {
  const sha256 = parseSha256(line.slice(0, 64))
  const path = line.slice(66)
  if (sha256 === undefined) throw damaged(file)
  const isBlob = path === `${BLOBS}${sha256.slice(0, 2)}/${sha256.slice(2)}`
  if (!isBlob && !own.includes(path)) throw damaged(file)
  return { sha256, name: isBlob ? 'blob' : path }
}

function damaged(file: string): AppError {
  return new AppError('ERR_DIGEST_MISMATCH', {
    message: `${file} is damaged`,
    hint: 'take another backup of the same directory: sluice restore DIR --list',
  })
}
