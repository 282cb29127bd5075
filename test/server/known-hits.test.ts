/**
 * What a worker gives out of what it was told: bytes that stay what they are while somebody sends them, also where memory is
 * full of others.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Sha256, sha256Of } from '../../src/base/sha256.ts'
import { createKnownHits, type KnownHits } from '../../src/server/known-hits.ts'
import { testDir } from '../support/test-dir.ts'

/** More than memory holds. */
const FILES = 210
const BYTES = 125_000

interface Bed {
  readonly hits: KnownHits
  /** Which URLs the main process was asked for. */
  readonly asked: string[]
  bytesOf(url: string): Buffer
  digestOf(url: string): Sha256
}

/** A worker that is told of each file what the main process knows, and has asked for the first 200 of them. */
async function openBed(t: Test): Promise<Bed> {
  const dir = testDir(t)
  await mkdir(dir, { recursive: true })
  const bytesOf: Bed['bytesOf'] = (url) => Buffer.alloc(BYTES, `${url} `)
  const digestOf: Bed['digestOf'] = (url) => sha256Of(bytesOf(url))
  const asked: string[] = []
  const hits = createKnownHits({
    pathOf: (sha256) => join(dir, sha256),
    epoch: () => 0,
    ask: (url) => {
      asked.push(url)
      const answer = { sha256: digestOf(url), size: BYTES, type: 'x/y', isMutable: false } as const
      setImmediate(() => hits.hear({ kind: 'told', url, answer: { kind: 'blob', ...answer } }))
    },
  })
  for (let at = 0; at < FILES; at++)
    await writeFile(join(dir, digestOf(`/${at}.deb`)), bytesOf(`/${at}.deb`))
  for (let at = 0; at < 200; at++) await hits.look(`/${at}.deb`)
  return { hits, asked, bytesOf, digestOf }
}

t.test('two who ask for a file at once, while others are asked for', async (t) => {
  const { hits, bytesOf } = await openBed(t)
  for (let at = 200; at < FILES - 1; at++) {
    const url = `/${at}.deb`
    const both = await Promise.all([hits.look(url), hits.look(url)])
    for (const next of [at - 1, at + 1]) {
      await hits.look(`/${next}.deb`)
      hits.find(`/${next}.deb`)
    }
    for (const found of both) t.ok(found && 'data' in found && found.data.equals(bytesOf(url)))
  }
})

t.test('a file that went and came again is asked about again', async (t) => {
  const { hits, asked, bytesOf, digestOf } = await openBed(t)
  const url = '/1.deb'
  const blobs = [digestOf(url)]
  hits.hear({ kind: 'changed', epoch: 0, urls: [], blobs })
  asked.length = 0
  const found = await hits.look(url)
  t.ok(found && 'data' in found && found.data.equals(bytesOf(url)))
  t.same(asked, [url])
  await hits.look(url)
  t.same(asked, [url], 'once')
})
