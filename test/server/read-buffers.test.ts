/**
 * Many who read the same file at once, each at its own pace: every byte is that of the file, also where others are cut off, and
 * what they hold is bounded.
 */
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { createReadBuffers, type Piece, type Source } from '../../src/server/read-buffers.ts'

const SIZE = 3_000_000
const content = Buffer.alloc(SIZE)
for (let at = 0; at < SIZE; at += 4) content.writeUInt32LE(at, at)

/** A file that so many read, and how often it was read. */
function sourceFor(readers: number): Source & { count(): number } {
  let count = 0
  return {
    size: SIZE,
    file: { readers },
    count: () => count,
    read: async (buffer, at, length) => {
      count += 1
      // As a file may: in two parts, some time later.
      await turn()
      return content.copy(buffer, 0, at, at + Math.ceil(length / 2))
    },
  }
}

t.test('all get the bytes of the file, and hold no more than there is', async (t) => {
  const buffers = createReadBuffers()
  const source = sourceFor(20)
  let wrong = 0
  const readAll = async (nth: number): Promise<void> => {
    const held: Piece[] = []
    const start = nth * 1000
    for (let at = start; at < SIZE; ) {
      const piece = await buffers.read(source, at, SIZE, nth % 5 !== 0)
      held.push(piece)
      at += piece.bytes.length
      for (let turns = 0; turns < nth % 4; turns++) await turn()
      // Two are on their way at a time.
      const oldest = held.length > 2 ? held.shift() : undefined
      const begin = at - held.reduce((sum, { bytes }) => sum + bytes.length, 0)
      if (oldest === undefined) continue
      const { length } = oldest.bytes
      if (!oldest.bytes.equals(content.subarray(begin - length, begin))) wrong += 1
      if (nth % 7 === 3 && at > SIZE / 2) {
        for (const one of [oldest, ...held]) one.giveUp()
        return
      }
      oldest.giveBack()
    }
    for (const one of held) one.giveBack()
  }
  await Promise.all(Array.from({ length: 20 }, (_, nth) => readAll(nth)))
  t.equal(wrong, 0)
  while (buffers.inUse() > 8 * 1024 * 1024) await turn()
  t.pass('blocks that nobody reads are few')
})

t.test('what several read is read once, and what one reads is its own', async (t) => {
  const fast = async (source: Source & { count(): number }): Promise<number> => {
    const buffers = createReadBuffers()
    const read = (at: number): Promise<Piece> => buffers.read(source, at, SIZE, true)
    const all = await Promise.all([0, 0, 5, 1000, 100_000].map(read))
    for (const [at, { bytes }] of all.entries()) {
      const begin = [0, 0, 5, 1000, 100_000][at] ?? 0
      t.ok(bytes.equals(content.subarray(begin, begin + bytes.length)))
      t.ok(bytes.length > 0)
    }
    for (const piece of all) piece.giveBack()
    return source.count()
  }
  const once = await fast(sourceFor(2))
  t.ok(once < 30, `${once} reads of one block, half of the rest at a time`)
  t.equal(await fast(sourceFor(1)), 5)
})

t.test('an error is told to all who wait, and the next one tries again', async (t) => {
  const buffers = createReadBuffers()
  const well = sourceFor(3)
  let isBroken = true
  const read: Source['read'] = async (...args) => {
    await turn()
    if (isBroken) throw new Error('no disk')
    return well.read(...args)
  }
  const source = { ...well, read }
  const both = [0, 10].map((at) => buffers.read(source, at, SIZE, true))
  for (const one of both) await t.rejects(one, { message: 'no disk' })
  t.equal(buffers.inUse(), 0)
  isBroken = false
  const piece = await buffers.read(source, 0, SIZE, true)
  t.ok(piece.bytes.equals(content.subarray(0, piece.bytes.length)))
  piece.giveBack()
})

t.test('who is ahead waits for the others, so that they share to the end', async (t) => {
  const buffers = createReadBuffers()
  const size = 100_000_000
  let count = 0
  const read: Source['read'] = async (_buffer, _at, length) => {
    count += 1
    await turn()
    return length
  }
  const source: Source = { size, file: { readers: 8 }, read }
  const readAll = async (turns: number): Promise<void> => {
    for (let at = 0; at < size; ) {
      const piece = await buffers.read(source, at, size, true)
      at += piece.bytes.length
      for (let left = turns; left > 0; left--) await turn()
      piece.giveBack()
    }
  }
  await Promise.all([1, 1, 2, 2, 2, 3, 3, 3].map(readAll))
  const blocks = Math.ceil(size / (1024 * 1024))
  t.ok(count < 1.5 * blocks, `${count} reads of ${blocks} blocks by eight`)
})
