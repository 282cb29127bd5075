/**
 * Writing a response's body from pieces, at the client's pace: one piece is in flight while the next is read, and a
 * client that takes nothing for five minutes is let go.
 */
import type { ServerResponse } from 'node:http'
import type { Piece, ReadBuffers, Source } from './read-buffers.ts'

const STALL_MS = 300_000
/** Bytes a millisecond: who takes less is given small pieces. */
const FAST = 2000

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
    cutOff(response)
    if (!signal.aborted) throw error
    return
  }
  if (size !== undefined && written !== size) cutOff(response)
  else response.end()
}

/** Where a file goes. */
export interface Sink {
  /** Resolves when the kernel has the bytes, or nobody takes them any more; rejects when it cannot be written. */
  write(piece: Buffer): Promise<void>
  /** Nobody takes any more. */
  isGone(): boolean
  /** Others are to be sent first: one piece waits, no more is read. */
  isQueued(): boolean
  /** A short body must not look whole. */
  cutOff(): void
  end(): void
}

/** The body of a response. */
export function responseSink(response: ServerResponse, signal: AbortSignal): Sink {
  return {
    write: (piece) => write(response, piece),
    isGone: () => signal.aborted || response.destroyed,
    isQueued: () => response.socket === null,
    cutOff: () => cutOff(response),
    end: () => void response.end(),
  }
}

/**
 * Writes this part of a file: one piece is in flight while the next is read. The first is a small one, so that a client that
 * waits for its turn holds no more. What goes wrong resets the socket, as in `writeBody`.
 */
export async function writeFile(
  sink: Sink,
  { blob, start, end }: { blob: Source; start: number; end: number },
  buffers: ReadBuffers,
): Promise<void> {
  let isFast = false
  let inFlight: { piece: Piece; writtenAt: number; done: Promise<void> } | undefined
  const settle = async (): Promise<void> => {
    if (inFlight === undefined) return
    const { piece, writtenAt, done } = inFlight
    inFlight = undefined
    // The kernel may read from the piece of a connection that was cut off.
    let isTaken = false
    try {
      await done
      isTaken = !sink.isGone()
    } finally {
      if (isTaken) piece.giveBack()
      else piece.giveUp()
    }
    isFast = piece.bytes.length / (performance.now() - writtenAt) > FAST
  }
  try {
    for (let at = start; at < end; ) {
      const piece = await buffers.read(blob, at, end, isFast)
      try {
        await settle()
      } catch (error) {
        piece.giveBack()
        throw error
      }
      if (sink.isGone()) return piece.giveBack()
      const done = sink.write(piece.bytes)
      done.catch(() => undefined)
      inFlight = { piece, writtenAt: performance.now(), done }
      at += piece.bytes.length
      if (sink.isQueued()) await settle()
    }
    await settle()
    sink.end()
  } catch (error) {
    inFlight?.piece.giveUp()
    const wasGone = sink.isGone()
    sink.cutOff()
    if (!wasGone) throw error
  }
}

/** A short body must not look whole. */
function cutOff(response: ServerResponse): void {
  response.socket?.resetAndDestroy()
  response.destroy()
}

/** Lets a client go that takes nothing more of what was written for five minutes, once it is its turn. */
export function dropWhenStalled(response: ServerResponse): void {
  if (response.socket === null) {
    response.once('socket', () => dropWhenStalled(response))
    return
  }
  const stalled = setTimeout(() => response.destroy(), STALL_MS)
  response.once('close', () => clearTimeout(stalled))
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
