/**
 * Bytes that come in pieces, and whose fault it is when they stop coming.
 */

/** A file, a response body, a generator; a Node `Readable` is one. */
export type ByteSource = AsyncIterable<Uint8Array>

/** The error that a source ended with, kept apart from the errors of those who read it. */
export interface SourceFailure {
  error?: unknown
}

/** The source as Buffers; its own error is noted in `failure` before it is thrown on. */
export async function* watched(
  source: ByteSource,
  failure: SourceFailure,
): AsyncGenerator<Buffer, void> {
  try {
    for await (const piece of source) yield toBuffer(piece)
  } catch (error) {
    failure.error = error
    throw error
  }
}

/** The same bytes as a Buffer, not copied. */
export function toBuffer(piece: Uint8Array): Buffer {
  return Buffer.isBuffer(piece)
    ? piece
    : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
}
