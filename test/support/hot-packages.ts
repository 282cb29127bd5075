/**
 * Packages for tests of hits, and where a channel has them.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import type { World } from './world.ts'

export const hello = (version: string): PackageSpec => ({
  name: 'hello',
  version,
  arch: 'amd64',
  content: 3000,
})
export const other: PackageSpec = { name: 'other', version: '1', arch: 'all', content: 2000 }

/** Of the channel `approved`. */
export const inRelease = '/channels/approved/nut/dists/stable/InRelease'

/** The path of a package on the channel `testing`, and its bytes as upstream has them. */
export async function debOf(
  world: World,
  spec: PackageSpec,
): Promise<{ path: string; bytes: Buffer }> {
  const base = '/channels/testing/nut'
  const index = `${world.sluice.url}${base}/dists/stable/main/binary-amd64/Packages.gz`
  const text = gunzipSync(await (await fetch(index)).arrayBuffer()).toString()
  const { name, version, arch } = spec
  const path = new RegExp(`^Filename: (.*/${name}_${version}_${arch}.deb)$`, 'm').exec(text)?.[1]
  const bytes = await readFile(join(world.dir, 'archive', poolPath(spec)))
  return { path: `${base}/${path}`, bytes }
}
