/**
 * Tiny valid `.deb`s, made without a child process: 63,000 runs of dpkg-deb would take half an hour.
 *
 * A `.deb` is an ar archive of `debian-binary`, `control.tar.gz` and `data.tar.gz`, in this order (deb(5)). The data
 * tar holds `./` and, on demand, one file of bytes that do not compress, or a changelog at its place. Owners are root and times are the caller's,
 * so the same fields give the same bytes.
 */
import { createCipheriv, createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'

const zeroes = Buffer.alloc(1024)
const tarBlock = 512

/** A changelog, and the package that it is of. */
export interface DebChangelog {
  readonly package: string
  readonly text: string
}

/**
 * The bytes of a `.deb` with this control file and a payload of `padBytes`, or a changelog; `epochSeconds` is every time in
 * it.
 */
export function buildDeb(
  control: Buffer,
  epochSeconds: number,
  padBytes = 0,
  changelog?: DebChangelog,
): Buffer {
  const members = tarOf([
    tarDirectory('./', epochSeconds),
    tarFile('./control', control, epochSeconds),
  ])
  const plain =
    padBytes === 0 ? emptyData(epochSeconds) : paddedData(control, epochSeconds, padBytes)
  const data = changelog === undefined ? plain : documentedData(changelog, epochSeconds)
  return arOf(
    [
      { name: 'debian-binary', data: Buffer.from('2.0\n') },
      { name: 'control.tar.gz', data: gzip(members) },
      { name: 'data.tar.gz', data },
    ],
    epochSeconds,
  )
}

const emptyByTime = new Map<number, Buffer>()

function emptyData(epochSeconds: number): Buffer {
  let data = emptyByTime.get(epochSeconds)
  if (data === undefined) {
    data = gzip(tarOf([tarDirectory('./', epochSeconds)]))
    emptyByTime.set(epochSeconds, data)
  }
  return data
}

function paddedData(seed: Buffer, epochSeconds: number, padBytes: number): Buffer {
  const key = createHash('md5').update(seed).digest()
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  const directories = ['./', './usr/', './usr/share/'].map((name) =>
    tarDirectory(name, epochSeconds),
  )
  const file = tarFile('./usr/share/padding', cipher.update(Buffer.alloc(padBytes)), epochSeconds)
  return gzip(tarOf([...directories, file]))
}

function documentedData({ package: name, text }: DebChangelog, epochSeconds: number): Buffer {
  const directories = ['./', './usr/', './usr/share/', './usr/share/doc/'].map((path) =>
    tarDirectory(path, epochSeconds),
  )
  const own = `./usr/share/doc/${name}/`
  const packed = gzipSync(text, { level: 9 })
  const file = tarFile(`${own}changelog.Debian.gz`, packed, epochSeconds)
  return gzip(tarOf([...directories, tarDirectory(own, epochSeconds), file]))
}

// Level 1 and small windows: the files are about 2 kB, and setting up zlib costs more than the work itself.
function gzip(data: Buffer): Buffer {
  return gzipSync(data, { level: 1, memLevel: 4, windowBits: 12 })
}

function tarOf(entries: readonly Buffer[]): Buffer {
  return Buffer.concat([...entries, zeroes])
}

function tarDirectory(name: string, epochSeconds: number): Buffer {
  return tarHeader({ name, mode: '0000755', type: '5', size: 0, epochSeconds })
}

function tarFile(name: string, data: Buffer, epochSeconds: number): Buffer {
  const header = tarHeader({ name, mode: '0000644', type: '0', size: data.length, epochSeconds })
  const padding = (tarBlock - (data.length % tarBlock)) % tarBlock
  return Buffer.concat([header, data, zeroes.subarray(0, padding)])
}

interface TarEntry {
  readonly name: string
  readonly mode: string
  readonly type: '0' | '5'
  readonly size: number
  readonly epochSeconds: number
}

/** A header in the GNU form that dpkg-deb writes. */
function tarHeader(entry: TarEntry): Buffer {
  const header = Buffer.alloc(tarBlock)
  header.write(entry.name, 0, 'latin1')
  header.write(`${entry.mode}\0`, 100, 'latin1')
  header.write('0000000\0', 108, 'latin1')
  header.write('0000000\0', 116, 'latin1')
  header.write(`${octal(entry.size, 11)}\0`, 124, 'latin1')
  header.write(`${octal(entry.epochSeconds, 11)}\0`, 136, 'latin1')
  header.write('        ', 148, 'latin1')
  header.write(entry.type, 156, 'latin1')
  header.write('ustar  \0', 257, 'latin1')
  header.write('root', 265, 'latin1')
  header.write('root', 297, 'latin1')
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${octal(sum, 6)}\0 `, 148, 'latin1')
  return header
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

interface ArMember {
  readonly name: string
  readonly data: Buffer
}

function arOf(members: readonly ArMember[], epochSeconds: number): Buffer {
  const parts: Buffer[] = [Buffer.from('!<arch>\n')]
  for (const { name, data } of members) {
    const owner = '0     '.repeat(2)
    const size = String(data.length).padEnd(10)
    const time = String(epochSeconds).padEnd(12)
    parts.push(Buffer.from(`${name.padEnd(16)}${time}${owner}100644  ${size}\`\n`), data)
    if (data.length % 2 === 1) parts.push(Buffer.from('\n'))
  }
  return Buffer.concat(parts)
}
