/** .debs that nobody should have built: each refused by name, with what to do, whatever compression it hides in. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  arHeader,
  goodControl,
  longName,
  type OddEntry,
  oddDeb,
  oddMembers,
  rawAr,
  rawTar,
} from '../../fixtures/odd-debs.ts'
import { AppError } from '../../src/base/errors.ts'
import { checkDeb, checkLimits } from '../../src/debian/check-deb.ts'
import { testDir } from '../support/test-dir.ts'
import { buildDeb, makeTree, once } from './make-debs.ts'

/** What refuses it: `reason: message`; a refusal without a hint, or that is none of ours, throws. */
async function refusal(data: Buffer, limits = checkLimits): Promise<string> {
  try {
    await checkDeb(once(data), { limits })
  } catch (error) {
    const isOurs =
      error instanceof AppError && ['ERR_PACKAGE', 'ERR_TOO_LARGE'].includes(error.code)
    if (!isOurs || error.hint === undefined) throw error
    return `${error.details?.reason}: ${error.message}`
  }
  return 'taken'
}

t.test('one that is cut off anywhere is refused', async (t) => {
  const dir = testDir(t)
  await makeTree(join(dir, 'tree'))
  for (const compression of ['gzip', 'xz', 'zstd', 'none']) {
    const deb = await readFile(await buildDeb(dir, compression))
    const boundaries = [0, 1, 7, 8, 9, 67, 68, 69, 71, 72, 73, 131, 132, 133, deb.length - 2]
    const places = Array.from({ length: 60 }, (_, at) => Math.floor((at * deb.length) / 60))
    const taken: number[] = []
    for (const cut of [...boundaries, ...places])
      if ((await refusal(deb.subarray(0, cut))) === 'taken') taken.push(cut)
    t.same(taken, [], compression)
  }
  const members = oddMembers({})
  const ends = members.map((_, at) => rawAr(members.slice(0, at)).length)
  const whole = rawAr(members)
  const said = []
  for (const end of ends) said.push(await refusal(whole.subarray(0, end)))
  t.match(said, [/ends before its control/, /ends before its control/, /ends before its data.tar/])
  for (const at of [1, 2]) {
    const [name, data] = members[at] ?? ['', Buffer.alloc(0)]
    for (const cut of [0, 511, 512, 513, 1024]) {
      const deb = rawAr(members.with(at, [name, data.subarray(0, cut)]))
      t.match(await refusal(deb), /^tar-cut-off: (control|data).tar, at byte \d+: the archive ends/)
    }
  }
})

t.test('members of another kind, order or number are refused', async (t) => {
  const [format, control, data] = oddMembers({}) as [
    [string, Buffer],
    [string, Buffer],
    [string, Buffer],
  ]
  const good = rawAr([format, control, data])
  const cases: Record<string, Buffer> = {
    'ar-magic: at byte 0: not a .deb': Buffer.from('<html></html>'),
    'ar-magic: at': Buffer.concat([Buffer.from('!<thin>\n'), good.subarray(8)]),
    'ar-order: at byte 8: member "control.tar" where debian-binary': rawAr([control, format, data]),
    'ar-order: at byte 72: member "data.tar" where control.tar': rawAr([format, data, control]),
    'ar-order: at byte \\d+: member "control.tar.gz" where data.tar': rawAr([
      ...[format, control],
      ['control.tar.gz', ''],
    ]),
    'ar-order: .* member "control.tar" is there twice': rawAr([format, control, data, control]),
    'ar-order: .* member "data.tar.xz" is there twice': rawAr([
      ...[format, control, data],
      ['data.tar.xz', 'x'],
    ]),
    'ar-order: .* "debian-binary" is there twice': rawAr([format, format, control, data]),
    'ar-order: .* "extra"': rawAr([format, ['extra', 'x'], control, data]),
    'ar-members: more than 32': rawAr([
      ...[format, control, data],
      ...Array.from({ length: 1000 }, (): [string, string] => ['x', '']),
    ]),
    'deb-format: debian-binary, at byte 8: the format "3.0"': rawAr([
      ['debian-binary', '3.0\n'],
      ...[control, data],
    ]),
    'deb-format': rawAr([['debian-binary', '2.0\n'.repeat(100)], control, data]),
    'compression-kind: data.tar.bz2': rawAr([format, control, ['data.tar.bz2', 'BZh9']]),
    'compression-kind: data.tar.lzma': rawAr([format, control, ['data.tar.lzma', 'x']]),
    'compression: data.tar.gz: corrupt': rawAr([format, control, ['data.tar.gz', data[1]]]),
    'zstd-damaged: data.tar.zst': rawAr([format, control, ['data.tar.zst', data[1]]]),
    'xz-damaged: data.tar.xz, at byte 12: not xz': rawAr([
      format,
      control,
      ['data.tar.xz', data[1]],
    ]),
    'ar-header': Buffer.concat([good.subarray(0, 72), Buffer.from('x'.repeat(60))]),
    'ar-cut-off: .*ends within data.tar': Buffer.concat([
      rawAr([format, control]),
      arHeader('data.tar', 9_999_999_999),
      data[1],
    ]),
  }
  for (const [what, deb] of Object.entries(cases))
    t.match(await refusal(deb), new RegExp(`^${what}`), what)
})

