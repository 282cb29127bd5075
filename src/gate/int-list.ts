/**
 * A list of 32-bit integers that grows, in one typed array: a tenth of what an array of objects takes.
 */
export interface IntList {
  readonly length: number
  push(value: number): void
  get(at: number): number
  /** Puts another number in place of one. */
  set(at: number, value: number): void
  append(values: Int32Array): void
  /** The numbers so far; valid until the next push. */
  view(): Int32Array
  /** Forgets all from this length on. */
  truncate(length: number): void
}

/** An empty list. */
export function createIntList(capacity = 16): IntList {
  let values = new Int32Array(Math.max(1, capacity))
  let length = 0
  const grow = (size: number): void => {
    const larger = new Int32Array(size)
    larger.set(values)
    values = larger
  }
  return {
    get length() {
      return length
    },
    push: (value) => {
      if (length === values.length) grow(2 * length)
      values[length++] = value
    },
    append: (more) => {
      if (length + more.length > values.length) grow(2 * (length + more.length))
      values.set(more, length)
      length += more.length
    },
    get: (at) => values[at] ?? 0,
    set: (at, value) => {
      values[at] = value
    },
    view: () => values.subarray(0, length),
    truncate: (to) => {
      length = Math.min(length, to)
    },
  }
}

/** Lists of numbers by key, one after the other in one array: those of `key` are `items[starts[key]]` to `starts[key + 1]`. */
export interface Grouped {
  readonly starts: Int32Array
  readonly items: Int32Array
}

/** Those of a key; none of one that came later. */
export function groupOf({ starts, items }: Grouped, key: number): Int32Array {
  return key + 1 < starts.length
    ? items.subarray(starts[key], starts[key + 1])
    : items.subarray(0, 0)
}

/** Groups values by key in two passes; `each` gives the same pairs each time it is called. Keys are below `keys`. */
export function groupByKey(
  keys: number,
  each: (give: (key: number, value: number) => void) => void,
): Grouped {
  const starts = new Int32Array(keys + 1)
  each((key) => {
    starts[key + 1] = (starts[key + 1] ?? 0) + 1
  })
  for (let key = 0; key < keys; key++) starts[key + 1] = (starts[key + 1] ?? 0) + (starts[key] ?? 0)
  const items = new Int32Array(starts[keys] ?? 0)
  const next = starts.slice()
  each((key, value) => {
    const at = next[key] ?? 0
    items[at] = value
    next[key] = at + 1
  })
  return { starts, items }
}
