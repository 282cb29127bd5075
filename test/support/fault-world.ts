/**
 * A world whose upstream falls into trouble, and what clients then must get: fifty of them all that is here, at once; who
 * asks for more, the reason why not, before apt itself would give up. Where upstream is silent, waits of the server
 * are shortened alike.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import type { Clock } from '../../src/base/clock.ts'
import { startSluice, type TestSluice } from './sluice.ts'
import { createTestClock } from './test-clock.ts'
import { clean, makeWorld, troubles, type World } from './world.ts'

const CLIENTS = 50
const shortened = {
  ...{ connectTimeoutMs: 1500, firstByteTimeoutMs: 2500, stallMs: 1500, answerWithinMs: 5000 },
}
const here: PackageSpec = { name: 'here', version: '1', arch: 'amd64', content: 200_000 }

export interface FaultWorld {
  readonly world: World
  /** Names of packages that nobody asked for yet. */
  fresh(count: number): string[]
  /** Fifty clients get all that is here, though it is time to look upstream again, and upstream is as it is. */
  getKnown(t: Test): Promise<void>
  /** Who asks for what is not here is told so, with `says`, and apt shows it. */
  getUnknown(t: Test, says: RegExp, status?: number): Promise<void>
  /** So it is with what no index names, which is sent as it comes: refused, or cut off. */
  getUnverified(t: Test): Promise<void>
  /** What apt says of a download that it tries once. */
  aptDownloads(...names: readonly string[]): Promise<{ code: number; output: string }>
  /** The archive is from now on at another address; what is here of it is here. */
  moveTo(url: string): Promise<void>
}

/** Makes it: one package is here, and `away` others are not. An upstream that is to be `silent` is not waited for long. */
export async function makeFaultWorld(
  t: Test,
  away: number,
  { silent = false }: { readonly silent?: boolean } = {},
): Promise<FaultWorld> {
  const unknown = Array.from({ length: away }, (_, at): PackageSpec => {
    return { ...here, name: `away-${at}`, content: 8000 }
  })
  const clock = createTestClock()
  const made = await makeWorld(t, [here, ...unknown], { start: { clock } })
  const { upstream, dir } = made
  const apt = await made.proxied('machine')
  await apt.update()
  const { code, output } = await apt.install('here')
  // An assertion of a whole file would be its end, as long as no test of it has begun.
  if (code !== 0) throw new Error(output)
  const sluice = silent ? await shorten(t, made.sluice, clock) : made.sluice
  let root = upstream.url
  const pathOf = (file: string): string => `/${new URL(root).host}/${file}`
  const get = (file: string): Promise<Got> => getFile(`${sluice.url}${pathOf(file)}`)
  const download = ['-o', 'Acquire::Retries=0', 'install', '--yes', '--download-only']
  const aptDownloads: FaultWorld['aptDownloads'] = async (...names) => {
    const { code, stdout, stderr } = await apt.run('apt-get', [...download, ...names])
    return { code, output: `${stdout}${stderr}` }
  }
  return {
    world: { ...made, sluice },
    aptDownloads,
    fresh: (count) => unknown.splice(0, count).map(({ name }) => name),
    getKnown: async (t) => {
      clock.advance(6 * 60_000)
      const release = await get('dists/stable/InRelease')
      const [, size, path] = / (\d+) (main\/binary-amd64\/Packages\.gz)/.exec(release.text) ?? []
      const files = ['dists/stable/InRelease', `dists/stable/${path}`, poolPath(here)]
      const asked = Array.from({ length: CLIENTS }, () => files).flat()
      const answers = await Promise.all(asked.map(get))
      t.ok(answers.every((answer) => answer.status === 200))
      const sizes = new Set(answers.map((answer) => answer.size))
      t.equal(sizes.size, files.length, 'all of it is whole')
      t.ok(sizes.has(release.size) && sizes.has(Number(size)))
    },
    getUnknown: async (t, says, status = 503) => {
      const specs = unknown.splice(0, 3)
      const last = specs.pop()?.name ?? ''
      const asked = [...specs, ...specs].map((one) => poolPath(one))
      for (const answer of await Promise.all(asked.map(get))) {
        t.equal(answer.status, status)
        t.equal(/^\d+$/.test(answer.headers.get('retry-after') ?? ''), status === 503)
        t.match(answer.text, /^sluice: \w.*\nhint: \w/)
        t.match(answer.text, says)
      }
      const { code, output } = await aptDownloads(last)
      t.equal(code, 100)
      const told = new RegExp(
        `^E: Failed to fetch .*${last}_1_amd64\\.deb +${status} +\\S.{10}`,
        'm',
      )
      t.match(output, told)
    },
    getUnverified: async (t) => {
      const file = `pool/odd-${unknown.length}.deb`
      await writeFile(join(dir, 'archive', file), Buffer.alloc(20_000))
      const answer = await get(file).catch((error: unknown) => error)
      if (answer instanceof Error) t.match(answer.message, /terminated/, 'reset')
      else t.match(answer, { status: /503|403/, text: /^sluice: \w.*\nhint: \w/ })
    },
    moveTo: async (url) => {
      root = url
      await sluice.api('PATCH', '/archives/nut', { urls: [url], reason: 'it moved' })
      await apt.setSources(`deb [signed-by=${made.key.publicAsc}] ${url} stable main`)
      t.same(troubles(await apt.update()), clean)
    },
  }
}

/** Starts the server anew, with short waits: until then upstream may be as slow as this machine. */
async function shorten(t: Test, first: TestSluice, clock: Clock): Promise<TestSluice> {
  await first.close()
  const flags = { listen: new URL(first.url).host }
  const sluice = await startSluice(first.dataDir, { clock, patience: shortened, flags })
  t.teardown(() => sluice.close())
  return sluice
}

interface Got {
  readonly status: number
  readonly headers: Headers
  readonly size: number
  /** Of its beginning. */
  readonly text: string
}

async function getFile(url: string): Promise<Got> {
  const answer = await fetch(url)
  const { status, headers } = answer
  const body = Buffer.from(await answer.arrayBuffer())
  return { status, headers, size: body.length, text: `${body.subarray(0, 5000)}` }
}
