/**
 * What generations of channels name, read as a client reads it: InRelease, each index by its hash, the pool files of the
 * stanzas. Everything is compared with the digest that names it.
 */
import { gunzipSync } from 'node:zlib'
import { sha256Of } from '../../src/base/sha256.ts'
import type { TestSluice } from './sluice.ts'

/** Pool path -> digest. */
export type NamedPool = ReadonlyMap<string, string>

export interface NamedReader {
  /** The files that all generations name that are in the histories now: `approved@3` -> its files. */
  readAll(): Promise<Map<string, NamedPool>>
  /** What went wrong so far: something that a generation names was not there, or was something else. */
  readonly wrong: string[]
}

/** A reader that reads each InRelease at every look, and each index once. */
export function createNamedReader({ url, api }: TestSluice): NamedReader {
  const indexes = new Map<string, NamedPool>()
  const wrong: string[] = []
  const get = async (path: string): Promise<Buffer | undefined> => {
    const answer = await fetch(`${url}/channels/${path}`)
    if (answer.ok) return Buffer.from(await answer.bytes())
    wrong.push(`${path}: ${answer.status} ${await answer.text()}`)
    return undefined
  }
  const readIndex = async (path: string, digest: string): Promise<NamedPool> => {
    const known = indexes.get(digest)
    if (known !== undefined) return known
    const data = await get(path)
    if (data === undefined) return new Map()
    if (sha256Of(data) !== digest) wrong.push(`${path}: other bytes`)
    const pool = new Map<string, string>()
    for (const stanza of gunzipSync(data).toString().split('\n\n')) {
      const name = /^Filename: (.*)$/m.exec(stanza)?.[1]
      const sum = /^SHA256: (.*)$/m.exec(stanza)?.[1]
      if (name !== undefined && sum !== undefined) pool.set(name, sum)
    }
    indexes.set(digest, pool)
    return pool
  }
  const readGeneration = async (name: string): Promise<NamedPool> => {
    const dists = `${name}/nut/dists/stable`
    const text = (await get(`${dists}/InRelease`))?.toString() ?? ''
    const pool = new Map<string, string>()
    for (const [, digest = '', path = ''] of text.matchAll(/^ ([0-9a-f]{64}) +\d+ (\S+\.gz)$/gm)) {
      const hash = `${dists}/${path.replace(/[^/]+$/, '')}by-hash/SHA256/${digest}`
      for (const [file, sum] of await readIndex(hash, digest)) pool.set(file, sum)
    }
    return pool
  }
  const serialsOf = async (channel: string): Promise<number[]> => {
    const history = await api('GET', `/channels/${channel}/history?limit=1000`)
    return Array.isArray(history) ? history.map(({ serial }) => serial) : []
  }
  const readAll: NamedReader['readAll'] = async () => {
    const all = new Map<string, NamedPool>()
    for (const { name } of (await api('GET', '/channels')) as { name: string }[]) {
      for (const serial of await serialsOf(name)) {
        const before = wrong.length
        const pool = await readGeneration(`${name}@${serial}`)
        // What was dropped while it was read was not promised any more.
        const isKept = wrong.length === before || (await serialsOf(name)).includes(serial)
        if (isKept) all.set(`${name}@${serial}`, pool)
        else wrong.splice(before)
      }
    }
    return all
  }
  return { readAll, wrong }
}

/** Fetches a pool file as a machine on that generation's channel does; what is wrong with it. */
export async function fetchNamed(
  { url }: TestSluice,
  generation: string,
  [path, digest]: readonly [string, string],
): Promise<string | undefined> {
  const channel = generation.split('@')[0]
  const answer = await fetch(`${url}/channels/${channel}/nut/${path}`)
  const data = await answer.bytes()
  if (answer.ok && sha256Of(data) === digest) return undefined
  return `${generation} names ${path}: ${answer.status} ${answer.ok ? 'other bytes' : Buffer.from(data)}`
}
