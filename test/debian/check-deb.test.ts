/** .debs that somebody hands in: those that dpkg-deb built are taken, and read as dpkg-deb reads them. */
import { createReadStream } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  asGnu,
  asV7,
  goodControl,
  longName,
  oddDeb,
  oddMembers,
  rawAr,
} from '../../fixtures/odd-debs.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { checkDeb } from '../../src/debian/check-deb.ts'
import { checkDebName } from '../../src/debian/deb-fields.ts'
import { run, runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { buildDeb, makeTree, once } from './make-debs.ts'

t.test('takes what dpkg-deb builds, however packed, with the same fields and files', async (t) => {
  const dir = testDir(t)
  await makeTree(join(dir, 'tree'))
  for (const compression of ['gzip', 'xz', 'zstd', 'none']) {
    const deb = await buildDeb(dir, compression)
    const stream = createReadStream(deb, { highWaterMark: 777 })
    const found = await checkDeb(stream, { listPaths: true })
    const fields = await runOk('dpkg-deb', ['--field', deb])
    t.equal(found.controlText, fields.stdout, compression)
    t.match(found, { name: 'odd-one', version: '1:1.0-1~rc1', architecture: 'all' })
    t.match(found, { source: 'odd', sourceVersion: '1.0' })
    const data = await readFile(deb)
    t.equal(found.sha256, sha256Of(data))
    t.equal(found.size, data.length)
    const sums = await runOk('sh', ['-c', 'sha1sum <"$1"; md5sum <"$1"', 'sh', deb])
    t.same([found.sha1, found.md5], sums.stdout.match(/[0-9a-f]{32,}/g))
    const script = 'dpkg-deb --fsys-tarfile "$1" | tar -t --quoting-style=literal | grep -v "/$"'
    const list = await runOk('sh', ['-c', script, 'sh', deb])
    const paths = found.paths?.map((path) => `./${path}`)
    t.same(paths, list.stdout.trimEnd().split('\n'), 'the files')
    t.same(
      found.warnings.map((one) => one.reason),
      ['setuid'],
    )
  }
})

t.test('takes the packages of Debian that this machine has, with dpkg-deb’s fields', async (t) => {
  const dir = '/var/cache/apt/archives'
  const names = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.deb'))
  if (names.length === 0) t.comment('apt’s cache has none')
  const step = Math.max(1, Math.floor(names.length / 20))
  for (const name of names.filter((_, at) => at % step === 0)) {
    if ((await stat(join(dir, name))).size > 2_000_000) continue
    const found = await checkDeb(createReadStream(join(dir, name)))
    const { stdout } = await runOk('dpkg-deb', ['--field', join(dir, name)])
    t.equal(found.controlText, stdout, name)
    checkDebName(name.replace(/_[0-9]+%3a/, '_'), found)
  }
})

t.test('takes odd forms that dpkg takes as well', async (t) => {
  const long = `./usr/${'d'.repeat(120)}/${'f'.repeat(120)}`
  const odd: Record<string, Buffer> = {
    'members with _ between, others behind': rawAr([
      ...oddMembers({}).slice(0, 2),
      ['_gpgorigin', 'odd'],
      ...oddMembers({}).slice(2),
      ['later', 'x'],
    ]),
    'names of GNU': oddDeb({ entries: [longName('L', long), { name: 'x', spoil: asGnu }] }),
    'links of GNU': oddDeb({
      entries: [longName('K', `/${'t'.repeat(200)}`), { name: './a', flag: '2', link: 'x' }],
    }),
    'headers before ustar': oddDeb({ entries: [{ name: './a', content: 'a', spoil: asV7 }] }),
    'paths without ./': oddDeb({ entries: [{ name: 'usr/a', content: 'a' }] }),
    'a directory twice': oddDeb({
      entries: [
        { name: './usr/', flag: '5', mode: 0o755 },
        { name: './usr/', flag: '5', mode: 0o755 },
      ],
    }),
    'links out of the package': oddDeb({
      entries: [
        { name: './etc/a', flag: '2', link: '/dev/null' },
        { name: './etc/b', flag: '2', link: '../../../../b' },
      ],
    }),
    'a hard link to a link': oddDeb({
      entries: [
        { name: './a', flag: '2', link: '/etc' },
        { name: './b', flag: '1', link: './a' },
      ],
    }),
    'no files at all': oddDeb({ entries: [] }),
    'a later minor version': rawAr([['debian-binary', '2.7\n'], ...oddMembers({}).slice(1)]),
  }
  for (const [what, data] of Object.entries(odd)) {
    const found = await checkDeb(once(data))
    t.equal(found.controlText, goodControl, what)
    const file = join(testDir(t), 'odd.deb')
    await writeFile(file, data)
    for (const how of ['--info', '--contents'])
      t.equal((await run('dpkg-deb', [how, file])).code, 0, `dpkg-deb ${how}: ${what}`)
  }
})

t.test('warns of what need not be wrong', async (t) => {
  const entries = [
    { name: './usr/bin/root', mode: 0o4755 },
    { name: './usr/all', mode: 0o666 },
    { name: './usr/mine', uid: 1000 },
    { name: './usr/local/bin/x' },
  ]
  const control = goodControl.replace('Zoë <zoe@archive.example>', 'Zoë')
  const more = 'Priority: high\nEssential: yes\nConflicts: x (< 2)\n'
  const controlEntries = [
    { name: './control', content: control.replace('Description', `${more}Description`) },
    { name: './postinst', content: 'true\n', mode: 0o755 },
    { name: './conffiles', content: '/etc/none\nremove-on-upgrade /etc/old\n' },
  ]
  const { warnings } = await checkDeb(once(oddDeb({ entries, controlEntries })))
  t.same(warnings.map((one) => one.reason).sort(), [
    ...[
      'conffiles',
      'essential',
      'maintainer',
      'no-directory',
      'odd-place',
      'old-relation',
      'owner',
      'priority',
    ],
    ...['script', 'setuid', 'world-writable'],
  ])
  const setuid = warnings.find((one) => one.reason === 'setuid')
  t.match(setuid?.message, /"usr\/bin\/root"$/)
})

t.test('a file is named as its package is, without the epoch', async (t) => {
  const control = goodControl.replace('Version: ', 'Version: 2:')
  const found = await checkDeb(once(oddDeb({ control })))
  t.doesNotThrow(() => checkDebName('odd-one_1.0-1_all.deb', found))
  for (const name of ['odd-one_2:1.0-1_all.deb', 'odd_1.0-1_all.deb', 'odd-one_1.0-1_amd64.deb'])
    t.throws(() => checkDebName(name, found), {
      code: 'ERR_PACKAGE',
      hint: /odd-one_1.0-1_all.deb/,
    })
})

t.test(
  'errors of the source and an abort stay what they are, and the source is ended',
  async (t) => {
    const deb = oddDeb({ pack: 'gz' })
    async function* failing(length: number): AsyncGenerator<Buffer> {
      yield deb.subarray(0, length)
      throw new RangeError('the line is down')
    }
    for (const length of [0, 5, 100, 180, 400, deb.length])
      await t.rejects(checkDeb(failing(length)), { name: 'RangeError' }, `after ${length}`)
    await t.rejects(checkDeb(once(deb), { signal: AbortSignal.abort() }), { name: 'AbortError' })
    let isEnded = false
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        yield deb.subarray(0, 9)
        for (;;) yield Buffer.alloc(1000)
      } finally {
        isEnded = true
      }
    }
    await t.rejects(checkDeb(endless()), { code: 'ERR_PACKAGE' })
    t.ok(isEnded)
  },
)
