/** .deb files that are damaged, badly made or hostile: refused by name, within bounds, and never read as something else. */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { isAppError } from '../../src/base/errors.ts'
import { type Deb, type ReadDebOptions, readDeb } from '../../src/debian/deb.ts'
import { testDir } from '../support/test-dir.ts'
import { archiveOf, buildDeb, controlText, makeTree, once, tarOf } from './make-debs.ts'

const everything: ReadDebOptions = { list: { maxEntries: 1000 } }
const small: ReadDebOptions = { list: { maxEntries: 1000, maxBytes: 1_000_000 } }

t.test('a damaged .deb is refused or reads the same, never otherwise', async (t) => {
  const dir = testDir(t)
  await makeTree(join(dir, 'tree'))
  for (const compression of ['gzip', 'xz', 'zstd']) {
    const deb = await readFile(await buildDeb(dir, compression))
    const whole = await readDeb(once(deb), everything)
    const attempt = async (data: Buffer, what: string): Promise<Deb | undefined> => {
      try {
        return await readDeb(once(data), small)
      } catch (error) {
        const isExpected = isAppError(error, 'ERR_FORMAT') || isAppError(error, 'ERR_TOO_LARGE')
        if (!isExpected) t.fail(`${compression}, ${what}: ${error}`)
        return undefined
      }
    }
    let accepted = 0
    for (let cut = 0; cut < deb.length - 1; cut += 13) {
      if ((await attempt(deb.subarray(0, cut), `cut at ${cut}`)) !== undefined) accepted += 1
    }
    t.equal(accepted, 0, `${compression}: cut short`)
    for (let at = 0; at < deb.length; at += 7) {
      const flipped = Buffer.from(deb)
      flipped[at] = (flipped[at] ?? 0) ^ 0x04
      const found = await attempt(flipped, `flipped at ${at}`)
      // Times and owners in headers, and the like, are none of our business; the content is.
      if (found !== undefined) t.same(found.entries, whole.entries, `flipped at ${at}`)
      if (found !== undefined) t.same(found.controlText, whole.controlText)
    }
  }
})

t.test('members in another order, of another format or missing are refused by name', async (t) => {
  const control = await tarOf([['./control', controlText]])
  const data = await tarOf([['./usr/a', 'a']])
  const good: [name: string, data: string | Buffer][] = [
    ['debian-binary', '2.0\n'],
    ['control.tar', control],
    ['data.tar', data],
  ]
  const [format, first, last] = good as [(typeof good)[0], (typeof good)[0], (typeof good)[0]]
  const read = async (members: typeof good) => {
    return readDeb(once(await archiveOf(t, members)), everything)
  }
  t.same((await read(good)).entries, [{ path: 'usr/a', type: 'file', mode: 0o644, size: 1 }])
  const signed = await read([
    format,
    ['_gpgorigin', 'x'],
    first,
    ['_x', 'odd'],
    last,
    ['more', 'y'],
  ])
  t.equal(signed.controlText, controlText, 'members that start with _ may stand between')
  const later = await read([['debian-binary', '2.7\nand more\n'], first, last])
  t.equal(later.controlText, controlText, 'a later minor version')
  const bad: readonly [members: typeof good, what: RegExp][] = [
    [[first, format, last], /debian-binary expected, found member "control.tar"/],
    [[format, last, first], /control.tar expected, found member "data.tar"/],
    [[format, first, ['control.tar.gz', '']], /data.tar expected, found member "control.tar.gz"/],
    [[format, ['other', 'x'], first, last], /control.tar expected, found member "other"/],
    [[['debian-binary', '3.0\n'], first, last], /format "3.0"/],
    [[['debian-binary', ''], first, last], /format ""/],
    [[['debian-binary', 'x'.repeat(1000)], first, last], /too long/],
    [[format], /no control.tar/],
    [[format, first], /no data.tar/],
    [[format, ['control.tar', data], last], /no control file/],
    [[format, ['control.tar.bz2', control], last], /control.tar expected/],
    [[format, first, ['data.tar.lzma', data]], /data.tar expected/],
    [[format, first, ['data.tar.gz', 'no gzip']], /data.tar.gz: corrupt or truncated gz/],
    [[format, ['control.tar', 'no tar'], last], /control.tar: /],
    [[format, ['control.tar', 'no tar'.repeat(1000)], last], /control.tar: /],
  ]
  for (const [members, what] of bad) {
    await t.rejects(read(members), { code: 'ERR_FORMAT', message: what }, String(what))
  }
  await t.rejects(readDeb(once(Buffer.from('<html></html>'))), { message: /not an ar archive/ })
  await t.rejects(readDeb(once(Buffer.alloc(0))), { code: 'ERR_FORMAT' })
})

