/**
 * `Phased-Update-Percentage` in stanzas, and without it.
 */
import t from 'tap'
import { isPhased, withoutPhasing } from '../../src/debian/phasing.ts'

const without = (text: string): string => withoutPhasing(Buffer.from(text)).toString()

t.test(
  'the field goes wherever it stands and however it is written, and nothing else',
  async (t) => {
    const texts = [
      ['Package: a\nPhased-Update-Percentage: 10\nVersion: 1\n', 'Package: a\nVersion: 1\n'],
      ['phased-update-PERCENTAGE:10\nPackage: a\n', 'Package: a\n'],
      ['Package: a\nPhased-Update-Percentage:\n 10\nVersion: 1\n', 'Package: a\nVersion: 1\n'],
      ['Package: a\nPhased-Update-Percentage: 0\n', 'Package: a\n'],
    ] as const
    for (const [phased, plain] of texts) {
      t.ok(isPhased(Buffer.from(phased)))
      t.equal(without(phased), plain)
    }
  },
)

t.test('a stanza that only speaks of it is left as it is', async (t) => {
  const text =
    'Package: a\nDescription: x\n Phased-Update-Percentage: 10\nX-Phased-Update-Percentage: 1\n'
  const stanza = Buffer.from(text)
  t.notOk(isPhased(stanza))
  t.equal(withoutPhasing(stanza), stanza)
})
