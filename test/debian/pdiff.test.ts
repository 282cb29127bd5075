/**
 * pdiffs: the Index as apt reads it, ed scripts, and differences of stanzas.
 */
import t from 'tap'
import { sha256Of } from '../../src/base/sha256.ts'
import {
  formatEdScript,
  formatPdiffIndex,
  isEdText,
  type PdiffFile,
  type PdiffIndex,
  parsePdiffIndex,
} from '../../src/debian/pdiff.ts'
import { diffStanzas } from '../../src/debian/stanza-diff.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'

const file = (text: string): PdiffFile => ({ sha256: sha256Of(text), size: text.length })

const index: PdiffIndex = {
  current: file('now'),
  patches: ['older', 'newer'].map((name) => ({
    name: `1234-${name}`,
    from: file(name),
    patch: file(`patch from ${name}`),
    download: file(`gzip from ${name}`),
  })),
}

t.test('an Index has three lists with the same names in the same order', async (t) => {
  const text = formatPdiffIndex(index)
  t.same(parsePdiffIndex(text), index)
  t.match(text, /^SHA256-Current: [0-9a-f]{64} 3\nSHA256-History:\n [0-9a-f]{64} 5 1234-older\n/)
  t.match(text, /\nSHA256-Download:\n [0-9a-f]{64} 15 1234-older\.gz\n/)
  t.match(text, /\nX-Patch-Precedence: merged\n$/)
})

t.test('what is not an Index of merged patches is refused', async (t) => {
  const text = formatPdiffIndex(index)
  const broken = [
    text.replace('merged', 'other'),
    text.replace('SHA256-Current', 'SHA1-Current'),
    text.replace('older.gz', 'other.gz'),
    text.replace(index.current.sha256, 'x'),
    text.replace(/SHA256-Patches:\n/, 'SHA256-Patches:\n not a line\n'),
  ]
  for (const one of broken) t.throws(() => parsePdiffIndex(one), { code: 'ERR_FORMAT' })
})

t.test('a script goes from the end upwards, with the line numbers of the whole file', async (t) => {
  const hunks = [
    { at: 0, removed: 0, added: 'new first\n' },
    { at: 2, removed: 1, added: '' },
    { at: 4, removed: 2, added: 'x\ny\nz\n' },
  ]
  t.equal(formatEdScript(hunks), '5,6c\nx\ny\nz\n.\n3d\n0a\nnew first\n.\n')
  t.equal(formatEdScript(hunks, 10), '15,16c\nx\ny\nz\n.\n13d\n10a\nnew first\n.\n')
})

t.test('a lone dot, a NUL and half a line are told', async (t) => {
  for (const text of ['.\n', 'a\n.\nb\n', 'a\0\n', 'half'])
    t.notOk(isEdText(text), JSON.stringify(text))
  for (const text of ['', 'a\n', ' .\n', 'a.\n', '..\n']) t.ok(isEdText(text), JSON.stringify(text))
})

t.test('stanzas in any order become one another', async (t) => {
  const stanza = (name: string, more: string): string =>
    `Package: ${name}\nSection: something\nDescription: ${more}\n more of it\n\n`
  const one = stanza('a', 'one')
  const texts = {
    'a reversed list': ['c', 'b', 'a'].map((name) => stanza(name, 'one')).join(''),
    'the same stanza twice': `${one}${stanza('b', 'one')}${one}${stanza('c', 'one')}`,
    'two of one name': `${one}${stanza('a', 'two')}${stanza('b', 'three')}`,
    'bytes that are no UTF-8': `${one}${stanza('b', '\xff\xfe')}`,
    'blank lines all over': `\n\n${one}\n\n \n${stanza('c', 'one')}\n`,
    'lines alone': '\n\n',
    nothing: '',
  }
  const from = ['a', 'b', 'c'].map((name) => stanza(name, 'one')).join('')
  for (const [name, text] of Object.entries(texts)) {
    for (const [old, fresh] of [
      [from, text],
      [text, from],
    ] as const) {
      const hunks = diffStanzas(Buffer.from(old, 'latin1'), Buffer.from(fresh, 'latin1'))
      t.equal(
        await patched(testDir(t, { file: Buffer.from(old, 'latin1') }), formatEdScript(hunks)),
        fresh,
        name,
      )
    }
  }
})

/** What ed makes of `DIR/file`. */
async function patched(dir: string, script: string): Promise<string> {
  const { stdout } = await runOk('ed', ['-s', `${dir}/file`], {
    input: Buffer.from(`${script}w\n!base64 -w0 ${dir}/file\nQ\n`, 'latin1'),
  })
  return Buffer.from(stdout.split('\n')[0] ?? '', 'base64').toString('latin1')
}
