/**
 * Writing a response's body from pieces, at the client's pace: one piece is in flight while the next is read, and a
 * client that takes nothing for five minutes is let go.
 */
import type { ServerResponse } from 'node:http'

const STALL_MS = 300_000

/**
 * Writes the pieces, `size` bytes in all. A piece is given back (its buffer may be used again) when the second piece
 * after it is asked for. Too few bytes, or an error of the pieces, resets the socket: a short body must not look whole.
 */
export async function writeBody(
  response: ServerResponse,
  pieces: AsyncIterable<Buffer> | readonly Buffer[],
  size: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  let written = 0
  let inFlight: Promise<void> = Promise.resolve()
  try {
    for await (const piece of pieces) {
      await inFlight
      if (signal.aborted) return
      written += piece.length
      inFlight = write(response, piece)
      inFlight.catch(() => undefined)
      // A pipelined response before its turn: the first piece waits in memory, no more is read for it.
      if (response.socket === null) await inFlight
    }
    await inFlight
  } catch (error) {
    response.socket?.resetAndDestroy()
    response.destroy()
    if (!signal.aborted) throw error
    return
  }
  if (size !== undefined && written !== size) {
    response.socket?.resetAndDestroy()
    response.destroy()
    return
  }
  response.end()
}

/** Resolves when the kernel has the bytes; rejects when the client takes none for too long or is gone. */
function write(response: ServerResponse, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed) return resolve()
    const stalled = setTimeout(() => response.destroy(), STALL_MS)
    const end = (error?: Error | null): void => {
      clearTimeout(stalled)
      response.off('close', end)
      if (error) reject(error)
      else resolve()
    }
    response.once('close', end)
    response.write(piece, end)
  })
}
