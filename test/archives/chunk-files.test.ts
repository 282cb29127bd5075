/**
 * The files of a chunk are found the quick way and field by field alike, however its stanzas are written.
 */
import t from 'tap'
import { eachFile } from '../../src/archives/chunk-files.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { splitStanzas } from '../../src/debian/control.ts'

const a = sha256Of('a')
const b = sha256Of('b')
const stanza = (name: string, lines: readonly string[]): string =>
  [`Package: ${name}`, 'Version: 1', 'Architecture: all', 'Filename: x.deb', ...lines, '', ''].join(
    '\n',
  )
const usual = (name: string, digest: string, size: number): string =>
  stanza(name, ['Installed-Size: 9', `Size: ${size}`, `SHA256: ${digest}`, 'Description: y'])

function filesOf(text: string): [string, number][] {
  const found: [string, number][] = []
  const bytes = Buffer.from(text)
  const stanzas = splitStanzas(bytes).length / 2
  const digest = sha256Of(bytes)
  const sizes = { plainSize: bytes.length, memberSize: 1, lines: 1, stanzas }
  const chunk = { plain: digest, member: digest, ...sizes, first: '', last: '' }
  eachFile('Packages', chunk, bytes, (sha256, size) => found.push([sha256, size]))
  return found
}

t.test('as most archives write them', async (t) => {
  t.same(filesOf(usual('one', a, 7) + usual('two', b, 123_456_789_012)), [
    [a, 7],
    [b, 123_456_789_012],
  ])
  t.same(filesOf(stanza('last', [`SHA256: ${a}`, 'Size: 1'])), [[a, 1]])
  t.same(filesOf(''), [])
})

t.test('as some do', async (t) => {
  const odd = [
    stanza('case', [`sha256: ${a}`, 'size: 7']),
    stanza('tight', [`SHA256:${a}`, 'Size:7']),
    stanza('blanks', [`SHA256:   ${a}  `, 'Size:  7 ']),
    stanza('upper', [`SHA256: ${a.toUpperCase()}`, 'Size: 7']),
    stanza('lines', ['Description: x', ` SHA256: ${b}`, ' Size: 1', `SHA256: ${a}`, 'Size: 7']),
  ]
  for (const text of odd) {
    t.same(
      filesOf(usual('before', b, 5) + text + usual('behind', b, 6)).map(([one, size]) => [
        one.toLowerCase(),
        size,
      ]),
      [
        [b, 5],
        [a, 7],
        [b, 6],
      ],
      text.slice(0, 20),
    )
  }
})
