/**
 * Differences of two texts, line by line, as `diff -u` tells them (E. Myers, "An O(ND) Difference Algorithm").
 *
 * Bounded in work: texts that differ in more than some hundreds of lines are told as taken out and put in as a whole,
 * between what they have in common at their begin and end.
 */

/** A stretch of lines: `old` lines from `oldAt` on became the `new` lines from `newAt` on. */
interface Change {
  readonly oldAt: number
  readonly oldCount: number
  readonly newAt: number
  readonly newCount: number
}

const CONTEXT = 3
const MAX_EDITS = 500

/** The hunks of `diff -u`, without its two first lines; empty where both are the same. */
export function unifiedDiff(before: string, after: string): string[] {
  const [old, fresh] = [linesOf(before), linesOf(after)]
  const changes = changesOf(old, fresh)
  const lines: string[] = []
  for (let at = 0; at < changes.length; ) {
    let end = at + 1
    while (end < changes.length && gap(changes[end - 1], changes[end]) <= 2 * CONTEXT) end += 1
    lines.push(...hunk(old, fresh, changes.slice(at, end)))
    at = end
  }
  return lines
}

function linesOf(text: string): string[] {
  if (text === '') return []
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  else lines.push(`${lines.pop() ?? ''}\n\\ No newline at end of file`)
  return lines
}

function gap(one: Change | undefined, next: Change | undefined): number {
  return one === undefined || next === undefined ? 0 : next.oldAt - one.oldAt - one.oldCount
}

function hunk(
  old: readonly string[],
  fresh: readonly string[],
  changes: readonly Change[],
): string[] {
  const [first, last] = [changes[0], changes.at(-1)]
  if (first === undefined || last === undefined) return []
  const lead = Math.min(CONTEXT, first.oldAt)
  const tail = Math.min(CONTEXT, old.length - last.oldAt - last.oldCount)
  const lines: string[] = []
  let at = first.oldAt - lead
  for (const { oldAt, oldCount, newAt, newCount } of changes) {
    lines.push(...old.slice(at, oldAt).map((line) => ` ${line}`))
    lines.push(...old.slice(oldAt, oldAt + oldCount).map((line) => `-${line}`))
    lines.push(...fresh.slice(newAt, newAt + newCount).map((line) => `+${line}`))
    at = oldAt + oldCount
  }
  lines.push(...old.slice(at, at + tail).map((line) => ` ${line}`))
  const left = range(first.oldAt - lead, at + tail)
  const right = range(first.newAt - lead, last.newAt + last.newCount + tail)
  return [`@@ -${left} +${right} @@`, ...lines.flatMap((line) => line.split('\n'))]
}

function range(start: number, end: number): string {
  const count = end - start
  if (count === 0) return `${start},0`
  return count === 1 ? String(start + 1) : `${start + 1},${count}`
}

/** What stands between the common begin and the common end, as stretches. */
function changesOf(old: readonly string[], fresh: readonly string[]): Change[] {
  const shorter = Math.min(old.length, fresh.length)
  let start = 0
  while (start < shorter && old[start] === fresh[start]) start += 1
  let same = 0
  while (same < shorter - start && old.at(-1 - same) === fresh.at(-1 - same)) same += 1
  const [oldEnd, newEnd] = [old.length - same, fresh.length - same]
  if (start === oldEnd && start === newEnd) return []
  const whole = { oldAt: start, oldCount: oldEnd - start, newAt: start, newCount: newEnd - start }
  if (whole.oldCount === 0 || whole.newCount === 0) return [whole]
  const pairs = commonLines(old.slice(start, oldEnd), fresh.slice(start, newEnd))
  return pairs === undefined ? [whole] : between(whole, pairs)
}

/** The stretches between pairs of lines that stay (places behind the begin of `whole`). */
function between(whole: Change, pairs: readonly (readonly [number, number])[]): Change[] {
  const changes: Change[] = []
  let [oldAt, newAt] = [0, 0]
  for (const [left, right] of [...pairs, [whole.oldCount, whole.newCount] as const]) {
    if (left > oldAt || right > newAt) {
      const counts = { oldCount: left - oldAt, newCount: right - newAt }
      changes.push({ oldAt: whole.oldAt + oldAt, newAt: whole.newAt + newAt, ...counts })
    }
    oldAt = left + 1
    newAt = right + 1
  }
  return changes
}

/** Lines that both have, in order, as places; undefined if there are more than MAX_EDITS others. */
function commonLines(a: readonly string[], b: readonly string[]): [number, number][] | undefined {
  const most = Math.min(MAX_EDITS, a.length + b.length)
  const furthest = new Int32Array(2 * most + 3)
  const trace: Int32Array[] = []
  for (let edits = 0; edits <= most; edits++) {
    // What the diagonals from -edits to edits reached before this step.
    trace.push(furthest.slice(most - edits, most + edits + 3))
    for (let k = -edits; k <= edits; k += 2) {
      const at = most + 1 + k
      const isDown =
        k === -edits || (k !== edits && reach(furthest, at - 1) < reach(furthest, at + 1))
      let x = isDown ? reach(furthest, at + 1) : reach(furthest, at - 1) + 1
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1
      furthest[at] = x
      if (x >= a.length && x - k >= b.length) return walkBack(trace, a.length, b.length)
    }
  }
  return undefined
}

function walkBack(
  trace: readonly Int32Array[],
  oldEnd: number,
  newEnd: number,
): [number, number][] {
  const pairs: [number, number][] = []
  let [x, y] = [oldEnd, newEnd]
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const before = trace[edits]
    const k = x - y
    const at = edits + 1 + k
    const isDown = k === -edits || (k !== edits && reach(before, at - 1) < reach(before, at + 1))
    const fromX = isDown ? reach(before, at + 1) : reach(before, at - 1)
    const fromY = fromX - (isDown ? k + 1 : k - 1)
    while (x > Math.max(fromX, 0) && y > Math.max(fromY, 0)) {
      x -= 1
      y -= 1
      pairs.push([x, y])
    }
    if (edits > 0) [x, y] = [fromX, fromY]
  }
  return pairs.reverse()
}

function reach(row: Int32Array | undefined, at: number): number {
  return row?.[at] ?? 0
}