const link = (name: string, to: string): OddEntry => ({ name, flag: '2', link: to })
const hard = (name: string, to: string): OddEntry => ({ name, flag: '1', link: to })
const badEntries: readonly [what: RegExp, entries: readonly OddEntry[]][] = [
  [/path-outside: data.tar(.gz|.zst)?, at byte 0: .*leads out/, [{ name: '../evil' }]],
  [/path-outside/, [{ name: './usr/../../evil' }]],
  [/path-outside/, [{ name: './..', flag: '5' }]],
  [/path-outside/, [longName('L', `./${'a/'.repeat(60)}../x`), { name: 'x' }]],
  [/path-absolute: .*"\/etc\/passwd"/, [{ name: '/etc/passwd' }]],
  [/path: /, [{ name: './usr//a' }]],
  [/path: /, [{ name: './usr/./a' }]],
  [/path: .*control character/, [{ name: './usr/a\nb' }]],
  [/path: the root|path: .*the root/, [link('./', '/etc')]],
  [/path-long/, [longName('L', `./${'x'.repeat(300)}`), { name: 'x' }]],
  [/path-deep/, [longName('L', 'd/'.repeat(500)), { name: 'x' }]],
  [/path-encoding/, [{ name: Buffer.from([0x61, 0xff, 0xfe]) }]],
  [
    /path-through-link: .*"etc-too\/passwd"/,
    [link('./etc-too', '/etc'), { name: './etc-too/passwd' }],
  ],
  [/path-through-link/, [link('./a', '..'), { name: './a/b/c', flag: '5' }]],
  [/path-through-link/, [link('./a', 'b'), hard('./c', './a'), { name: './c/x' }]],
  [/path-twice/, [link('./a', '/etc/passwd'), { name: './a', content: 'x' }]],
  [/path-twice/, [{ name: './a/b' }, link('./a', '/etc')]],
  [/path-twice/, [{ name: './a' }, { name: './a' }]],
  [/path-twice/, [{ name: './a' }, { name: './a/b' }]],
  [/link-outside/, [hard('./a', '/etc/shadow')]],
  [/link-outside/, [hard('./a', '../etc/shadow')]],
  [/link-target/, [hard('./a', './b'), { name: './b' }]],
  [/link-target/, [{ name: './d', flag: '5' }, hard('./a', './d')]],
  [/special-file: .*character device/, [{ name: './dev/null', flag: '3' }]],
  [/special-file: .*block device/, [{ name: './dev/sda', flag: '4' }]],
  [/special-file: .*fifo/, [{ name: './run/pipe', flag: '6' }]],
  [/tar-kind: .*pax header/, [{ name: 'x', flag: 'x', content: '12 path=/b\n' }, { name: './a' }]],
  [/tar-kind: .*pax header/, [{ name: 'g', flag: 'g', content: '12 path=/b\n' }]],
  [/tar-kind: .*sparse/, [{ name: './a', flag: 'S' }]],
  [/tar-kind: .*unknown kind/, [{ name: './a', flag: '\x07' }]],
  [
    /tar-header: .*symlink "\.\/a" with 512 bytes/,
    [{ ...link('./a', 'b'), content: 'x'.repeat(512) }],
  ],
  [/tar-header: .*to nothing/, [link('./a', '')]],
  [/tar-header: .*without a name/, [{ name: '' }]],
  [/tar-header: .*no number/, [{ name: './a', spoil: (head) => head.write('12x', 124) }]],
  [/tar-cut-off/, [{ name: './a', size: 8 ** 11 - 1 }]],
  [/tar-long-name/, [longName('L', 'x'.repeat(5000)), { name: 'x' }]],
  [/tar-header: .*two long names/, [longName('L', 'a'), longName('L', 'b'), { name: 'x' }]],
  [/tar-header: .*without an entry/, [longName('L', 'a')]],
]

t.test('files that would land elsewhere, or be something else, are refused', async (t) => {
  for (const [what, entries] of badEntries) {
    for (const pack of ['none', 'gz', 'zst'] as const) {
      t.match(await refusal(oddDeb({ entries, pack })), what, `${what} ${pack}`)
    }
  }
  const [format, control] = oddMembers({}) as [[string, Buffer], [string, Buffer]]
  const damaged = rawTar([{ name: './a' }])
  damaged[3] = 0x62
  t.match(
    await refusal(rawAr([format, control, ['data.tar', damaged]])),
    /^tar-checksum: data.tar, at byte 0/,
  )
  const hidden = Buffer.concat([rawTar([{ name: './a' }]), rawTar([{ name: '/etc/passwd' }])])
  t.match(await refusal(rawAr([format, control, ['data.tar', hidden]])), /^tar-after-end/)
  const special = { ...checkLimits, allowSpecialFiles: true }
  t.equal(await refusal(oddDeb({ entries: [{ name: './a', flag: '3' }] }), special), 'taken')
})

