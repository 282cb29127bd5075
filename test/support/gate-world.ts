/**
 * Upstreams whose packages are stanzas in short (dose.ts), with names of files that nobody fetches, and a Sluice that follows
 * them in `testing`, with `approved` beside.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Test } from 'tap'
import { putRelease } from '../../fixtures/make-archive.ts'
import { makeSigningKey } from '../../fixtures/signing-key.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { formatRelease } from '../../src/debian/release.ts'
import { field, stanza } from './dose.ts'
import { startSluice, type TestSluice } from './sluice.ts'
import { testDir } from './test-dir.ts'
import { startUpstream } from './upstream-server.ts'

/** A suite of an archive: `nut/stable`, `tools/nodistro`. */
export interface GateSuite {
  readonly codename?: string
  readonly notAutomatic?: boolean
  /** In short: `app 1; Depends: lib (= 1); Source: suite`. */
  readonly packages: readonly string[]
}

/** What upstream publishes: archive/suite -> suite. */
export type GateSuites = Readonly<Record<string, GateSuite>>

export interface GateWorld {
  readonly dir: string
  readonly sluice: TestSluice
  /** Publishes these suites, and lets `testing` follow. */
  publish(suites: GateSuites): Promise<void>
  /** The stanzas of a channel's suite, for an architecture. */
  stanzas(channel: string, suite: string, architecture: string): Promise<string[]>
}

const architectures = ['amd64', 'arm64']

/** A world whose `testing` and `approved` have these suites; suites that come later have to be among them. */
export async function makeGateWorld(t: Test, suites: GateSuites): Promise<GateWorld> {
  const dir = testDir(t)
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>')
  let seconds = Math.floor(Date.now() / 1000) - 3600
  const write = async (some: GateSuites): Promise<void> => {
    seconds += 10
    for (const [path, suite] of Object.entries(some)) {
      const [archive = '', name = ''] = path.split('/')
      const own = join(dir, 'up', archive)
      const files = await writeIndexes(join(own, 'dists', name), suite)
      const { codename = name, notAutomatic } = suite
      const lists = { architectures, components: ['main'], files, acquireByHash: false }
      const names = { origin: archive, suite: name, codename, notAutomatic, date: seconds }
      const release = formatRelease({ ...names, ...lists })
      const modifiedAt = new Date(seconds * 1000)
      const forms = ['InRelease'] as const
      await putRelease(own, `dists/${name}`, { release, keys: [key], forms, modifiedAt })
    }
  }
  await write(suites)
  const upstream = await startUpstream(join(dir, 'up'))
  const sluice = await startSluice(join(dir, 'var'), { flags: { 'log-level': 'silent' } })
  t.teardown(async () => {
    await sluice.close()
    await upstream.close()
  })
  const archives = Map.groupBy(Object.keys(suites), (path) => path.split('/')[0] ?? '')
  const keyring = await readFile(key.publicAsc, 'utf8')
  for (const [name, paths] of archives) {
    const own = paths.map((path) => path.split('/')[1])
    const settings = { suites: own, components: ['main'], architectures, keyring }
    await sluice.api('POST', '/archives', { name, urls: [`${upstream.url}/${name}`], ...settings })
  }
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/channels', { name: 'testing', follow: [...archives.keys()] })
  await sluice.api('POST', '/channels', { name: 'approved', from: 'testing' })
  return {
    dir,
    sluice,
    publish: async (some) => {
      await write(some)
      await sluice.api('POST', '/archives/refresh')
    },
    stanzas: async (channel, suite, architecture) => {
      const [archive, name] = suite.split('/')
      const index = `dists/${name}/main/binary-${architecture}/Packages.gz`
      const answer = await fetch(`${sluice.url}/channels/${channel}/${archive}/${index}`)
      const text = gunzipSync(Buffer.from(await answer.arrayBuffer())).toString()
      return text
        .split('\n\n')
        .filter((one) => one.trim() !== '')
        .map((one) => `${one}\n`)
    },
  }
}

async function writeIndexes(
  dir: string,
  { packages }: GateSuite,
): Promise<{ path: string; size: number; sha256: ReturnType<typeof sha256Of> }[]> {
  const files: { path: string; size: number; sha256: ReturnType<typeof sha256Of> }[] = []
  for (const architecture of architectures) {
    const own = packages.map(stanza).filter((text) => {
      return ['all', architecture].includes(field(text, 'Architecture') ?? '')
    })
    const text = own.map(withFile).join('\n')
    const path = `main/binary-${architecture}/Packages`
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), text)
    files.push({ path, size: text.length, sha256: sha256Of(text) })
  }
  return files
}

/** The stanza with a file that only has a name. */
function withFile(text: string): string {
  const path = `pool/${field(text, 'Package')}_${field(text, 'Version')}_${sha256Of(text).slice(0, 8)}.deb`
  return `${text}Filename: ${path}\nSize: 1\nSHA256: ${sha256Of(text)}\nDescription: made up\n`
}
