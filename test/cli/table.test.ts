/** Tables, progress and where output goes. */
import t from 'tap'
import { createOutput, type OutputStream } from '../../src/cli/output.ts'
import { bar, createPace } from '../../src/cli/progress.ts'
import { type Column, renderPairs, renderTable } from '../../src/cli/table.ts'

interface Row {
  readonly name: string
  readonly size: string
  readonly note: string
}

const columns: Column<Row>[] = [
  { title: 'NAME', value: (row) => row.name, isWhole: true },
  { title: 'SIZE', value: (row) => row.size, align: 'right' },
  { title: 'NOTE', value: (row) => row.note },
]
const rows: Row[] = [
  { name: 'a', size: '7', note: '' },
  { name: 'naïve', size: '1,234', note: 'long, long, long note' },
]

t.test('columns are aligned, and no line ends with blanks', async (t) => {
  t.same(renderTable(columns, rows, undefined), [
    'NAME    SIZE  NOTE',
    'a          7',
    'naïve  1,234  long, long, long note',
  ])
})

t.test('a table fits the terminal by cutting what may be cut', async (t) => {
  const lines = renderTable(columns, rows, 26)
  t.same(lines, ['NAME    SIZE  NOTE', 'a          7', 'naïve  1,234  long, long,…'])
  const narrow = renderTable(columns, rows, 3)
  t.match(narrow[2], /^naïve {2}1,234 {2}long, l…$/, 'but never below what can be read')
})

t.test('what a cell holds cannot move the cursor', async (t) => {
  const [, line] = renderTable(columns, [{ name: 'a', size: '1', note: '\u001b[1A\rgone' }], 80)
  t.equal(line, 'a        1  ?[1A?gone')
})

t.test('pairs are aligned by their names', async (t) => {
  t.same(
    renderPairs([
      ['key', 'A'],
      ['archive', 'b'],
    ]),
    ['key      A', 'archive  b'],
  )
})

function stream(isTTY: boolean, columns?: number): OutputStream & { text: string } {
  const made = {
    isTTY,
    columns,
    text: '',
    write: (text: string) => {
      made.text += text
    },
  }
  return made
}

t.test(
  'progress is one line that is drawn over, and goes before anything is printed',
  async (t) => {
    const [out, err] = [stream(true, 80), stream(true, 20)]
    let at = 0
    const output = createOutput({ out, err }, false, () => at)
    output.progress('1 of 1,000 packages, and more')
    output.progress('2 of 1,000')
    t.equal(err.text, '\r\u001b[K1 of 1,000 package…', 'not drawn twice at the same time, and cut')
    at += 100
    output.progress('3 of 1,000')
    output.lines('done')
    t.ok(err.text.endsWith('\r\u001b[K3 of 1,000\r\u001b[K'), JSON.stringify(err.text))
    t.equal(out.text, 'done\n')
  },
)

t.test('piped there is no progress, and tables have no width', async (t) => {
  const [out, err] = [stream(false), stream(false)]
  const output = createOutput({ out, err }, false)
  output.progress('1 of 2')
  output.result(['a'], (all) => all)
  t.same([output.width, out.text, err.text], [undefined, 'a\n', ''])
})

t.test('with JSON only the result is printed', async (t) => {
  const [out, err] = [stream(true, 80), stream(true, 80)]
  const output = createOutput({ out, err }, true)
  output.progress('1 of 2')
  output.lines('a line for people')
  output.result({ a: [1] }, () => ['never'])
  t.same(JSON.parse(out.text), { a: [1] })
  t.equal(err.text, '')
})

t.test('a bar is full at the end and never wider', async (t) => {
  t.equal(bar(0), `[${' '.repeat(30)}]`)
  t.equal(bar(0.5), `[${'='.repeat(15)}${' '.repeat(15)}]`)
  t.equal(bar(1.7), `[${'='.repeat(30)}]`)
  t.equal(bar(Number.NaN), `[${' '.repeat(30)}]`)
})

t.test('time left is told when it can be judged', async (t) => {
  let at = 0
  const pace = createPace(() => at)
  at = 900
  t.equal(pace.left(10, 100), '', 'too early')
  at = 10_000
  t.equal(pace.left(25, 100), '30 s left')
  t.equal(pace.left(100, 100), '')
  t.equal(pace.left(0, 100), '')
})
