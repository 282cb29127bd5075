/** What is in .debs that dpkg-deb built, as dpkg-deb tells it; and those that nobody should have built. */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { buildDeb, type PackageSpec } from '../../fixtures/debs.ts'
import { isAppError } from '../../src/base/errors.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { contentsLimits, type DebContents, readContents } from '../../src/debian/deb-contents.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import {
  archiveOf,
  buildDeb as buildTree,
  controlText,
  makeTree,
  once,
  tarOf,
} from './make-debs.ts'

const limits = { ...contentsLimits, maxTextBytes: 100, maxAllTextBytes: 150 }
const inEtc = (path: string): boolean => path.startsWith('etc/')

async function read(path: string): Promise<DebContents> {
  return readContents(createReadStream(path), inEtc, limits)
}

t.test('tells what dpkg-deb tells, however it is packed', async (t) => {
  const dir = testDir(t)
  await makeTree(join(dir, 'tree'))
  for (const compression of ['gzip', 'xz', 'zstd', 'none']) {
    const deb = await buildTree(dir, compression)
    const { stdout } = await runOk('dpkg-deb', ['--contents', deb])
    const told = stdout.trimEnd().split('\n').slice(1)
    const { files, control, controlFiles } = await read(deb)
    t.same(
      [...files].map(([path, one]) => listed(path, one)),
      told.map(withoutTime),
      compression,
    )
    t.equal(control.get('Version'), '1:1.0-1~rc1')
    t.same([...controlFiles.keys()], ['postinst'])
    t.equal(files.get('usr/bin/tool')?.digest, sha256Of(Buffer.from('x'.repeat(5000))))
    t.equal(files.get('usr/bin/z-same')?.digest, files.get('usr/bin/tool')?.digest)
    t.equal(files.get('etc/odd.conf')?.text, '')
  }
})

/** A line of `dpkg-deb --contents` (tar -tv) for the entry. */
function listed(path: string, one: NonNullable<ReturnType<DebContents['files']['get']>>): string {
  const letters = { file: '-', directory: 'd', symlink: 'l', 'hard-link': 'h' }
  const letter = Object.entries(letters).find(([type]) => type === one.type)?.[1] ?? '?'
  const arrow = { symlink: ' -> ', 'hard-link': ' link to ' }
  const sign = Object.entries(arrow).find(([type]) => type === one.type)?.[1]
  const link = sign === undefined ? '' : `${sign}${one.linkTarget}`
  const bits = one.mode.toString(8).padStart(4, '0')
  const size = one.type === 'file' ? one.size : 0
  const slash = one.type === 'directory' ? '/' : ''
  return `${letter}${bits} ${one.owner.replace(':', '/')} ${size} ./${path}${slash}${link}`
}

function withoutTime(line: string): string {
  const [, bits = '', owner = '', size = '', rest = ''] =
    /^(\S+) (\S+) +(\d+) \S+ \S+ (.*)$/.exec(line) ?? []
  const mode = [...bits.slice(1)].reduce((sum, letter, at) => {
    const special = [0o4000, 0o2000, 0o1000][Math.floor(at / 3)] ?? 0
    const own = letter === '-' || letter === 'S' || letter === 'T' ? 0 : 1 << (8 - at)
    return sum | own | (/[sStT]/.test(letter) ? special : 0)
  }, 0)
  return `${bits[0]}${mode.toString(8).padStart(4, '0')} ${owner} ${size} ${rest}`
}

