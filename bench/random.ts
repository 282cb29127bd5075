/**
 * Random choices that a printed seed repeats: a figure that surprises can be had again.
 */

/** Numbers in [0, 1) that depend on the seed alone (the mulberry32 generator). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `count` different items (all of them if there are fewer), in random order. */
export function sample<T>(items: readonly T[], count: number, random: () => number): T[] {
  const rest = [...items]
  const chosen: T[] = []
  while (chosen.length < count && rest.length > 0) {
    const at = Math.floor(random() * rest.length)
    const last = rest.pop()
    if (last === undefined) break
    const item = at < rest.length ? rest[at] : last
    if (at < rest.length) rest[at] = last
    if (item !== undefined) chosen.push(item)
  }
  return chosen
}
