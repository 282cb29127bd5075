/**
 * A map that forgets what was not used for longest, bounded by the sum of the weights of its entries.
 */
export interface Lru<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V, weight?: number): void
  delete(key: K): void
  /** Of all entries. */
  weight(): number
}

/** Keeps entries up to `capacity` in all; an entry weighs 1 unless told. */
export function createLru<K, V>(capacity: number): Lru<K, V> {
  const entries = new Map<K, { value: V; weight: number; movedAt: number }>()
  let total = 0
  let moves = 0
  const remove = (key: K): void => {
    const entry = entries.get(key)
    if (entry === undefined) return
    total -= entry.weight
    entries.delete(key)
  }
  return {
    get: (key) => {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      // What is among the youngest quarter stays where it is: moving costs more than finding.
      if (moves - entry.movedAt > entries.size / 4) {
        entries.delete(key)
        entry.movedAt = ++moves
        entries.set(key, entry)
      }
      return entry.value
    },
    set: (key, value, weight = 1) => {
      remove(key)
      entries.set(key, { value, weight, movedAt: ++moves })
      total += weight
      for (const oldest of entries.keys()) {
        if (total <= capacity) break
        remove(oldest)
      }
    },
    delete: remove,
    weight: () => total,
  }
}
