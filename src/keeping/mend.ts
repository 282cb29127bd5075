/**
 * Fetching files again that were found damaged or gone, from wherever they can be had: a pool file by its origin, an index
 * by the Release that names it.
 *
 *   fetched   it is here again, and verified
 *   waiting   its archive cannot be reached now, or was only learned: it is fetched when somebody wants it
 *   lost      no archive here names it, or no URL has it any more
 */
import { isGone } from '../archives/download.ts'
import { type Located, locate } from '../archives/locate.ts'
import { locateIndexes } from '../archives/locate-index.ts'
import type { Abortable } from '../base/abortable.ts'
import { createDigestSet, type DigestSet } from '../base/digest-set.ts'
import { isAppError, toAppError } from '../base/errors.ts'
import { mapBounded } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { learnedFiles } from '../proxy/learned-roots.ts'

const AT_ONCE = 3
/** So many of an archive that could not be had in a row, and the others are not tried: it is away. */
const PATIENCE = 5

export type Outcome = 'fetched' | 'waiting' | 'lost'

export interface Mended {
  readonly sha256: Sha256
  readonly outcome: Outcome
  /** `hello_2.10-3_amd64.deb`, where something names it. */
  readonly label?: string | undefined
  /** Why it is not here. */
  readonly message?: string | undefined
}

export interface MendOptions extends Abortable {
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** Tries them all, in the order given. */
export async function mendFiles(
  parts: ChannelParts,
  digests: readonly Sha256[],
  { signal, onProgress }: MendOptions = {},
): Promise<Mended[]> {
  if (digests.length === 0) return []
  // A state that is damaged itself names nothing.
  const indexes = await locateIndexes(parts, new Set(digests)).catch(() => new Map<Sha256, never>())
  const learned = await learnedFiles(parts).catch(createDigestSet)
  const failures = new Map<string, number>()
  let done = 0
  return mapBounded(digests, AT_ONCE, async (sha256) => {
    signal?.throwIfAborted()
    const mended = await mend(parts, { sha256, indexes, learned, failures }, signal)
    onProgress?.(++done, digests.length)
    return mended
  })
}

interface Mending {
  readonly sha256: Sha256
  readonly indexes: ReadonlyMap<Sha256, Located>
  readonly learned: Pick<DigestSet, 'has'>
  /** Of each archive, in a row. */
  readonly failures: Map<string, number>
}

async function mend(
  parts: ChannelParts,
  { sha256, indexes, learned, failures }: Mending,
  signal: AbortSignal | undefined,
): Promise<Mended> {
  let located: Located
  try {
    located = indexes.get(sha256) ?? (await locate(parts.db, sha256))
  } catch (error) {
    if (!isAppError(error, 'ERR_NOT_FOUND')) throw error
    return learned.has(sha256)
      ? { sha256, outcome: 'waiting', message: 'it is of an archive that nobody named' }
      : { sha256, outcome: 'lost', message: 'no archive here names it' }
  }
  const { archive, wanted, source } = located
  const { label } = wanted
  const inRow = failures.get(archive) ?? 0
  if (inRow >= PATIENCE) {
    return { sha256, outcome: 'waiting', label, message: `${archive} does not answer` }
  }
  try {
    await parts.downloads.fetch(wanted, source, { signal, taker: 'files' })
    failures.set(archive, 0)
    return { sha256, outcome: 'fetched', label }
  } catch (error) {
    if (signal?.aborted) throw error
    const { message } = toAppError(error)
    if (isGone(error)) return { sha256, outcome: 'lost', label, message }
    failures.set(archive, inRow + 1)
    return { sha256, outcome: 'waiting', label, message }
  }
}