t.test('control files that do not describe a package are refused', async (t) => {
  const bad: readonly [entries: [name: string, content: string][], what: RegExp][] = [
    [[['control', 'Package: a\nVersion: 1\n']], /without Architecture/],
    [[['control', 'Version: 1\nArchitecture: all\n']], /without Package/],
    [[['control', 'Package: a\nnonsense\n']], /line 2: no colon/],
    [[['control', `${controlText}\n${controlText}`]], /one stanza/],
    [[['control', '']], /no stanza/],
    [
      [
        ['control', controlText],
        ['./control', controlText],
      ],
      /two control files/,
    ],
  ]
  for (const [entries, what] of bad) {
    const deb = await archiveOf(t, [
      ['debian-binary', '2.0\n'],
      ['control.tar', await tarOf(entries)],
      ['data.tar', await tarOf([])],
    ])
    await t.rejects(readDeb(once(deb)), { code: 'ERR_FORMAT', message: what }, String(what))
  }
})

t.test('what is larger than a package is, is refused before it is kept', async (t) => {
  const format: [string, string] = ['debian-binary', '2.0\n']
  const control: [string, Buffer] = ['control.tar', await tarOf([['control', controlText]])]
  const refused = async (members: [string, string | Buffer][], options: ReadDebOptions) => {
    const deb = await archiveOf(t, members)
    await t.rejects(readDeb(once(deb), options), { code: 'ERR_TOO_LARGE' })
  }
  const bigControl = `${controlText} ${'x'.repeat(1024 * 1024)}\n`
  const data: [string, Buffer] = ['data.tar', await tarOf([['a', '']])]
  await refused([format, ['control.tar', await tarOf([['control', bigControl]])], data], {})
  const bigOther = await tarOf([
    ['md5sums', Buffer.alloc(17 * 1024 * 1024)],
    ['control', controlText],
  ])
  await refused([format, ['control.tar', bigOther], data], {})
  const many = await tarOf(Array.from({ length: 11 }, (_, at) => [`file-${at}`, '']))
  await refused([format, control, ['data.tar', many]], { list: { maxEntries: 10 } })
  const list = { maxEntries: 10, maxBytes: 20_000 }
  await refused([format, control, ['data.tar', await tarOf([['a', 'a'.repeat(30_000)]])]], { list })
})

t.test('paths that leave the root are refused', async (t) => {
  for (const path of ['../evil', 'usr/../../evil', './..']) {
    const deb = await archiveOf(t, [
      ['debian-binary', '2.0\n'],
      ['control.tar', await tarOf([['control', controlText]])],
      ['data.tar', await tarOf([[path, 'x']])],
    ])
    await t.rejects(readDeb(once(deb), everything), { code: 'ERR_FORMAT', message: /"\.\."/ }, path)
  }
})

t.test('errors of the source and an abort stay what they are', async (t) => {
  const dir = testDir(t)
  await makeTree(join(dir, 'tree'))
  const deb = await readFile(await buildDeb(dir, 'xz'))
  async function* failing(length: number): AsyncGenerator<Buffer> {
    yield deb.subarray(0, length)
    throw new RangeError('the line is down')
  }
  for (const length of [0, 5, 100, 180, 400, deb.length - 10]) {
    await t.rejects(readDeb(failing(length), everything), { name: 'RangeError' }, `after ${length}`)
  }
  const signal = AbortSignal.abort()
  await t.rejects(readDeb(once(deb), { ...everything, signal }), { name: 'AbortError' })
  const missing = readDeb(createReadStream(join(dir, 'missing.deb')))
  await t.rejects(missing, { code: 'ENOENT' })
})
