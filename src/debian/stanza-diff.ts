/**
 * How one run of stanzas becomes another: hunks of whole lines.
 *
 * Stanzas that stand on both sides, in the same order, are left alone. Between them, a stanza is compared line by line with
 * the next old one that begins with the same line (`Package: …`); others come or go as a whole. The result need not be
 * the shortest; it is right for any two texts that end in a newline.
 */
import { splitStanzas } from './control.ts'
import type { Hunk } from './pdiff.ts'

const newline = 10
/** Lines that differ are compared pair by pair up to so many pairs; above, they are replaced as a whole. */
const MAX_PAIRS = 250_000
/** Hunks with no more than so many bytes between them are one: a hunk's own lines take as much. */
const MAX_GAP_BYTES = 20

/** A stanza with what follows it up to the next one. */
interface Block {
  readonly text: Buffer
  readonly start: number
  readonly end: number
}

/** The hunks that make `fresh` out of `old`, in the order of the text, none touching the next. */
export function diffStanzas(old: Buffer, fresh: Buffer): Hunk[] {
  const before = stanzasBefore(old, commonStart(old, fresh))
  const [oldRest, freshRest] = [old.subarray(before), fresh.subarray(before)]
  const after = stanzasAfter(oldRest, commonEnd(oldRest, freshRest))
  const hunks = hunkList(countLines(old, 0, before))
  diffBlocks(
    blocksOf(oldRest.subarray(0, oldRest.length - after)),
    blocksOf(freshRest.subarray(0, freshRest.length - after)),
    hunks,
  )
  return hunks.done()
}

/** How many bytes both begin with. */
function commonStart(a: Buffer, b: Buffer): number {
  let low = 0
  let high = Math.min(a.length, b.length)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (a.compare(b, low, middle, low, middle) === 0) low = middle
    else high = middle - 1
  }
  return low
}

/** How many bytes both end with. */
function commonEnd(a: Buffer, b: Buffer): number {
  let low = 0
  let high = Math.min(a.length, b.length)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    const isSame =
      a.compare(b, b.length - middle, b.length - low, a.length - middle, a.length - low) === 0
    if (isSame) low = middle
    else high = middle - 1
  }
  return low
}

/** The length of the whole stanzas within the first `count` bytes. */
function stanzasBefore(text: Buffer, count: number): number {
  const at = count < 2 ? -1 : text.lastIndexOf('\n\n', count - 2)
  return at < 0 ? 0 : at + 2
}

/** The length of the whole stanzas within the last `count` bytes. */
function stanzasAfter(text: Buffer, count: number): number {
  const at = text.indexOf('\n\n', text.length - count)
  return count < 2 || at < 0 ? 0 : text.length - at - 2
}

/** Collects hunks while both sides are walked; those that touch become one. */
interface HunkList {
  keep(lines: number): void
  change(removed: number, added: string): void
  done(): Hunk[]
}

function hunkList(start: number): HunkList {
  const hunks: { at: number; removed: number; added: string }[] = []
  let at = start
  return {
    keep: (lines) => {
      at += lines
    },
    change: (removed, added) => {
      if (removed === 0 && added === '') return
      const last = hunks.at(-1)
      if (last !== undefined && last.at + last.removed === at) {
        last.removed += removed
        last.added += added
      } else hunks.push({ at, removed, added })
      at += removed
    },
    done: () => hunks,
  }
}

function blocksOf(text: Buffer): Block[] {
  const ranges = splitStanzas(text)
  const blocks: Block[] = []
  for (let nth = 0; nth < ranges.length; nth += 2) {
    const start = nth === 0 ? 0 : (ranges[nth] ?? 0)
    blocks.push({ text, start, end: ranges[nth + 2] ?? text.length })
  }
  if (blocks.length === 0 && text.length > 0) blocks.push({ text, start: 0, end: text.length })
  return blocks
}

function textOf({ text, start, end }: Block): string {
  return text.toString('latin1', start, end)
}

function linesIn(blocks: readonly Block[]): number {
  return blocks.reduce((sum, { text, start, end }) => sum + countLines(text, start, end), 0)
}

function countLines(text: Buffer, start: number, end: number): number {
  let lines = 0
  for (let at = start; at < end; at++) if (text[at] === newline) lines++
  return lines
}

/** Goes from one stanza that both sides have to the next. */
function diffBlocks(left: readonly Block[], right: readonly Block[], hunks: HunkList): void {
  const places = placesOf(left, textOf)
  let [fromLeft, fromRight] = [0, 0]
  for (const [nth, block] of right.entries()) {
    const like = nextPlace(places, textOf(block), fromLeft)
    if (like === undefined) continue
    diffBetween(left.slice(fromLeft, like), right.slice(fromRight, nth), hunks)
    hunks.keep(linesIn([block]))
    fromLeft = like + 1
    fromRight = nth + 1
  }
  diffBetween(left.slice(fromLeft), right.slice(fromRight), hunks)
}

