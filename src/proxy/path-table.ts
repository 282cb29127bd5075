/**
 * Which file stands at which path, by the word of one index: so much of it as it takes to verify what clients fetch next.
 *
 * A blob that is a hash table, since an index of 63,000 packages is looked into for one path at a time:
 *   16 bytes   `sluicepathtable1`
 *   4          how many slots, little endian
 *   54 each    slot: first half of the SHA-256 of the path, SHA-256 of the file, its size (6, little endian)
 * A path is in the slot that its first four bytes say, modulo, or in one of those behind it up to the next empty one. It is
 * made of the index and can be made of it again.
 */
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { readStanza } from '../archives/index-kinds.ts'
import { type IndexText, openIndexText } from '../archives/index-text.ts'
import type { Abortable } from '../base/abortable.ts'
import { isAppError } from '../base/errors.ts'
import { breathe } from '../base/mutex.ts'
import { type Sha256, sha256Bytes, sha256FromBytes, sha256Of } from '../base/sha256.ts'
import { compressionOf, decompress } from '../debian/compression.ts'
import type { BlobStore } from '../store/blobs.ts'

const MAGIC = Buffer.from('sluicepathtable1')
const HEAD_BYTES = 20
const KEY_BYTES = 16
const SLOT_BYTES = 54
const PROBED_AT_ONCE = 8
const STANZAS_AT_ONCE = 100
/** An index larger than this after unpacking is not looked into. */
const MAX_TEXT_BYTES = 1024 ** 3

/** A file, as an index names it. */
export interface NamedFile {
  readonly sha256: Sha256
  readonly size: number
}

/** An index that is a blob: its path below its suite tells what it is. */
export interface StoredIndex {
  readonly path: string
  readonly sha256: Sha256
}

/** Whether an index names files, whatever form of it this is. */
export function namesFiles(path: string): boolean {
  return /(?:^|\/)(?:Packages|Sources)(?:\.(?:xz|gz|bz2|zst))?$/.test(path)
}

/** Makes the table of an index that is in the store; paths are below the root that its `Filename` is below. */
export async function makePathTable(
  blobs: BlobStore,
  index: StoredIndex,
  { signal }: Abortable,
): Promise<Sha256> {
  const text = await openIndexText(blobs.tempPath())
  try {
    await text.append(unpack(blobs, index, signal))
    const table = await fillTable(text, index)
    const writer = await blobs.create()
    try {
      const sha256 = sha256Of(table)
      await writer.write(table)
      await writer.commit({ sha256, size: table.length })
      return sha256
    } finally {
      await writer.abort()
    }
  } finally {
    await text.close()
  }
}

/** What the table says of this path; `lost` if it is not in the store any more. */
export async function findPath(
  blobs: BlobStore,
  table: Sha256,
  path: string,
): Promise<NamedFile | 'lost' | undefined> {
  const open = await blobs.openFile(table)
  if (open === undefined) return 'lost'
  try {
    const slots = Math.floor((open.size - HEAD_BYTES) / SLOT_BYTES)
    const key = keyOf(path)
    const buffer = Buffer.alloc(PROBED_AT_ONCE * SLOT_BYTES)
    let slot = key.readUInt32LE() % slots
    for (let probed = 0; probed < slots; ) {
      const count = Math.min(PROBED_AT_ONCE, slots - slot)
      const at = HEAD_BYTES + slot * SLOT_BYTES
      const { bytesRead } = await open.handle.read(buffer, 0, count * SLOT_BYTES, at)
      if (bytesRead < count * SLOT_BYTES) return 'lost'
      for (let nth = 0; nth < count; nth++) {
        const entry = buffer.subarray(nth * SLOT_BYTES, (nth + 1) * SLOT_BYTES)
        if (isEmpty(entry)) return undefined
        if (entry.compare(key, 0, KEY_BYTES, 0, KEY_BYTES) === 0) return fileIn(entry)
      }
      probed += count
      slot = (slot + count) % slots
    }
    return undefined
  } finally {
    await open.handle.close()
  }
}

/** The files that the table names; none if it is not in the store. */
export async function* digestsIn(blobs: BlobStore, table: Sha256): AsyncIterable<Sha256[]> {
  const open = await blobs.openFile(table)
  if (open === undefined) return
  try {
    const buffer = Buffer.alloc(1000 * SLOT_BYTES)
    for (let at = HEAD_BYTES; at < open.size; ) {
      const { bytesRead } = await open.handle.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) return
      const digests: Sha256[] = []
      for (let start = 0; start + SLOT_BYTES <= bytesRead; start += SLOT_BYTES) {
        const entry = buffer.subarray(start, start + SLOT_BYTES)
        if (!isEmpty(entry)) digests.push(fileIn(entry).sha256)
      }
      yield digests
      at += bytesRead - (bytesRead % SLOT_BYTES)
    }
  } finally {
    await open.handle.close()
  }
}

