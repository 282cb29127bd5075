/**
 * Counts the frames of a zstd stream: each costs the decoder a turn, and nine bytes make one. Whoever packs with several
 * processors writes one for some megabytes.
 */
import { type ByteSource, toBuffer } from './byte-source.ts'
import { beyond, refused, sendAgain } from './upload-refusal.ts'
import { createFrameWalk } from './zstd-frames.ts'

const mostFrames = 10_000

/** The same pieces; refuses what is no zstd, and far too many frames. */
export async function* limitedZstd(
  member: string,
  source: ByteSource,
): AsyncGenerator<Buffer, void> {
  const walk = createFrameWalk()
  let frames = 0
  let offset = 0
  for await (const each of source) {
    const piece = toBuffer(each)
    try {
      for (let at = 0; at < piece.length; frames += Number(walk.isBetweenFrames()))
        at = walk.toFrameEnd(piece, at)
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause)
      const place = { member, offset, cause }
      throw refused({ ...place, reason: 'zstd-damaged', what, hint: sendAgain })
    }
    if (frames > mostFrames)
      throw beyond('zstd-frames', `more than ${mostFrames} frames`, { member })
    offset += piece.length
    yield piece
  }
}
