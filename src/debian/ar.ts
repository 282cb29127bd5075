/**
 * The ar format as .deb files use it (deb(5), ar(5)): a magic line, then members, each a header of 60 bytes and a body
 * padded to an even length. Read as a stream; nothing but one header and one piece is in memory.
 */
import { AppError } from '../base/errors.ts'
import type { ByteSource } from './byte-source.ts'

export interface ArMember {
  /** Without the padding and the slash that GNU ar puts behind it. */
  readonly name: string
  /** Bytes of the body. */
  readonly size: number
  /** To be read before the next member is asked for; what is left then is skipped. */
  readonly body: AsyncIterable<Buffer>
}

const magic = '!<arch>\n'
const headerSize = 60
const headerEnd = '`\n'

/** The members in their order; `ERR_FORMAT` if the file is no ar archive or ends within a member. */
export async function* arMembers(source: ByteSource): AsyncGenerator<ArMember, void> {
  const bytes = createReader(source)
  try {
    const start = await bytes.read(magic.length)
    if (start.toString('latin1') !== magic) throw formatError('not an ar archive')
    for (;;) {
      const header = await bytes.read(headerSize)
      if (header.length === 0) return
      const { name, size } = parseHeader(header)
      const body = bytes.body(size, name)
      yield { name, size, body }
      for await (const _rest of body);
      if (size % 2 === 1) await bytes.read(1)
    }
  } finally {
    await bytes.close()
  }
}

function parseHeader(header: Buffer): { name: string; size: number } {
  const text = header.toString('latin1')
  if (text.length < headerSize) throw formatError('the archive ends within a member header')
  const name = text.slice(0, 16).trimEnd().replace(/\/$/, '')
  const sizeText = text.slice(48, 58).trimEnd()
  if (!text.endsWith(headerEnd) || name === '' || !/^[0-9]+$/.test(sizeText)) {
    throw formatError('malformed member header')
  }
  return { name, size: Number(sizeText) }
}

interface Reader {
  /** The next `size` bytes, fewer at the end of the source; for small sizes. */
  read(size: number): Promise<Buffer>
  /** The next `size` bytes in pieces; goes on where an earlier iteration of it stopped. */
  body(size: number, name: string): AsyncIterable<Buffer>
  /** Ends the source. */
  close(): Promise<void>
}

function createReader(source: ByteSource): Reader {
  const pieces = source[Symbol.asyncIterator]()
  let rest: Uint8Array = Buffer.alloc(0)

  /** At most `size` bytes, at least one; undefined at the end of the source. */
  const take = async (size: number): Promise<Buffer | undefined> => {
    while (rest.length === 0) {
      const next = await pieces.next()
      if (next.done === true) return undefined
      rest = next.value
    }
    const taken = rest.subarray(0, size)
    rest = rest.subarray(taken.length)
    return Buffer.from(taken.buffer, taken.byteOffset, taken.byteLength)
  }
  return {
    read: async (size) => {
      const whole = Buffer.alloc(size)
      let used = 0
      while (used < size) {
        const piece = await take(size - used)
        if (piece === undefined) break
        used += piece.copy(whole, used)
      }
      return whole.subarray(0, used)
    },
    body: (size, name) => {
      let left = size
      const next = async (): Promise<IteratorResult<Buffer, undefined>> => {
        if (left === 0) return { done: true, value: undefined }
        const piece = await take(left)
        if (piece === undefined) throw formatError(`the archive ends within ${name}`)
        left -= piece.length
        return { done: false, value: piece }
      }
      return { [Symbol.asyncIterator]: () => ({ next }) }
    },
    close: async () => {
      await pieces.return?.()
    },
  }
}

function formatError(what: string): AppError {
  return new AppError('ERR_FORMAT', { message: what })
}