/** Two runs without a stanza in common: those that begin alike are compared line by line. */
function diffBetween(left: readonly Block[], right: readonly Block[], hunks: HunkList): void {
  const places = placesOf(left, firstLine)
  let from = 0
  for (const block of right) {
    const like = nextPlace(places, firstLine(block), from)
    if (like === undefined) {
      hunks.change(0, textOf(block))
      continue
    }
    hunks.change(linesIn(left.slice(from, like)), '')
    for (const twin of left.slice(like, like + 1)) diffLines(linesOf(twin), linesOf(block), hunks)
    from = like + 1
  }
  hunks.change(linesIn(left.slice(from)), '')
}

function firstLine({ text, start, end }: Block): string {
  const at = text.indexOf(newline, start)
  return text.toString('latin1', start, at < 0 ? end : Math.min(at, end))
}

function placesOf(
  blocks: readonly Block[],
  keyOf: (block: Block) => string,
): Map<string, number[]> {
  const places = new Map<string, number[]>()
  for (const [nth, block] of blocks.entries()) {
    const key = keyOf(block)
    const known = places.get(key)
    if (known === undefined) places.set(key, [nth])
    else known.push(nth)
  }
  return places
}

function nextPlace(
  places: ReadonlyMap<string, readonly number[]>,
  key: string,
  from: number,
): number | undefined {
  return places.get(key)?.find((place) => place >= from)
}

function linesOf(block: Block): string[] {
  const lines = textOf(block).split('\n')
  lines.pop()
  return lines
}

function diffLines(left: readonly string[], right: readonly string[], hunks: HunkList): void {
  const most = Math.min(left.length, right.length)
  let before = 0
  while (before < most && left[before] === right[before]) before++
  let after = 0
  while (after < most - before && left.at(-1 - after) === right.at(-1 - after)) after++
  hunks.keep(before)
  const old = left.slice(before, left.length - after)
  const fresh = right.slice(before, right.length - after)
  if (old.length * fresh.length > MAX_PAIRS) hunks.change(old.length, joined(fresh))
  else changeLines(old, fresh, hunks)
  hunks.keep(after)
}

/** By the longest common subsequence; what is hardly worth a hunk's own lines goes into the hunks around it. */
function changeLines(old: readonly string[], fresh: readonly string[], hunks: HunkList): void {
  let [fromOld, fromFresh] = [0, 0]
  for (const run of commonRuns(old, fresh)) {
    hunks.change(run.old - fromOld, joined(fresh.slice(fromFresh, run.fresh)))
    const text = joined(fresh.slice(run.fresh, run.fresh + run.count))
    if (text.length <= MAX_GAP_BYTES) hunks.change(run.count, text)
    else hunks.keep(run.count)
    fromOld = run.old + run.count
    fromFresh = run.fresh + run.count
  }
  hunks.change(old.length - fromOld, joined(fresh.slice(fromFresh)))
}

/** Lines that stand on both sides, one after the other. */
interface CommonRun {
  readonly old: number
  readonly fresh: number
  count: number
}

function commonRuns(old: readonly string[], fresh: readonly string[]): CommonRun[] {
  const runs: CommonRun[] = []
  for (const [atOld, atFresh] of commonLines(old, fresh)) {
    const run = runs.at(-1)
    const isNext =
      run !== undefined && atOld === run.old + run.count && atFresh === run.fresh + run.count
    if (isNext) run.count++
    else runs.push({ old: atOld, fresh: atFresh, count: 1 })
  }
  return runs
}

/** Pairs of places, rising on both sides, of a longest common subsequence. */
function commonLines(
  old: readonly string[],
  fresh: readonly string[],
): (readonly [old: number, fresh: number])[] {
  const width = fresh.length + 1
  const lengths = new Uint16Array((old.length + 1) * width)
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = fresh.length - 1; j >= 0; j--) {
      const at = i * width + j
      lengths[at] =
        old[i] === fresh[j]
          ? (lengths[at + width + 1] ?? 0) + 1
          : Math.max(lengths[at + width] ?? 0, lengths[at + 1] ?? 0)
    }
  }
  const pairs: (readonly [number, number])[] = []
  for (let i = 0, j = 0; i < old.length && j < fresh.length; ) {
    if (old[i] === fresh[j]) pairs.push([i++, j++])
    else if ((lengths[(i + 1) * width + j] ?? 0) >= (lengths[i * width + j + 1] ?? 0)) i++
    else j++
  }
  return pairs
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}
