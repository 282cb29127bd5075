/**
 * A map that forgets what was not used for longest, bounded by the sum of the weights of its entries.
 *
 * Entries hang in a chain in the order of their use. To take an entry out of a Map and put it back would be shorter, but the
 * first of a Map is slow to find when many before it were taken out.
 */
export interface Lru<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V, weight?: number): void
  delete(key: K): void
  /** Of all entries. */
  weight(): number
}

interface Entry<K, V> {
  readonly key: K
  value: V
  weight: number
  newer: Entry<K, V> | undefined
  older: Entry<K, V> | undefined
}

/** Keeps entries up to `capacity` in all; an entry weighs 1 unless told. */
export function createLru<K, V>(capacity: number): Lru<K, V> {
  const entries = new Map<K, Entry<K, V>>()
  let newest: Entry<K, V> | undefined
  let oldest: Entry<K, V> | undefined
  let total = 0
  const unchain = ({ newer, older }: Entry<K, V>): void => {
    if (newer === undefined) newest = older
    else newer.older = older
    if (older === undefined) oldest = newer
    else older.newer = newer
  }
  const chain = (entry: Entry<K, V>): void => {
    entry.newer = undefined
    entry.older = newest
    if (newest === undefined) oldest = entry
    else newest.newer = entry
    newest = entry
  }
  const use = (entry: Entry<K, V>): void => {
    if (entry === newest) return
    unchain(entry)
    chain(entry)
  }
  const remove = (entry: Entry<K, V>): void => {
    total -= entry.weight
    unchain(entry)
    entries.delete(entry.key)
  }
  return {
    get: (key) => {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      use(entry)
      return entry.value
    },
    set: (key, value, weight = 1) => {
      let entry = entries.get(key)
      if (entry === undefined) {
        entry = { key, value, weight, newer: undefined, older: undefined }
        chain(entry)
        entries.set(key, entry)
        total += weight
      } else {
        total += weight - entry.weight
        entry.value = value
        entry.weight = weight
        use(entry)
      }
      while (total > capacity && oldest !== undefined) remove(oldest)
    },
    delete: (key) => {
      const entry = entries.get(key)
      if (entry !== undefined) remove(entry)
    },
    weight: () => total,
  }
}