t.test('keeps scripts, conffiles and the texts that are asked for, within bounds', async (t) => {
  const dir = testDir(t)
  const path = join(dir, 'one.deb')
  const postinst = '#!/bin/sh\nset -e\nsetcap cap_net_raw+ep /usr/bin/tool\n'
  const spec: PackageSpec = {
    name: 'one',
    version: '1',
    arch: 'all',
    scripts: {
      postinst,
      conffiles: '/etc/a.conf\nremove-on-upgrade /etc/old.conf\n',
      triggers: 'interest-noawait /usr/lib/x\n',
    },
    files: {
      'etc/a.conf': 'a = 1\n',
      'etc/b.bin': 'a\0b',
      'etc/c.long': 'c'.repeat(101),
      'etc/d.conf': 'd'.repeat(100),
      'etc/e.conf': 'e'.repeat(60),
      'usr/bin/tool': { text: '#!/bin/sh\n', mode: 0o4755 },
    },
  }
  await buildDeb(path, spec)
  const { controlFiles, conffiles, files } = await read(path)
  t.equal(controlFiles.get('postinst')?.text, postinst)
  t.equal(
    controlFiles.get('postinst')?.text,
    (await runOk('dpkg-deb', ['--info', path, 'postinst'])).stdout,
  )
  t.same([...conffiles], ['etc/a.conf', 'etc/old.conf'])
  t.equal(files.get('usr/bin/tool')?.mode, 0o4755)
  const texts = [...files].flatMap(([name, { text }]) => (text === undefined ? [] : [name]))
  t.same(texts, ['etc/a.conf', 'etc/d.conf'], 'no binary, none that is long, and no more than fit')
})

t.test('what is hostile is refused by name', async (t) => {
  const format: [string, string] = ['debian-binary', '2.0\n']
  const control: [string, Buffer] = ['control.tar', await tarOf([['control', controlText]])]
  const data = async (...names: string[]): Promise<[string, Buffer]> => [
    'data.tar',
    await tarOf(names.map((name) => [name, 'x'])),
  ]
  const refused = async (members: [string, string | Buffer][], code: string, message: RegExp) => {
    const deb = await archiveOf(t, members)
    const tight = { ...limits, maxEntries: 3, maxBytes: 20_000, maxPathChars: 500 }
    await t.rejects(readContents(once(deb), inEtc, tight), { code, message }, String(message))
  }
  await refused([format, control, await data('../../etc/shadow')], 'ERR_FORMAT', /path with "\.\."/)
  await refused(
    [format, control, await data('a', 'b', 'c', 'd')],
    'ERR_TOO_LARGE',
    /than 3 entries/,
  )
  await refused([format, control, await data('a'.repeat(501))], 'ERR_TOO_LARGE', /paths: more/)
  const long = await tarOf([['a', 'x'.repeat(30_000)]])
  await refused(
    [format, control, ['data.tar', long]],
    'ERR_TOO_LARGE',
    /data\.tar: more than 20000/,
  )
  const twice = await tarOf([
    ['control', controlText],
    ['postinst', 'one'],
    ['./postinst', 'other'],
  ])
  await refused([format, ['control.tar', twice], await data('a')], 'ERR_FORMAT', /two postinst/)
  const big = await tarOf([['control', `${controlText} ${'x'.repeat(1024 * 1024)}\n`]])
  await refused([format, ['control.tar', big], await data('a')], 'ERR_TOO_LARGE', /control\.tar/)
  await refused([format, control], 'ERR_FORMAT', /no data\.tar/)
  await refused([format, await data('a')], 'ERR_FORMAT', /control\.tar expected/)
})

t.test('one that is cut short is refused, wherever it is cut', async (t) => {
  const dir = testDir(t)
  await makeTree(join(dir, 'tree'))
  for (const compression of ['gzip', 'xz', 'zstd']) {
    const deb = await readFile(await buildTree(dir, compression))
    for (let cut = 0; cut < deb.length - 1; cut += 29) {
      const reading = readContents(once(deb.subarray(0, cut)), inEtc, limits)
      const problem = await reading.then(
        () => 'read',
        (error: unknown) => error,
      )
      if (!isAppError(problem, 'ERR_FORMAT')) t.fail(`${compression} cut at ${cut}: ${problem}`)
    }
  }
  const signal = AbortSignal.abort()
  const deb = createReadStream(join(dir, 'xz.deb'))
  await t.rejects(readContents(deb, inEtc, limits, { signal }), { name: 'AbortError' })
})
