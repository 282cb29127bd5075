/**
 * Reading xz as a Node stream. The binding decodes on a thread of its own and speaks web streams; the bridge is ours
 * because the binding's own one never ends when its source fails.
 */
import { Duplex } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { decompressStream } from '@napi-rs/lzma/xz'

/** A decoder to pipe xz through; it asks for no more than its reader takes. */
export function xzStream(): Duplex {
  const input = createInput()
  const plain = decompressStream(input.readable).getReader()
  const stream: Duplex = new Duplex({
    write: (piece: Uint8Array, _encoding, done) => input.offer(piece, done),
    final: (done) => {
      input.end()
      done()
    },
    read: () => {
      plain.read().then(
        ({ value }) => stream.push(value ?? null),
        (error: unknown) => stream.destroy(asError(error)),
      )
    },
    destroy: (error, done) => {
      input.fail(error ?? new Error('not read to its end'))
      plain.cancel().catch(() => undefined)
      done(error)
    },
  })
  return stream
}

interface Input {
  readonly readable: ReadableStream<Uint8Array>
  /** Hands over a piece; `taken` is called when the decoder wants the next one. */
  offer(piece: Uint8Array, taken: () => void): void
  end(): void
  fail(error: Error): void
}

function createInput(): Input {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let isWanted = false
  let isOpen = true
  let taken: (() => void) | undefined
  const readable = new ReadableStream<Uint8Array>(
    {
      start: (made) => {
        controller = made
      },
      pull: () => {
        isWanted = true
        const release = taken
        taken = undefined
        release?.()
      },
    },
    { highWaterMark: 0 },
  )
  const close = (how: () => void): void => {
    if (isOpen) how()
    isOpen = false
  }
  return {
    readable,
    offer: (piece, done) => {
      controller?.enqueue(piece)
      if (isWanted) done()
      else taken = done
      isWanted = false
    },
    end: () => close(() => controller?.close()),
    fail: (error) => close(() => controller?.error(error)),
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
