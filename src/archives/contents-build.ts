/**
 * Makes one Contents file out of the one before and the lists of the packages that came: some lists at a time are merged into it,
 * in scratch files, so that memory is the same for one package and for a thousand. No package is read.
 *
 * What comes out depends on the lines alone. It is a file, as the extras of other archives are: earlier generations have theirs
 * by digest.
 */
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { type Sha256, sha256Stream } from '../base/sha256.ts'
import type { ByteSource } from '../debian/byte-source.ts'
import { decompress, gzipMember } from '../debian/compression.ts'
import {
  type ContentsLines,
  formatContents,
  mergeLines,
  readContentsLines,
  withoutOwners,
} from '../debian/contents-lines.ts'
import type { BlobWriter } from '../store/blob-writer.ts'
import { readFileLists } from './file-list-table.ts'
import { linesOfList } from './file-lists.ts'
import type { IndexParts } from './index-parts.ts'
import type { FileDigest } from './suite-state.ts'

/** A package whose list goes in. */
export interface ContentsPackage {
  /** As the second column has it. */
  readonly owner: string
  /** Of the .deb. */
  readonly sha256: Sha256
}

export interface ContentsChange {
  /** What there was before; packed. */
  readonly old: FileDigest | undefined
  /** Names of packages that leave it. */
  readonly drop: ReadonlySet<string>
  /** Packages that come in; those without a list are passed over. */
  readonly add: readonly ContentsPackage[]
}

/** Both forms of a Contents file, of which the packed one is in the store. */
export interface MadeContents {
  readonly packed: FileDigest
  readonly plain: FileDigest
}

type Parts = Pick<IndexParts, 'db' | 'blobs'>

const LISTS_TOGETHER = 32
const MEMBER_BYTES = 256 * 1024

/** Makes it; undefined where no line is left. */
export async function buildContents(
  parts: Parts,
  { old, drop, add }: ContentsChange,
): Promise<MadeContents | undefined> {
  let before =
    old === undefined ? [] : [withoutOwners(readContentsLines(unpacked(parts, old)), drop)]
  let made: Scratch | undefined
  try {
    for (let at = 0; at === 0 || at < add.length; at += LISTS_TOGETHER) {
      const some = add.slice(at, at + LISTS_TOGETHER)
      const lists = await readFileLists(
        parts.db,
        some.map(({ sha256 }) => sha256),
      )
      const fresh = some.flatMap(({ owner, sha256 }) => {
        const list = lists.get(sha256)
        return list === undefined ? [] : [linesOfList(list, owner)]
      })
      const next = await writeScratch(parts, mergeLines([...before, ...fresh]))
      await made?.writer.abort()
      made = next
      before = [readContentsLines(readScratch(next))]
    }
    return made === undefined || made.plain.size === 0 ? undefined : await keep(made)
  } finally {
    await made?.writer.abort()
  }
}

/** The plain bytes of a Contents file in the store; `ERR_STORE` at their end if they were others. */
async function* unpacked({ blobs }: Parts, { sha256 }: FileDigest): ByteSource {
  const hash = sha256Stream()
  const file = await blobs.openFile(sha256)
  const packed =
    file === undefined ? Readable.from([await blobs.read(sha256)]) : file.handle.createReadStream()
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of packed as AsyncIterable<Buffer>) {
      hash.update(piece)
      yield piece
    }
  }
  yield* decompress('gz', counted(), {})
  if (hash.digest() === sha256) return
  throw new AppError('ERR_STORE', { message: `blob ${sha256} is damaged`, hint: 'sluice verify' })
}

interface Scratch extends MadeContents {
  readonly writer: BlobWriter
}

async function* readScratch({ writer }: Scratch): ByteSource {
  yield* decompress('gz', createReadStream(writer.path), {})
}

async function writeScratch({ blobs }: Parts, lines: ContentsLines): Promise<Scratch> {
  const writer = await blobs.create()
  try {
    const [plainHash, packedHash] = [sha256Stream(), sha256Stream()]
    let size = 0
    let open: Buffer[] = []
    let waiting = 0
    const close = async (): Promise<void> => {
      const data = Buffer.concat(open)
      open = []
      waiting = 0
      size += data.length
      plainHash.update(data)
      const member = await gzipMember(data)
      packedHash.update(member)
      await writer.write(member)
    }
    for await (const some of lines) {
      const data = formatContents(some)
      open.push(data)
      waiting += data.length
      if (waiting >= MEMBER_BYTES) await close()
    }
    if (waiting > 0) await close()
    return {
      writer,
      packed: { sha256: packedHash.digest(), size: writer.written },
      plain: { sha256: plainHash.digest(), size },
    }
  } catch (error) {
    await writer.abort()
    throw error
  }
}

async function keep({ writer, packed, plain }: Scratch): Promise<MadeContents> {
  await writer.commit(packed)
  crashPoint('contents: made, named by nothing')
  return { packed, plain }
}
