/**
 * What workers were told, and what it is made of: bounded, and so that what is dropped here is forgotten there, since nobody
 * could tell them any more when it holds no longer.
 */
import type { Answer } from '../archives/answer.ts'

type Told = Answer & { kind: 'bytes' | 'blob' }

export interface ToldAnswers {
  get(url: string): Told | undefined
  /** Workers are told this now; says whether others have to be forgotten by them for it. */
  add(url: string, answer: Told): boolean
  /** Those that workers have to forget, which are forgotten here with that. */
  takeStale(): string[]
}

/** A worker has room for some 13,000. */
const MOST = 20_000
/** So many go at a time: forgetting looks through all that is left. */
const DROPPED = 1000

/** Nothing was told yet. */
export function createToldAnswers(): ToldAnswers {
  const told = new Map<string, Told>()
  let dropped: string[] = []
  return {
    get: (url) => told.get(url),
    add: (url, answer) => {
      // The last to be told is the last to be dropped.
      told.delete(url)
      told.set(url, answer)
      if (told.size <= MOST) return false
      for (const oldest of [...told.keys()].slice(0, DROPPED)) {
        told.delete(oldest)
        dropped.push(oldest)
      }
      return true
    },
    takeStale: () => {
      // What was told again since then may be forgotten as well: it is asked for again.
      const stale = dropped
      dropped = []
      for (const [url, { holds }] of told) {
        if (holds?.() === true) continue
        stale.push(url)
        told.delete(url)
      }
      return stale
    },
  }
}
