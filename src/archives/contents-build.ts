/**
 * Makes one Contents file out of the one before and the lists of the packages that came: some are merged at a time, into scratch
 * files where there are more, so that memory is the same for one package and for a thousand. No package is read.
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
import { decompress, quickGzipMember } from '../debian/compression.ts'
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

const TOGETHER = 32
const MEMBER_BYTES = 256 * 1024

/** Makes it; undefined where no line is left. */
export async function buildContents(
  parts: Parts,
  { old, drop, add }: ContentsChange,
): Promise<MadeContents | undefined> {
  const rest =
    old === undefined ? [] : [withoutOwners(readContentsLines(unpacked(parts, old)), drop)]
  const runs: Scratch[] = []
  try {
    const groups = inGroups(add)
    for (const group of groups.length > 1 ? groups : []) {
      const lines = mergeLines(await linesOf(parts, group))
      runs.push(await writeScratch(parts, lines, 'plain'))
    }
    while (runs.length > TOGETHER) {
      // The first ones are the oldest, and the shortest.
      const some = runs.splice(0, TOGETHER)
      try {
        runs.push(await writeScratch(parts, mergeLines(some.map(linesIn)), 'plain'))
      } finally {
        for (const { writer } of some) await writer.abort()
      }
    }
    const fresh = groups.length > 1 ? runs.map(linesIn) : await linesOf(parts, groups[0] ?? [])
    return await keep(await writeScratch(parts, mergeLines([...rest, ...fresh]), 'packed'))
  } finally {
    for (const { writer } of runs) await writer.abort()
  }
}

function inGroups(packages: readonly ContentsPackage[]): ContentsPackage[][] {
  const groups: ContentsPackage[][] = []
  for (let at = 0; at < packages.length; at += TOGETHER)
    groups.push(packages.slice(at, at + TOGETHER))
  return groups
}

async function linesOf(
  { db }: Parts,
  packages: readonly ContentsPackage[],
): Promise<ContentsLines[]> {
  const digests = packages.map(({ sha256 }) => sha256)
  const lists = await readFileLists(db, digests)
  return packages.flatMap(({ owner, sha256 }) => {
    const list = lists.get(sha256)
    return list === undefined ? [] : [linesOfList(list, owner)]
  })
}

function linesIn({ writer }: Scratch): ContentsLines {
  const read = async function* (): ByteSource {
    yield* createReadStream(writer.path)
  }
  return readContentsLines(read())
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

async function writeScratch(
  { blobs }: Parts,
  lines: ContentsLines,
  form: 'plain' | 'packed',
): Promise<Scratch> {
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
      const member = form === 'plain' ? data : await quickGzipMember(data)
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

async function keep({ writer, packed, plain }: Scratch): Promise<MadeContents | undefined> {
  if (plain.size === 0) {
    await writer.abort()
    return undefined
  }
  await writer.commit(packed)
  crashPoint('contents: made, named by nothing')
  return { packed, plain }
}
