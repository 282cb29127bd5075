/**
 * Pieces of patches: what they make together, and which of them the next patch has again.
 */
import t from 'tap'
import { createPieces, type PlacedParts, partsOf } from '../../src/archives/patch-pieces.ts'
import { formatEdScript, type Hunk } from '../../src/debian/pdiff.ts'

/** Changed versions, each alike, and now and then a stanza that goes. */
const hunks: Hunk[] = Array.from({ length: 6000 }, (_, at) => {
  const isGone = at % 50 === 49
  return { at: at * 12, removed: isGone ? 9 : 1, added: isGone ? '' : 'Version: 2.0-1\n' }
})

const placed = (...all: readonly (readonly [line: number, Hunk[]])[]): PlacedParts[] =>
  all.map(([line, some]) => ({ line, parts: partsOf(`at-${line}`, some) }))

t.test('a long run of hunks that are alike is cut, and makes the same script', async (t) => {
  const pieces = createPieces()(placed([0, hunks]))
  const script = Buffer.concat(pieces).toString('latin1')
  t.equal(script, formatEdScript(hunks))
  const mean = script.length / pieces.length
  t.ok(mean > 8_000 && mean < 32_000, `pieces have ${mean.toFixed(0)} bytes`)
  t.ok(Math.max(...pieces.map((piece) => piece.length)) < 100_000)
})

t.test('the same hunks at the same lines are the same Buffer', async (t) => {
  const piecesOf = createPieces()
  const [rest, more] = [partsOf('rest', hunks), partsOf('more', hunks.slice(0, 1))]
  const one = piecesOf([{ line: 100, parts: rest }])
  const other = piecesOf([
    { line: 0, parts: more },
    { line: 100, parts: rest },
  ])
  t.equal(other.filter((piece) => !one.includes(piece)).length, 1, 'the first of the text')
  t.equal(other.at(-1)?.toString('latin1'), `${one.at(-1)}1c\nVersion: 2.0-1\n.\n`)
  const moved = piecesOf([{ line: 101, parts: rest }])
  t.equal(moved.filter((piece) => one.includes(piece)).length, 0, 'at other lines')
  t.equal(Buffer.concat(moved).toString('latin1'), formatEdScript(hunks, 101))
})

t.test('what is small is one piece, and nothing is none', async (t) => {
  const piecesOf = createPieces()
  const some = placed([0, hunks.slice(0, 400)], [9000, hunks.slice(400, 500)])
  t.equal(piecesOf(some).length, 1)
  t.ok(piecesOf(some)[0]?.toString('latin1').endsWith('1c\nVersion: 2.0-1\n.\n'))
  t.same(piecesOf([]), [])
  t.same(piecesOf(placed([7, []])), [])
})

t.test('a piece of a megabyte drives out none', async (t) => {
  const piecesOf = createPieces()
  const rest = { line: 0, parts: partsOf('rest', hunks) }
  const before = piecesOf([rest])
  const added = `${'x'.repeat(60)}\n`.repeat(40_000)
  piecesOf([{ line: 0, parts: partsOf('large', [{ at: 0, removed: 0, added }]) }])
  t.ok(piecesOf([rest]).every((piece) => before.includes(piece)))
})
