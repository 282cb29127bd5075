/**
 * Pieces of files on their way to clients, in buffers that are used again and again. Who takes them fast is given large ones, and
 * where many read the same file they share them (shared-blocks.ts). The others get small ones, and so does everybody when the
 * large ones are all in use: a slow client, or a thousand of them, holds little, and keeps nobody waiting.
 */
import type { HotBlob } from '../store/hot-blobs.ts'
import { createSharedBlocks, type Shared } from './shared-blocks.ts'

/** Bytes in the hands of one reader. */
export interface Piece {
  readonly bytes: Buffer
  /** The kernel has them: their buffer may be used again. */
  giveBack(): void
  /** Who knows who reads them still: their buffer is not used again. */
  giveUp(): void
}

/** What pieces are read of. */
export type Source = Pick<HotBlob, 'read'> & Partial<Pick<HotBlob, 'file' | 'size'>>

export interface ReadBuffers {
  /** Reads the bytes from `at` on, at least one and none behind `end`; a client that is not fast gets few. */
  read(source: Source, at: number, end: number, isFast: boolean): Promise<Piece>
  /** Bytes of the buffers that are in use. */
  inUse(): number
}

/** Buffers of one size: what is taken is put back, or lost. */
export interface Shelf {
  readonly size: number
  /** How many more may be taken. */
  left(): number
  take(): Buffer
  put(buffer: Buffer): void
  lose(): void
  inUse(): number
}

/** Of half that size, sending a gigabyte takes a tenth to a quarter more of the processor. */
const LARGE = { size: 1024 * 1024, most: 32 }
const SMALL = { size: 64 * 1024, most: 256 }
const SMALLEST = { size: 16 * 1024, most: Number.POSITIVE_INFINITY }
/** Those that nobody wanted for so long are not kept. */
const KEPT_MS = 2000

/** No buffer is made before it is needed. */
export function createReadBuffers(): ReadBuffers {
  const [large, small, smallest] = [createShelf(LARGE), createShelf(SMALL), createShelf(SMALLEST)]
  const shared = createSharedBlocks(large)
  const read: ReadBuffers['read'] = (source, at, end, isFast) => {
    const isLarge = isFast && large.left() > 0
    if (isLarge && isOfMany(source)) return shared.read(source, at, end)
    return readOwn(isLarge ? large : small.left() > 0 ? small : smallest, source, at, end)
  }
  return {
    read: (source, at, end, isFast) => {
      // Who would be the first to read a part lets the others go first: so they catch up, and stay where they can share.
      const isAhead = isFast && isOfMany(source) && !shared.has(source, at)
      return isAhead
        ? nextTurn()
            .then(nextTurn)
            .then(() => read(source, at, end, isFast))
        : read(source, at, end, isFast)
    },
    inUse: () => [large, small, smallest].reduce((sum, one) => sum + one.size * one.inUse(), 0),
  }
}

function isOfMany(source: Source): source is Shared {
  return source.size !== undefined && (source.file?.readers ?? 0) > 1
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

async function readOwn(shelf: Shelf, source: Source, at: number, end: number): Promise<Piece> {
  const buffer = shelf.take()
  try {
    const count = await source.read(buffer, at, Math.min(buffer.length, end - at))
    const giveBack = (): void => shelf.put(buffer)
    return { bytes: buffer.subarray(0, count), giveBack, giveUp: shelf.lose }
  } catch (error) {
    shelf.put(buffer)
    throw error
  }
}

function createShelf({ size, most }: { readonly size: number; readonly most: number }): Shelf {
  const free: Buffer[] = []
  let inUse = 0
  let isWanted = false
  let trimming: NodeJS.Timeout | undefined
  const trim = (): void => {
    if (!isWanted) {
      free.length = 0
      clearInterval(trimming)
      trimming = undefined
    }
    isWanted = false
  }
  return {
    size,
    left: () => most - inUse,
    take: () => {
      inUse += 1
      isWanted = true
      trimming ??= setInterval(trim, KEPT_MS).unref()
      // The one that was put back last is the nearest.
      return free.pop() ?? Buffer.allocUnsafeSlow(size)
    },
    put: (buffer) => {
      inUse -= 1
      free.push(buffer)
      trimming ??= setInterval(trim, KEPT_MS).unref()
    },
    lose: () => {
      inUse -= 1
    },
    inUse: () => inUse,
  }
}
