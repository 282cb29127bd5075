/**
 * Buffers that files are read into on their way to clients, used again and again: few large ones for those who take them
 * fast, small ones for the others and for when the large ones are all in use. So a slow client, or a thousand of them, holds
 * little, and keeps nobody waiting.
 */

/** One buffer, in the hands of one reader. */
export interface ReadBuffer {
  readonly bytes: Buffer
  /** The kernel has what was in it: it may be used again. */
  giveBack(): void
  /** Who knows who reads it still: it is not used again. */
  giveUp(): void
}

export interface ReadBuffers {
  /** A large one, while there are any and the client is fast. */
  take(isFast: boolean): ReadBuffer
  /** Bytes of the buffers that are in use. */
  inUse(): number
}

interface Size {
  readonly size: number
  /** In use at a time. */
  readonly most: number
  /** Kept for whoever comes next. */
  readonly kept: number
}

interface Shelf extends Size {
  readonly free: Buffer[]
  inUse: number
}

const LARGE: Size = { size: 1024 * 1024, most: 24, kept: 6 }
const SMALL: Size = { size: 64 * 1024, most: 256, kept: 32 }
const SMALLEST: Size = { size: 16 * 1024, most: Number.POSITIVE_INFINITY, kept: 32 }

/** No buffer is made before it is needed. */
export function createReadBuffers(): ReadBuffers {
  const [large, small, smallest] = [shelf(LARGE), shelf(SMALL), shelf(SMALLEST)]
  return {
    take: (isFast) =>
      takeFrom(isFast && hasRoom(large) ? large : hasRoom(small) ? small : smallest),
    inUse: () => [large, small, smallest].reduce((sum, one) => sum + one.size * one.inUse, 0),
  }
}

function shelf(size: Size): Shelf {
  return { ...size, free: [], inUse: 0 }
}

function hasRoom({ inUse, most }: Shelf): boolean {
  return inUse < most
}

function takeFrom(shelf: Shelf): ReadBuffer {
  const bytes = shelf.free.pop() ?? Buffer.allocUnsafeSlow(shelf.size)
  shelf.inUse += 1
  return {
    bytes,
    giveBack: () => {
      shelf.inUse -= 1
      if (shelf.free.length < shelf.kept) shelf.free.push(bytes)
    },
    giveUp: () => {
      shelf.inUse -= 1
    },
  }
}