const set = (field: string, value: string): string =>
  goodControl.includes(`\n${field}:`) || goodControl.startsWith(`${field}:`)
    ? goodControl.replace(new RegExp(`^${field}:.*$`, 'm'), `${field}: ${value}`)
    : goodControl.replace('Description', `${field}: ${value}\nDescription`)
const without = (field: string): string =>
  goodControl.replace(new RegExp(`^${field}:.*\n`, 'm'), '')
const badControls: readonly [what: RegExp, control: string | Buffer][] = [
  [/field-version: control, Version: the control file does not have it/, without('Version')],
  [/field-maintainer: .*not have it/, without('Maintainer')],
  [/field-architecture: .*not have it/, without('Architecture')],
  [/field-description: /, 'Package: a-b\nVersion: 1\nArchitecture: all\nMaintainer: x\n'],
  [/control-syntax: .*field version a second time/i, `${goodControl}version: 2\n`],
  [/control-syntax: .*one stanza/, `${goodControl}\n${goodControl}`],
  [/control-syntax: .*no colon/, `${goodControl}nonsense\n`],
  [/control-syntax: .*does not end with a newline/, ''],
  [/control-syntax: .*no stanza/, '\n'],
  [/control-syntax: control, at byte \d+: .*newline/, goodControl.trimEnd()],
  [/control-syntax: control, at byte \d+: a line of blanks/, `${goodControl} \n more\n`],
  [/control-encoding: control, at byte 64: /, Buffer.from(goodControl, 'latin1')],
  [/control-character: control, at byte \d+: a NUL/, set('Section', 'a\0b')],
  [/control-character: .*carriage/, goodControl.replaceAll('\n', '\r\n')],
  [/field-package: control, Package: "Odd_One" is no name/, set('Package', 'Odd_One')],
  [/field-package: .*"\.\.\/a"/, set('Package', '../a')],
  [/field-package: .*too long/, set('Package', 'x'.repeat(250))],
  [/field-version: .*"1\/2" is no version/, set('Version', '1/2')],
  [/field-version: /, set('Version', 'abc')],
  [/field-architecture: .*"any"/, set('Architecture', 'any')],
  [/field-architecture: .*"amd64 i386"/, set('Architecture', 'amd64 i386')],
  [/field-depends: .*no relation: "b c"/, set('Depends', 'a, b c')],
  [
    /field-depends: .*nobody filled in: "\$\{shlibs:Depends\}"/,
    set('Depends', ['$', '{shlibs:Depends}'].join('')),
  ],
  [/field-depends: .*nothing between/, set('Depends', 'a, , b')],
  [/field-depends: .*nothing between/, set('Depends', 'a,')],
  [/field-depends: .*no version/, set('Depends', 'a (>= x)')],
  [/field-depends: .*no relation/, set('Depends', 'a [amd64]')],
  [/field-conflicts: .*alternatives/, set('Conflicts', 'a | b')],
  [/field-provides: .*exact/, set('Provides', 'a (>= 1)')],
  [/field-source: /, set('Source', 'a b c')],
  [/field-installed-size: /, set('Installed-Size', 'much')],
  [/field-multi-arch: .*same, but/, set('Multi-Arch', 'same')],
  [/field-multi-arch: /, set('Multi-Arch', 'maybe')],
  [/field-essential: /, set('Essential', 'maybe')],
  [/field-filename: .*no package has/, set('Filename', 'pool/x.deb')],
  [/field-sha256: /, set('SHA256', '0'.repeat(64))],
  [/field-status: /, set('Status', 'install ok installed')],
  [/field-section: .*more than one line/, set('Section', 'a\n b')],
  [/field-homepage: .*empty/, set('Homepage', '')],
]

t.test('control files that are damaged or lie are refused, with the field', async (t) => {
  for (const [what, control] of badControls)
    t.match(await refusal(oddDeb({ control })), what, String(what))
  const file = { name: './control', content: goodControl }
  const archives: readonly [what: RegExp, controlEntries: readonly OddEntry[]][] = [
    [/control-missing/, [{ name: './md5sums' }]],
    [/control-tar: .*two files "control"/, [file, file]],
    [
      /control-tar: .*"control" is no file but a symlink/,
      [{ name: './control', flag: '2', link: '/etc/passwd' }],
    ],
    [/control-tar: .*"..\/x"/, [file, { name: '../x' }]],
    [/control-tar: .*no file but a directory/, [file, { name: './sub/', flag: '5' }]],
    [/control-files: /, [file, ...Array.from({ length: 1001 }, (_, at) => ({ name: `f${at}` }))]],
    [
      /control-size: .*postinst is larger/,
      [file, { name: './postinst', content: Buffer.alloc(1024 ** 2 + 1) }],
    ],
    [
      /unpacked: control.tar: more than/,
      [{ name: './md5sums', content: Buffer.alloc(17 * 1024 ** 2) }, file],
    ],
    [
      /unpacked: control.tar: more than|control-size: .*control is larger/,
      [{ name: './control', content: Buffer.alloc(100 * 1024 ** 2, 'x') }],
    ],
  ]
  for (const [what, controlEntries] of archives)
    t.match(await refusal(oddDeb({ controlEntries })), what, String(what))
})
