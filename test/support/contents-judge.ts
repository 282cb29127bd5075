/**
 * The Contents that a channel publishes, as a client finds them by the Release; and what apt-ftparchive says of the same packages.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { sha256Of } from '../../src/base/sha256.ts'
import type { LocalBed } from './local-bed.ts'
import { bodyOf, listedFiles } from './odd-world.ts'
import { runOk } from './run.ts'

/** The Contents of a channel's suite by their paths, without `.gz`; throws if one is not what the Release says. */
export async function contentsOf(
  { sluice }: Pick<LocalBed, 'sluice'>,
  channel: string,
): Promise<Map<string, string>> {
  const base = `${sluice.url}/channels/${channel}/internal/dists/stable`
  const files = listedFiles((await bodyOf(`${base}/Release`)).toString())
  const found = new Map<string, string>()
  for (const [path, file] of files) {
    if (!/\/Contents-[^/]+\.gz$/.test(path)) continue
    const name = path.replace(/\.gz$/, '')
    const packed = await bodyOf(`${base}/${path}`)
    const byHash = await bodyOf(`${base}/main/by-hash/SHA256/${file.sha256}`)
    const plain = gunzipSync(packed)
    const isRight =
      packed.equals(byHash) &&
      isSame(packed, file) &&
      isSame(plain, files.get(name) ?? { sha256: '', size: 0 })
    if (!isRight) throw new Error(`${path} is not what the Release of ${channel} says`)
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
