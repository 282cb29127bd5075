/**
 * Index files and the signed Release of one suite, as Debian's archive lays them out, `by-hash` included.
 *
 * Every file is written beside its name and renamed: what an older Release names by hash stays as it was, and a copy
 * of the archive by hard links is a copy. gzip and xz run as children, on the other core, while `.deb`s are made; xz
 * at a fast level, since 26 s at level 6 would be most of the time that an archive takes.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { signRelease } from './signing.ts'

/** Below the archive's directory: what an HTTP server shows as its root holds this. */
export const archiveRoot = 'www/debian'

const component = 'main'

/** One line of a Release's SHA256 list. */
export interface IndexFile {
  readonly path: string
  readonly sizeBytes: number
  readonly sha256: string
}

/** Where the uncompressed index of the suite and architecture is. */
export function indexPath(directory: string, suite: string, architecture: string): string {
  return join(directory, archiveRoot, 'dists', suite, indexName(architecture))
}

function indexName(architecture: string): string {
  return `${component}/binary-${architecture}/Packages`
}

const translationName = `${component}/i18n/Translation-en`

/** Writes `Packages`, `.gz` and `.xz` with their by-hash names; resolves when the compressors are done. */
export async function writeIndex(
  directory: string,
  at: { readonly suite: string; readonly architecture: string; readonly epochSeconds: number },
  stanzas: readonly string[],
): Promise<IndexFile[]> {
  return writeForms(directory, { ...at, name: indexName(at.architecture) }, stanzas)
}

/** The same for the descriptions, which Debian has as `.xz` alone. */
export async function writeTranslation(
  directory: string,
  at: { readonly suite: string; readonly epochSeconds: number },
  entries: readonly string[],
): Promise<IndexFile[]> {
  const files = await writeForms(directory, { ...at, name: translationName }, entries)
  return files.filter((file) => !file.path.endsWith('.gz'))
}

/** The descriptions as they were written. */
export function translationFiles(directory: string, suite: string): IndexFile[] {
  return ['', '.xz'].map((ending) => {
    const path = `${translationName}${ending}`
    const data = readFileSync(join(directory, archiveRoot, 'dists', suite, path))
    const sha256 = createHash('sha256').update(data).digest('hex')
    return { path, sizeBytes: data.length, sha256 }
  })
}

async function writeForms(
  directory: string,
  at: { readonly suite: string; readonly name: string; readonly epochSeconds: number },
  stanzas: readonly string[],
): Promise<IndexFile[]> {
  const { name } = at
  const path = join(directory, archiveRoot, 'dists', at.suite, name)
  mkdirSync(join(dirname(path), 'by-hash/SHA256'), { recursive: true })
  const temporary = `${path}.new`
  writeFileSync(temporary, `${stanzas.join('\n\n')}\n`, 'latin1')
  const compressors = [
    compress('gzip', ['-9n'], temporary, `${path}.gz.new`),
    compress('xz', ['-1', '-T1'], temporary, `${path}.xz.new`),
  ]
  await Promise.all(compressors)
  return ['', '.gz', '.xz'].map((ending) => {
    utimesSync(`${path}${ending}.new`, at.epochSeconds, at.epochSeconds)
    renameSync(`${path}${ending}.new`, `${path}${ending}`)
    const data = readFileSync(`${path}${ending}`)
    const sha256 = createHash('sha256').update(data).digest('hex')
    const byHash = join(dirname(path), 'by-hash/SHA256', sha256)
    if (!existsSync(byHash)) linkSync(`${path}${ending}`, byHash)
    return { path: `${name}${ending}`, sizeBytes: data.length, sha256 }
  })
}

async function compress(program: string, args: string[], from: string, to: string): Promise<void> {
  const input = openSync(from, 'r')
  const output = openSync(to, 'w')
  const child = spawn(program, ['-c', ...args], { stdio: [input, output, 'inherit'] })
  closeSync(input)
  closeSync(output)
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${program} ended with ${code}`)
}

/** Writes Release, InRelease and Release.gpg over `files`, dated `epochSeconds`. */
export function writeRelease(
  directory: string,
  of: {
    readonly suite: string
    readonly architectures: readonly string[]
    readonly epochSeconds: number
  },
  files: readonly IndexFile[],
): void {
  const date = new Date(of.epochSeconds * 1000).toUTCString().replace('GMT', 'UTC')
  const lines = [
    'Origin: Bench',
    'Label: Bench',
    `Suite: ${of.suite}`,
    `Codename: ${of.suite}`,
    `Date: ${date}`,
    'Acquire-By-Hash: yes',
    `Architectures: ${of.architectures.join(' ')}`,
    `Components: ${component}`,
    'Description: a synthetic archive for benchmarks',
    'SHA256:',
    ...files.map((file) => ` ${file.sha256} ${String(file.sizeBytes).padStart(9)} ${file.path}`),
  ]
  const release = Buffer.from(`${lines.join('\n')}\n`)
  const { inRelease, detached } = signRelease(directory, release, of.epochSeconds)
  const dist = join(directory, archiveRoot, 'dists', of.suite)
  const write = (name: string, data: Buffer) => {
    writeFileSync(join(dist, `${name}.new`), data)
    utimesSync(join(dist, `${name}.new`), of.epochSeconds, of.epochSeconds)
    renameSync(join(dist, `${name}.new`), join(dist, name))
  }
  write('Release', release)
  write('Release.gpg', detached)
  write('InRelease', inRelease)
}

/** The time that the suite's Release carries, in seconds since 1970. */
export function releaseDate(directory: string, suite: string): number {
  const text = readFileSync(join(directory, archiveRoot, 'dists', suite, 'Release'), 'utf8')
  const date = /^Date: (.*)$/m.exec(text)?.[1]
  const epochMs = Date.parse(date?.replace('UTC', 'GMT') ?? '')
  if (Number.isNaN(epochMs)) throw new Error(`the Release of ${suite} has no Date`)
  return epochMs / 1000
}
