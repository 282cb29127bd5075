/**
 * The archive of oddities behind a Sluice: both suites, both components and both architectures of it, in a channel.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { ArchiveSpec, SuiteSpec } from '../../fixtures/archive-spec.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { oddFixture } from '../../fixtures/odd-fixture.ts'
import { makeSigningKey } from '../../fixtures/signing-key.ts'
import type { ArchiveSettings } from '../../src/archives/archive-table.ts'
import { startSluice, type TestSluice } from './sluice.ts'
import { testDir } from './test-dir.ts'
import { startUpstream, type TestUpstream } from './upstream-server.ts'

export interface OddWorld {
  /** `archive/` is upstream's. */
  readonly dir: string
  readonly upstream: TestUpstream
  readonly suites: readonly SuiteSpec[]
  /** Publishes these suites at upstream. */
  publish(suites: readonly SuiteSpec[]): Promise<void>
  /** A server of its own that has imported what upstream publishes now: `testing` follows `odd`, `approved` copies it. */
  follow(name: string): Promise<TestSluice>
}

/** Publishes the fixture, or `spec` in its place; more settings are those of the archive. */
export async function makeOddWorld(
  t: Test,
  spec: Omit<ArchiveSpec, 'key'> = oddFixture(),
  more: Partial<ArchiveSettings> = {},
): Promise<OddWorld> {
  const { suites, ...options } = spec
  const dir = testDir(t)
  const key = await makeSigningKey(join(dir, 'keys'), 'Odd <odd@archive.example>')
  const publish = async (some: readonly SuiteSpec[]): Promise<void> => {
    await makeArchive(join(dir, 'archive'), { ...options, suites: some, key })
  }
  await publish(suites)
  const upstream = await startUpstream(join(dir, 'archive'))
  t.teardown(() => upstream.close())
  const follow = async (name: string): Promise<TestSluice> => {
    const sluice = await startSluice(join(dir, name))
    t.teardown(() => sluice.close())
    const settings = {
      urls: [upstream.url],
      suites: ['stable', 'testing'],
      components: ['main', 'extra'],
      architectures: ['amd64', 'arm64'],
      ...more,
    }
    const keyring = await readFile(key.publicAsc, 'utf8')
    await sluice.api('POST', '/archives', { name: 'odd', ...settings, keyring })
    await sluice.api('POST', '/archives/refresh')
    await sluice.api('POST', '/channels', { name: 'testing', follow: ['odd'] })
    await sluice.api('POST', '/channels', { name: 'approved', from: 'testing' })
    return sluice
  }
  return { dir, upstream, suites, publish, follow }
}

/** `main/binary-amd64/Packages` and its like, of every suite of the fixture. */
export function packagesPaths(): string[] {
  const architectures = ['amd64', 'arm64'].map((arch) => `binary-${arch}/Packages`)
  return ['main', 'extra'].flatMap((component) =>
    architectures.map((path) => `${component}/${path}`),
  )
}

/** A file that a server answers with; throws when it does not. */
export async function bodyOf(url: string): Promise<Buffer> {
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(`${url}: ${response.status}`)
  return Buffer.from(await response.arrayBuffer())
}

/** What a Release says of its files: path -> digest and size, from its SHA256 list. */
export function listedFiles(release: string): Map<string, { sha256: string; size: number }> {
  const list = /^SHA256:\n((?: .*\n?)*)/m.exec(release)?.[1] ?? ''
  const lines = [...list.matchAll(/^ ([0-9a-f]{64}) +(\d+) (\S+)$/gm)]
  return new Map(
    lines.map(([, sha256 = '', size, path = '']) => [path, { sha256, size: Number(size) }]),
  )
}

/** Fields by name of every stanza of an index. */
export function stanzasOf(index: string): Map<string, string>[] {
  const texts = index.split(/\n{2,}/).filter((text) => text.trim() !== '')
  return texts.map((text) => {
    const fields = text.trimEnd().split(/\n(?! )/)
    return new Map(
      fields.map((field) => [
        field.slice(0, field.indexOf(':')),
        field.slice(field.indexOf(':') + 1).trimStart(),
      ]),
    )
  })
}
