/**
 * The Contents that a channel publishes, as a client finds them by the Release; and what apt-ftparchive says of the same packages.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import type { LocalBed } from './local-bed.ts'
import { bodyOf, listedFiles } from './odd-world.ts'
import { runOk } from './run.ts'

/** A package with a path that all versions of it have, and one of its own. */
export const app = (version: string, more: Partial<PackageSpec> = {}): PackageSpec => ({
  name: 'acme-app',
  version,
  arch: 'amd64',
  ...more,
  files: { 'usr/bin/acme': `app ${version}\n`, [`usr/lib/acme/${version}`]: '', ...more.files },
})

/** One generation of a channel's suite: all is fetched by the digests of one Release, so that a new one meanwhile does no harm. */
interface Suite {
  readonly files: ReturnType<typeof listedFiles>
  read(path: string): Promise<Buffer>
}

async function openSuite({ sluice }: Pick<LocalBed, 'sluice'>, channel: string): Promise<Suite> {
  const base = `${sluice.url}/channels/${channel}/internal/dists/stable`
  const files = listedFiles((await bodyOf(`${base}/Release`)).toString())
  const read = async (path: string): Promise<Buffer> => {
    const file = files.get(path)
    const dir = path.slice(0, path.lastIndexOf('/'))
    const data = await bodyOf(`${base}/${dir}/by-hash/SHA256/${file?.sha256}`)
    if (file !== undefined && isSame(data, file)) return data
    throw new Error(`${path} is not what the Release of ${channel} says`)
  }
  return { files, read }
}

/** The Contents of a channel's suite by their paths, without `.gz`; throws if one is not what the Release says. */
export async function contentsOf(
  bed: Pick<LocalBed, 'sluice'>,
  channel: string,
): Promise<Map<string, string>> {
  return readContents(await openSuite(bed, channel))
}

async function readContents({ files, read }: Suite): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const path of files.keys()) {
    if (!/\/Contents-[^/]+\.gz$/.test(path)) continue
    const name = path.replace(/\.gz$/, '')
    const plain = gunzipSync(await read(path))
    const isRight = isSame(plain, files.get(name) ?? { sha256: '', size: 0 })
    if (!isRight) throw new Error(`${name} is not what the Release says`)
    found.set(name, plain.toString())
  }
  return found
}

function isSame(data: Buffer, { sha256, size }: { sha256: string; size: number }): boolean {
  return sha256Of(data) === sha256 && data.length === size
}

/** `PATH OWNER,OWNER` of the Contents of an architecture and of those of all, sorted. */
export function linesFor(contents: ReadonlyMap<string, string>, architecture: string): string[] {
  const texts = [architecture, 'all'].map((one) => contents.get(`main/Contents-${one}`) ?? '')
  return normalized(texts)
}

function normalized(texts: readonly string[]): string[] {
  const owners = new Map<string, string[]>()
  for (const line of texts.join('').split('\n')) {
    const [, path, names] = /^(.*?)\s+(\S+)$/.exec(line) ?? []
    if (path === undefined || names === undefined) continue
    owners.set(path, [...(owners.get(path) ?? []), ...names.split(',')])
  }
  return [...owners].map(([path, names]) => `${path} ${names.sort().join(',')}`).sort()
}

/** What apt-ftparchive makes of these packages: the same lines, if they are right. */
export async function judgedLines(dir: string, debs: readonly string[]): Promise<string[]> {
  await rm(dir, { recursive: true, force: true })
  await mkdir(join(dir, 'pool'), { recursive: true })
  for (const deb of debs) await cp(deb, join(dir, 'pool', deb.slice(deb.lastIndexOf('/') + 1)))
  const config = [
    `Dir { ArchiveDir "${dir}"; CacheDir "${dir}"; };`,
    'Default { Packages::Compress "."; Contents::Compress "."; };',
    'BinDirectory "pool" { Packages "Packages"; Contents "Contents"; BinCacheDB "cache.db"; };',
  ]
  await writeFile(join(dir, 'conf'), config.join('\n'))
  await runOk('apt-ftparchive', ['-qq', 'generate', join(dir, 'conf')])
  return normalized([await readFile(join(dir, 'Contents'), 'utf8')])
}

/** For each architecture what a channel's Contents say, and what apt-ftparchive makes of the packages that it offers. */
export async function compareContents(
  bed: Pick<LocalBed, 'sluice' | 'dir'>,
  channel: string,
  architectures: readonly string[] = ['amd64', 'arm64'],
): Promise<{ readonly found: readonly string[]; readonly wanted: readonly string[] }> {
  const suite = await openSuite(bed, channel)
  const contents = await readContents(suite)
  const [found, wanted]: [string[], string[]] = [[], []]
  for (const architecture of architectures) {
    const path = `main/binary-${architecture}/Packages.gz`
    const index = gunzipSync(await suite.read(path)).toString()
    const debs = [...index.matchAll(/^Filename: .*\/([^/\n]+)$/gm)].map(([, name]) =>
      join(bed.dir, 'built', name ?? ''),
    )
    found.push(`= ${architecture}`, ...linesFor(contents, architecture))
    wanted.push(`= ${architecture}`, ...(await judgedLines(join(bed.dir, 'judge'), debs)))
  }
  return { found, wanted }
}
