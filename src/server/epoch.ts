/**
 * A number that goes up with each change of what is served, in a file that the main process writes and workers read before
 * each answer: a worker that has not heard yet what changed sees that something did, and waits for the message. A read of it
 * costs a worker a microsecond; without it, whoever was told of a promotion could be given what was before.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs'

const BYTES = 8

/** The side that writes. */
export interface EpochWriter {
  readonly path: string
  readonly now: number
  /** Goes up, seen by all readers when it returns. */
  advance(): void
  close(): void
}

/** Begins at 1 in a file at this path. */
export function createEpoch(path: string): EpochWriter {
  const fd = openSync(path, 'w', 0o600)
  const bytes = Buffer.alloc(BYTES)
  let now = 0
  const advance = (): void => {
    now += 1
    bytes.writeDoubleLE(now)
    writeSync(fd, bytes, 0, BYTES, 0)
  }
  advance()
  return {
    path,
    get now() {
      return now
    },
    advance,
    close: () => {
      closeSync(fd)
      rmSync(path, { force: true })
    },
  }
}

/** Reads the epoch in this file. */
export function openEpoch(path: string): () => number {
  const fd = openSync(path, 'r')
  const bytes = Buffer.alloc(BYTES)
  return () => {
    readSync(fd, bytes, 0, BYTES, 0)
    return bytes.readDoubleLE()
  }
}
