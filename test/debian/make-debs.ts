/**
 * .deb files for tests: built by dpkg-deb from a tree with all that packages hold, or put together by ar from members
 * that no dpkg-deb would write.
 */
import { chmod, link, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { pack } from 'tar-stream'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'

/** The control file of `makeTree`. */
export const controlText = `Package: odd-one
Source: odd (1.0)
Version: 1:1.0-1~rc1
Architecture: all
Maintainer: Zoë <zoe@archive.example>
Description: short
 long, with a line
 .
   that is indented
`

/** A tree with all that packages hold: modes, links, long names, names that are not ASCII. */
export async function makeTree(root: string): Promise<void> {
  const long = `usr/share/${'long-name/'.repeat(12)}${'file-'.repeat(25)}end`
  const files = {
    'usr/bin/tool': 'x'.repeat(5000),
    'etc/odd.conf': '',
    [long]: 'l',
    'usr/ä ö': 'ü',
  }
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  await mkdir(join(root, 'DEBIAN'))
  await writeFile(join(root, 'DEBIAN/control'), controlText)
  await writeFile(join(root, 'DEBIAN/postinst'), '#!/bin/sh\n')
  await chmod(join(root, 'DEBIAN/postinst'), 0o755)
  await chmod(join(root, 'usr/bin/tool'), 0o4755)
  await symlink('tool', join(root, 'usr/bin/alias'))
  await symlink('/nowhere', join(root, 'usr/bin/dangling'))
  await link(join(root, 'usr/bin/tool'), join(root, 'usr/bin/z-same'))
}

/** Builds `DIR/tree` and returns the file's name. */
export async function buildDeb(dir: string, compression: string): Promise<string> {
  const deb = join(dir, `${compression}.deb`)
  const options = [`-Z${compression}`, '--root-owner-group', '--uniform-compression']
  await runOk('dpkg-deb', [...options, '--build', join(dir, 'tree'), deb])
  return deb
}

/** The bytes as a source of one piece. */
export async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data
}

/** An ar archive made by ar itself. */
export async function archiveOf(
  t: Test,
  members: readonly [name: string, data: string | Buffer][],
): Promise<Buffer> {
  const dir = testDir(t)
  for (const [name, data] of members) await writeFile(join(dir, name), data)
  await runOk('ar', ['qc', 'made.deb', ...members.map(([name]) => name)], { cwd: dir })
  return await readFile(join(dir, 'made.deb'))
}

/** A tar archive of plain files. */
export async function tarOf(
  entries: readonly [name: string, content: string | Buffer][],
): Promise<Buffer> {
  const tar = pack()
  for (const [name, content] of entries) tar.entry({ name }, content)
  tar.finalize()
  const pieces: Buffer[] = []
  for await (const piece of tar) if (Buffer.isBuffer(piece)) pieces.push(piece)
  return Buffer.concat(pieces)
}
