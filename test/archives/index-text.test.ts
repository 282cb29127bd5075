/** Upstream's text in a scratch file: the stanzas are found whatever its line ends are, and wherever pieces are cut. */
import { join } from 'node:path'
import t from 'tap'
import { openIndexText } from '../../src/archives/index-text.ts'
import { testDir } from '../support/test-dir.ts'

async function* pieces(text: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < text.length; at += size) yield text.subarray(at, at + size)
}

t.test('a text of several blocks is found stanza by stanza', async (t) => {
  const dir = testDir(t)
  for (const [name, end, blank] of [
    ['lf', '\n', '\n'],
    ['crlf', '\r\n', '\r\n'],
    ['blanks', '\n', ' \t\n'],
  ] as const) {
    const names = Array.from({ length: 40_000 }, (_, at) => `package-${at}`)
    const stanza = (one: string): string =>
      `Package: ${one}${end}Description: ${'x'.repeat(100)}${end} ${'y'.repeat(60)}${end}`
    const text = Buffer.from(names.map(stanza).join(blank))
    const scratch = await openIndexText(join(dir, name))
    await scratch.append(pieces(text, 65_521))
    const list = scratch.stanzas()
    t.same(list.names, names, name)
    const { bytes, ranges } = list.read(Uint32Array.of(0, 20_000, 39_999))
    const read = [0, 1, 2].map((nth) =>
      bytes.subarray(ranges[nth * 2], ranges[nth * 2 + 1]).toString(),
    )
    t.same(read, ['package-0', 'package-20000', 'package-39999'].map(stanza), name)
    await scratch.close()
  }
})
