/**
 * The upstream of a load: a dozen packages of six sources, some newer at each time it publishes. Old files stay.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { makeSigningKey } from '../../fixtures/signing-key.ts'
import type { Clock } from '../../src/base/clock.ts'
import { startUpstream } from './upstream-server.ts'

const SOURCES = 6

export interface LoadUpstream {
  readonly url: string
  /** Armored. */
  readonly keyring: string
  /** A package, and a source. */
  anyPackage(): string
  anySource(): string
  /** Publishes with up to three sources newer. */
  publish(): Promise<void>
}

/** Publishes for the first time below `dir` and serves it; dates are the clock's. */
export async function startLoadUpstream(
  t: Test,
  dir: string,
  clock: Clock,
  random: () => number,
): Promise<LoadUpstream> {
  const createdAt = new Date(clock.now() - 2 * 24 * 3600 * 1000)
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>', { createdAt })
  const versions: number[] = Array.from({ length: SOURCES }, () => 1)
  const below = (count: number): number => Math.floor(random() * count)
  const write = async (): Promise<void> => {
    const date = new Date(Math.floor(clock.now() / 1000) * 1000 - 1000)
    const suite = { suite: 'stable', codename: 'nut', origin: 'Nut', label: 'Nut' }
    const packages = versions.flatMap((version, source) => binariesOf(source, version))
    await makeArchive(join(dir, 'archive'), {
      ...{ key, date, sign: { signedAt: date } },
      suites: [{ ...suite, components: ['main'], architectures: ['amd64'], packages }],
    })
  }
  await write()
  const upstream = await startUpstream(join(dir, 'archive'))
  t.teardown(() => upstream.close())
  return {
    url: upstream.url,
    keyring: await readFile(key.publicAsc, 'utf8'),
    anyPackage: () => `pack-${below(SOURCES)}-${below(2)}`,
    anySource: () => `source-${below(SOURCES)}`,
    publish: async () => {
      for (let at = below(3); at >= 0; at--) {
        const source = below(SOURCES)
        versions[source] = (versions[source] ?? 0) + 1
      }
      await write()
    },
  }
}

function binariesOf(source: number, version: number): PackageSpec[] {
  return ['amd64', 'all'].map((arch, at) => ({
    name: `pack-${source}-${at}`,
    version: String(version),
    arch,
    source: `source-${source}`,
    content: 2000,
  }))
}
