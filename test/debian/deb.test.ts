/** Reading .deb files that dpkg-deb built, judged by dpkg-deb, tar and apt-ftparchive. */
import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { sha256Of } from '../../src/base/sha256.ts'
import { parseStanza, splitStanzas } from '../../src/debian/control.ts'
import { type DebEntry, type ReadDebOptions, readDeb } from '../../src/debian/deb.ts'
import { readPackageStanza } from '../../src/debian/packages-index.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { archiveOf, buildDeb, controlText, makeTree, once, tarOf } from './make-debs.ts'

const extensions = { gzip: '.gz', xz: '.xz', zstd: '.zst', none: '' }
const everything: ReadDebOptions = { list: { maxEntries: 1000 } }

/** A line of `tar --list --verbose`, from what we read. */
function listed(entry: DebEntry): string {
  const types = { file: '-', directory: 'd', symlink: 'l', 'hard-link': 'h', fifo: 'p' }
  const type = Object.entries(types).find(([name]) => name === entry.type)?.[1]
  const name = `./${entry.path}${entry.type === 'directory' && entry.path !== '' ? '/' : ''}`
  const arrows = { symlink: ' -> ', 'hard-link': ' link to ' }
  const arrow = Object.entries(arrows).find(([name]) => name === entry.type)?.[1] ?? ''
  return `${type}${permissions(entry.mode)} ${entry.size} ${name}${arrow}${entry.linkTarget ?? ''}`
}

function permissions(mode: number): string {
  const bits = [...'rwxrwxrwx'].map((letter, at) => (mode & (0o400 >> at) ? letter : '-'))
  if (mode & 0o4000) bits[2] = bits[2] === 'x' ? 's' : 'S'
  return bits.join('')
}

t.test('files that dpkg-deb built read as dpkg-deb and tar read them', async (t) => {
  const dir = testDir(t)
  await makeTree(join(dir, 'tree'))
  for (const [compression, extension] of Object.entries(extensions)) {
    const deb = await buildDeb(dir, compression)
    const found = await readDeb(createReadStream(deb, { highWaterMark: 777 }), everything)
    t.same(found.members, ['debian-binary', `control.tar${extension}`, `data.tar${extension}`])
    const info = await runOk('dpkg-deb', ['--info', deb, 'control'])
    t.equal(found.controlText, info.stdout, `${compression}: control file`)
    const field = await runOk('dpkg-deb', ['--field', deb, 'Version'])
    t.equal(found.control.get('version'), field.stdout.trim())
    const list = await runOk('sh', [
      '-c',
      'dpkg-deb --fsys-tarfile "$1" | tar --list --verbose --numeric-owner --quoting-style=literal',
      'sh',
      deb,
    ])
    const judged = list.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^(\S+) 0\/0 +(\d+) \S+ \S+ /, '$1 $2 '))
    t.same((found.entries ?? []).map(listed), judged, `${compression}: list of files`)
    t.ok(judged.length > 15)
    const quick = await readDeb(createReadStream(deb))
    t.equal(quick.controlText, found.controlText)
    t.notOk('entries' in quick)
  }
})

t.test('our reading of a .deb agrees with the index that apt-ftparchive makes of it', async (t) => {
  const dir = testDir(t)
  await makeTree(join(dir, 'tree'))
  const deb = await buildDeb(dir, 'xz')
  const { control } = await readDeb(createReadStream(deb))
  const { stdout } = await runOk('apt-ftparchive', ['packages', '.'], { cwd: dir })
  const index = Buffer.from(stdout)
  const [start = 0, end = 0] = splitStanzas(index)
  const stanza = readPackageStanza(index, { start, end })
  const content = await readFile(deb)
  t.match(stanza, {
    name: control.get('Package'),
    version: control.get('Version'),
    architecture: control.get('Architecture'),
    source: 'odd',
    sourceVersion: '1.0',
    filename: 'xz.deb',
    size: content.length,
    sha256: sha256Of(content),
  })
  const judged = parseStanza(stdout)
  for (const [name, value] of control) t.equal(judged.get(name), value, name)
})

t.test('old packages with a bzip2 data.tar are listed', async (t) => {
  const dir = testDir(t)
  const data = await tarOf([['./usr/a', 'a'.repeat(3000)]])
  await writeFile(join(dir, 'data.tar'), data)
  await runOk('bzip2', ['-k', join(dir, 'data.tar')])
  const deb = await archiveOf(t, [
    ['debian-binary', '2.0\n'],
    ['control.tar', await tarOf([['control', controlText]])],
    ['data.tar.bz2', await readFile(join(dir, 'data.tar.bz2'))],
  ])
  const found = await readDeb(once(deb), everything)
  t.match(found.entries, [{ path: 'usr/a', size: 3000 }])
})
