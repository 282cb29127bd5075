/**
 * The files of an upstream's pool, asked for as a machine does whose proxy is Sluice.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { World } from './world.ts'

export interface PoolFile {
  /** Below the archive's URL. */
  readonly path: string
  readonly size: number
  readonly sha256: string
}

/** What was given: status, `X-Cache`, and the digest of the body. */
export interface Given {
  readonly status: number
  readonly cache: string | null
  readonly sha256: string
}

/** The files of packages that upstream has: `hello_1` of binary ones, `hello_1.dsc` of sources. */
export async function poolFiles(world: Pick<World, 'dir'>): Promise<Map<string, PoolFile>> {
  const root = join(world.dir, 'archive')
  const all = await readdir(join(root, 'pool'), { recursive: true, withFileTypes: true })
  const files = new Map<string, PoolFile>()
  for (const file of all.filter((one) => one.isFile())) {
    const path = join(file.parentPath, file.name)
    const data = await readFile(path)
    const sha256 = sha256Of(data)
    const name = file.name.replace(/_[^_]*\.deb$/, '')
    files.set(name, { path: relative(root, path), size: data.length, sha256 })
  }
  return files
}

/** Asks Sluice for the file of this package, by path. */
export async function getFile(
  {
    sluice,
    upstream,
  }: {
    readonly sluice: { readonly url: string }
    readonly upstream: { readonly url: string }
  },
  { path }: PoolFile,
): Promise<Given> {
  const response = await fetch(`${sluice.url}/${new URL(upstream.url).host}/${path}`)
  const data = Buffer.from(await response.arrayBuffer())
  return {
    status: response.status,
    cache: response.headers.get('x-cache'),
    sha256: sha256Of(data),
  }
}

function sha256Of(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}
