/** Reading and writing stanzas, judged by dpkg's Perl library on the real index. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { isAppError } from '../../src/base/errors.ts'
import {
  fieldLines,
  fieldValue,
  formatStanza,
  parseStanza,
  parseStanzas,
  Stanza,
  splitStanzas,
} from '../../src/debian/control.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { asDpkgReads, readWithDpkg } from './dpkg-control.ts'
import { drawFrom, newSeed, readRealIndex } from './real-index.ts'

function stanzaTexts(buf: Buffer): string[] {
  const places = splitStanzas(buf)
  const texts: string[] = []
  for (let at = 0; at < places.length; at += 2) {
    texts.push(buf.toString('utf8', places[at], places[at + 1]))
  }
  return texts
}

t.test('200 stanzas of the real index read as dpkg reads them', async (t) => {
  const seed = newSeed()
  t.comment(`SLUICE_SEED=${seed}`)
  const draw = drawFrom(seed)
  const all = stanzaTexts(await readRealIndex())
  const drawn = Array.from({ length: 200 }, () => all[draw(all.length)] ?? '')
  const file = join(testDir(t), 'drawn')
  await writeFile(file, drawn.join('\n'))
  const judged = await readWithDpkg(file)
  t.equal(judged.length, 200)

  const places: [name: string, value: string][][] = drawn.map((text) => {
    const buf = Buffer.from(text)
    const lines = fieldLines(buf, 0, buf.length)
    const fields: [name: string, value: string][] = []
    for (let at = 0; at < lines.length; at += 3) {
      const name = buf.toString('utf8', lines[at], lines[at + 1])
      fields.push([
        name.toLowerCase(),
        asDpkgReads(fieldValue(buf, 0, buf.length, name.toUpperCase()) ?? '?'),
      ])
    }
    return fields
  })
  t.strictSame(places, judged, 'read over the Buffer')

  const parsed = drawn.map((text) => [...parseStanza(text)])
  t.strictSame(
    parsed.map((fields) => fields.map(([name, value]) => [name.toLowerCase(), asDpkgReads(value)])),
    judged,
    'parsed strictly',
  )
  const untrailed = drawn.map((text) => text.replaceAll(/[ \t]+$/gm, ''))
  t.strictSame(parsed.map(formatStanza), untrailed, 'written again, they are the same')
})

t.test('the whole real index is cut where its blank lines are', async (t) => {
  const buf = await readRealIndex()
  const file = join(testDir(t), 'index')
  await writeFile(file, buf)
  const { stdout } = await runOk('perl', ['-00', '-ne', '$n++; END { print $n }', file])
  const places = splitStanzas(buf)
  t.equal(places.length / 2, Number(stdout))
  const isBetweenBlank = places.every((place, at) => {
    const next = places[at + 1] ?? buf.length
    return at % 2 === 0 || buf.toString('latin1', place, next).trim() === ''
  })
  t.ok(isBetweenBlank, 'nothing is left between the stanzas')
})

t.test('stanzas are found however they are set apart', async (t) => {
  const forms: Record<string, string> = {
    plain: 'A: 1\nB: 2\n\nA: 3\n',
    'no newline at the end': 'A: 1\nB: 2\n\nA: 3',
    'several blank lines': '\n\nA: 1\nB: 2\n\n\n\nA: 3\n\n\n',
    'blank lines that are not empty': ' \t\nA: 1\nB: 2\n  \n\t\nA: 3\n ',
    CRLF: 'A: 1\r\nB: 2\r\n\r\nA: 3\r\n\r\n',
    'CRLF without an end': '\r\nA: 1\r\nB: 2\r\n \r\nA: 3\r',
  }
  for (const [name, text] of Object.entries(forms)) {
    const buf = Buffer.from(text)
    const places = splitStanzas(buf)
    const values = Array.from({ length: places.length / 2 }, (_, at) =>
      ['A', 'B'].map((field) =>
        fieldValue(buf, places[2 * at] ?? 0, places[2 * at + 1] ?? 0, field),
      ),
    )
    const expected = [
      ['1', '2'],
      ['3', undefined],
    ]
    t.strictSame(values, expected, name)
    t.strictSame(
      parseStanzas(text).map((stanza) => [stanza.get('A'), stanza.get('B')]),
      expected,
      `${name}, parsed strictly`,
    )
  }
  t.equal(splitStanzas(Buffer.alloc(0)).length, 0)
  t.equal(splitStanzas(Buffer.from('\n \n\t\r\n')).length, 0)
  const many = 'A: 1\n\n'.repeat(5000)
  t.equal(splitStanzas(Buffer.from(many)).length, 10_000, 'as many tiny ones as there are')
})

t.test('a value is found by its whole name only, and ends where its field does', async (t) => {
  const text = [
    'Installed-Size: 1',
    'Description: one',
    ' Size: 2',
    ' .',
    '\tthree  ',
    'SIZE:\t 4 \t',
    'Empty:',
    'Files:',
    ' a',
    ' b',
  ].join('\n')
  const buf = Buffer.from(`Size: 9\n\n${text}\n\nSize: 8\n`)
  const value = (name: string) => fieldValue(buf, 9, 9 + text.length + 1, name)
  t.equal(value('Size'), '4')
  t.equal(value('installed-size'), '1')
  t.equal(value('Description'), 'one\n Size: 2\n .\n\tthree')
  t.equal(value('Empty'), '')
  t.equal(value('Files'), '\n a\n b')
  t.equal(value('Siz'), undefined)
  t.equal(value('Three'), undefined)
})

t.test('strict reading names the line of what is wrong', async (t) => {
  const cases: readonly [text: string, line: number, what: RegExp][] = [
    ['A: 1\nno field here\n', 2, /no colon/],
    ['A: 1\nB: 2\na: 3\n', 3, /a a second time/],
    ['A: 1\nB: x\0y\n', 2, /NUL/],
    [' lost\nA: 1\n', 1, /continuation/],
    ['A: 1\n\n lost\n', 3, /continuation/],
    ['A: 1\n: nameless\n', 2, /no field name/],
    ['A: 1\nB b: 2\n', 2, /no field name/],
    ['\n\n', 1, /no stanza/],
  ]
  for (const [text, line, what] of cases) {
    try {
      parseStanza(text)
      t.fail(`accepted ${JSON.stringify(text)}`)
    } catch (error) {
      t.ok(isAppError(error, 'ERR_FORMAT'), JSON.stringify(text))
      t.match(error, { message: what })
      t.match(error, { message: new RegExp(`line ${line}:`) })
    }
  }
  t.throws(() => parseStanza('A: 1\n\nA: 2\n'), { code: 'ERR_FORMAT' }, 'two where one is due')
})

t.test('a stanza keeps order and spelling, and knows its fields in any case', async (t) => {
  const stanza = parseStanza('Zeta: 1\nALPHA: 2\nX-New:\n')
  t.equal(stanza.get('zeta'), '1')
  t.equal(stanza.get('Alpha'), '2')
  t.ok(stanza.has('x-NEW'))
  t.equal(stanza.size, 3)
  stanza.set('zeta', '5')
  stanza.set('Last', 'x')
  t.equal(formatStanza(stanza), 'zeta: 5\nALPHA: 2\nX-New:\nLast: x\n')
})

t.test('nothing is written that would read as something else', async (t) => {
  const values = ['1\nEvil: 2', '1\n\nPackage: evil', '1\n \n 2', '1\r2', '1\n', 'x\0y', '1\n.']
  for (const value of values) {
    const write = () => formatStanza([['A', value]])
    t.throws(write, { code: 'ERR_FORMAT' }, JSON.stringify(value))
  }
  for (const name of ['', 'A b', 'A:', '#A', '-A', 'A\nB', 'É']) {
    t.throws(() => formatStanza([[name, '1']]), { code: 'ERR_FORMAT' }, JSON.stringify(name))
  }
  t.equal(formatStanza(new Stanza([['A', 'x\n y\n .\n\tz']])), 'A: x\n y\n .\n\tz\n')
})

t.test('stanzas are what stands between blank lines, whatever these are', async (t) => {
  const seed = newSeed()
  const draw = drawFrom(seed)
  const lines = [
    'A: 1\n',
    'B: 2\n',
    ' more\n',
    '\n',
    '\n',
    ' \n',
    '\t\n',
    '\r\n',
    'C: 3\r\n',
    'D: x y\n',
  ]
  for (let nth = 0; nth < 3000; nth++) {
    // Most are of plain lines alone: the quick way is for them. Long ones have room for continuation lines.
    const of = nth % 3 === 0 ? lines.length : 5
    const drawn = Array.from({ length: draw(12) }, () => lines[draw(of)] ?? '')
    if (nth % 2 === 0) drawn.push(`E: ${'x'.repeat(4000)}\n`)
    const expected: string[] = []
    let isBetween = true
    for (const line of drawn) {
      const isBlank = line.trim() === ''
      if (!isBlank) expected.push(isBetween ? line : `${expected.pop() ?? ''}${line}`)
      isBetween = isBlank
    }
    const found = stanzaTexts(Buffer.from(drawn.join('')))
    if (JSON.stringify(found) !== JSON.stringify(expected))
      t.same(found, expected, `SLUICE_SEED=${seed}, text ${nth}`)
  }
  t.pass('3,000 texts')
})
