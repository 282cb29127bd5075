/**
 * Work that must run one at a time, in the order of the calls; and work of which a few may run at once.
 */
import { setImmediate } from 'node:timers/promises'

/** Runs `work` when all earlier work given to the same mutex has ended; passes its result or error on. */
export type Mutex = <T>(work: () => Promise<T>) => Promise<T>

/** A mutex of its own. */
export function createMutex(): Mutex {
  let tail: Promise<unknown> = Promise.resolve()
  return (work) => {
    const run = tail.then(work, work)
    tail = run.catch(() => undefined)
    return run
  }
}

/** One mutex for each name, kept for the life of the process: use it with names from a small set. */
export function createMutexes(): (name: string) => Mutex {
  const mutexes = new Map<string, Mutex>()
  return (name) => {
    const known = mutexes.get(name)
    if (known !== undefined) return known
    const made = createMutex()
    mutexes.set(name, made)
    return made
  }
}

/**
 * Maps in order of the input with at most `limit` calls under way. After an error no further one begins; it is thrown when
 * those under way have ended: what they work on may be gone as soon as the caller knows.
 */
export async function mapBounded<In, Out>(
  items: readonly In[],
  limit: number,
  work: (item: In, at: number) => Promise<Out>,
): Promise<Out[]> {
  const results: Out[] = new Array(items.length)
  const errors: unknown[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < items.length && errors.length === 0) {
      const at = next++
      const item = items[at]
      try {
        if (item !== undefined) results[at] = await work(item, at)
      } catch (error) {
        errors.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  if (errors.length > 0) throw errors[0]
  return results
}

/** Lets waiting requests run; long loops call it between pieces of a millisecond or so. */
export async function breathe(): Promise<void> {
  await setImmediate()
}

/** Work of which `limit` may run at once, in the order of the calls. */
export function createSlots(limit: number): Mutex {
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (running < limit) running += 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      // Whoever is next takes this one's place.
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
}
