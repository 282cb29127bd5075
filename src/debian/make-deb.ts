/**
 * Makes a .deb (deb(5)) of a few small files: an ar archive of `debian-binary`, `control.tar.gz` and `data.tar.gz`. The same
 * input gives the same bytes: everything belongs to root and is of the time told, entries are sorted.
 */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { formatStanza } from './control.ts'

export interface DebFile {
  /** Below the root of the machine, without a slash before it. */
  readonly path: string
  readonly data: string | Uint8Array
}

export interface DebInput {
  /** Fields of the control file, in their order; Installed-Size is added. The last is the Description. */
  readonly control: readonly (readonly [name: string, value: string])[]
  readonly files: readonly DebFile[]
  /** Of everything in it: seconds since 1970. */
  readonly at: number
}

export interface MadeDeb {
  readonly bytes: Buffer
  /** The control file: what an index says of the package, but for where it is. */
  readonly control: readonly (readonly [name: string, value: string])[]
}

/** The package, in memory: for small ones. */
export async function makeDeb({ control, files, at }: DebInput): Promise<MadeDeb> {
  const sorted = files
    .map(({ path, data }) => ({ path, data: Buffer.from(data) }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  const dirs = directoriesOf(sorted.map((file) => file.path))
  const size = sorted.reduce((sum, { data }) => sum + Math.ceil(data.length / 1024), dirs.length)
  const all = [
    ...control.slice(0, -1),
    ['Installed-Size', String(size)] as const,
    ...control.slice(-1),
  ]
  const sums = sorted.map(({ path, data }) => `${md5(data)}  ${path}\n`).join('')
  const controlTar = await makeTar(
    [],
    [
      { path: 'control', data: Buffer.from(`${formatStanza(all)}`) },
      { path: 'md5sums', data: Buffer.from(sums) },
    ],
    at,
  )
  const dataTar = await makeTar(dirs, sorted, at)
  const members = [
    { name: 'debian-binary', data: Buffer.from('2.0\n') },
    { name: 'control.tar.gz', data: gzipSync(controlTar, { level: 9 }) },
    { name: 'data.tar.gz', data: gzipSync(dataTar, { level: 9 }) },
  ]
  const pieces = members.flatMap(({ name, data }) => arMember(name, data, at))
  return { bytes: Buffer.concat([Buffer.from('!<arch>\n'), ...pieces]), control: all }
}

/** All directories above these files, each once, those above first. */
function directoriesOf(paths: readonly string[]): string[] {
  const dirs = new Set<string>()
  for (const path of paths) {
    const segments = path.split('/').slice(0, -1)
    for (let count = 1; count <= segments.length; count++)
      dirs.add(segments.slice(0, count).join('/'))
  }
  return [...dirs].sort()
}

async function makeTar(
  dirs: readonly string[],
  files: readonly { readonly path: string; readonly data: Buffer }[],
  at: number,
): Promise<Buffer> {
  const tar = pack()
  const owner = { uid: 0, gid: 0, uname: 'root', gname: 'root', mtime: new Date(at * 1000) }
  const directory = { ...owner, type: 'directory', mode: 0o755 } as const
  tar.entry({ ...directory, name: './' })
  for (const dir of dirs) tar.entry({ ...directory, name: `./${dir}/` })
  for (const { path, data } of files) {
    tar.entry({ ...owner, type: 'file', mode: 0o644, name: `./${path}`, size: data.length }, data)
  }
  tar.finalize()
  const pieces: Uint8Array[] = []
  for await (const piece of tar) if (piece instanceof Uint8Array) pieces.push(piece)
  return Buffer.concat(pieces)
}

function arMember(name: string, data: Buffer, at: number): Buffer[] {
  const fields = [name.padEnd(16), String(at).padEnd(12), '0'.padEnd(6), '0'.padEnd(6)]
  const header = [...fields, '100644'.padEnd(8), String(data.length).padEnd(10), '`\n'].join('')
  const padding = data.length % 2 === 1 ? '\n' : ''
  return [Buffer.from(header, 'latin1'), data, Buffer.from(padding)]
}

function md5(data: Buffer): string {
  return createHash('md5').update(data).digest('hex')
}