async function fillTable(text: IndexText, { path }: StoredIndex): Promise<Buffer> {
  const kind = /(?:^|\/)Sources(?:\.\w+)?$/.test(path) ? 'Sources' : 'Packages'
  const stanzas = text.stanzas()
  const total = stanzas.names.length
  let table = emptyTable(total * (kind === 'Sources' ? 4 : 1))
  let filled = 0
  for (let at = 0; at < total; at += STANZAS_AT_ONCE) {
    const count = Math.min(STANZAS_AT_ONCE, total - at)
    const { bytes, ranges } = stanzas.read(Uint32Array.from({ length: count }, (_, n) => at + n))
    for (let nth = 0; nth < ranges.length; nth += 2) {
      const place = { start: ranges[nth] ?? 0, end: ranges[nth + 1] ?? 0 }
      for (const file of filesOf(kind, bytes, place)) {
        if ((filled + 1) * 4 > slotsOf(table) * 3) table = grown(table)
        if (insert(table, keyOf(file.path), file)) filled++
      }
    }
    await breathe()
  }
  return table
}

/** A stanza that is none names nothing. */
function filesOf(
  kind: 'Packages' | 'Sources',
  bytes: Buffer,
  place: { readonly start: number; readonly end: number },
): readonly (NamedFile & { readonly path: string })[] {
  try {
    return readStanza(kind, bytes, place).files
  } catch (error) {
    if (isAppError(error, 'ERR_FORMAT')) return []
    throw error
  }
}

function emptyTable(files: number): Buffer {
  const slots = Math.max(8, Math.ceil(files * 1.5))
  const table = Buffer.alloc(HEAD_BYTES + slots * SLOT_BYTES)
  MAGIC.copy(table)
  table.writeUInt32LE(slots, MAGIC.length)
  return table
}

function slotsOf(table: Buffer): number {
  return table.readUInt32LE(MAGIC.length)
}

function grown(table: Buffer): Buffer {
  const larger = emptyTable(slotsOf(table) * 2)
  for (let at = HEAD_BYTES; at < table.length; at += SLOT_BYTES) {
    const entry = table.subarray(at, at + SLOT_BYTES)
    if (!isEmpty(entry)) insert(larger, entry.subarray(0, KEY_BYTES), fileIn(entry))
  }
  return larger
}

/** False if the path was there: what is named last counts. */
function insert(table: Buffer, key: Buffer, { sha256, size }: NamedFile): boolean {
  const slots = slotsOf(table)
  for (let slot = key.readUInt32LE() % slots; ; slot = (slot + 1) % slots) {
    const at = HEAD_BYTES + slot * SLOT_BYTES
    const entry = table.subarray(at, at + SLOT_BYTES)
    const isFree = isEmpty(entry)
    if (!isFree && entry.compare(key, 0, KEY_BYTES, 0, KEY_BYTES) !== 0) continue
    key.copy(entry, 0, 0, KEY_BYTES)
    sha256Bytes(sha256).copy(entry, KEY_BYTES)
    entry.writeUIntLE(size, KEY_BYTES + 32, 6)
    return isFree
  }
}

function isEmpty(entry: Buffer): boolean {
  return entry.readUInt32LE(KEY_BYTES) === 0 && entry.readUInt32LE(KEY_BYTES + 4) === 0
}

function fileIn(entry: Buffer): NamedFile {
  return {
    sha256: sha256FromBytes(entry.subarray(KEY_BYTES, KEY_BYTES + 32)),
    size: entry.readUIntLE(KEY_BYTES + 32, 6),
  }
}

function keyOf(path: string): Buffer {
  return sha256Bytes(sha256Of(path)).subarray(0, KEY_BYTES)
}

async function* unpack(
  blobs: BlobStore,
  { path, sha256 }: StoredIndex,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, undefined> {
  const file = await blobs.openFile(sha256)
  const source =
    file === undefined
      ? Readable.from([await blobs.read(sha256)])
      : createReadStream('', { fd: file.handle, highWaterMark: 1024 * 1024 })
  let size = 0
  for await (const piece of decompress(compressionOf(path), source, { signal })) {
    size += piece.length
    if (size > MAX_TEXT_BYTES) return
    yield piece
  }
}
