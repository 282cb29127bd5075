/**
 * A small world for tests of the whole: a signed upstream served over HTTP, a Sluice that follows it, and real apt on
 * machines that point at its channels.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { PublishOptions, SuiteSpec } from '../../fixtures/archive-spec.ts'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { type KeyOptions, makeSigningKey, type SigningKey } from '../../fixtures/signing-key.ts'
import type { ArchiveSettings } from '../../src/archives/archive-table.ts'
import { type AptRun, createApt, type TestApt } from './apt.ts'
import { closeBelow, startSluice, type TestSluice } from './sluice.ts'
import { testDir } from './test-dir.ts'
import { startUpstream, type TestUpstream } from './upstream-server.ts'

/** What `troubles` says of a run without any. */
export const clean = { code: 0, said: [] }

/** What a user would be troubled by. */
export function troubles({ code, warnings, errors, notices, failed, ignored }: AptRun): object {
  return { code, said: [...warnings, ...errors, ...notices, ...failed, ...ignored] }
}

/** An upstream, a server that follows it in `testing` with `approved` beside, and machines. */
export interface World {
  /** All files of the world: `archive/`, `keys/`, `var/`, a folder for each machine. */
  readonly dir: string
  readonly sluice: TestSluice
  readonly upstream: TestUpstream
  readonly key: SigningKey
  /** Publishes at upstream; options of the first publish hold, unless told anew. */
  publish(packages: readonly PackageSpec[], options?: WorldPublish): Promise<void>
  /** A machine whose one-line source points at this channel (`approved`, `approved@2`). */
  machine(name: string, channel: string, options?: string): Promise<TestApt>
  /** A machine with upstream's own source line that reaches upstream through Sluice. */
  proxied(name: string): Promise<TestApt>
}

/** How upstream publishes, and what besides packages. */
export type WorldPublish = PublishOptions &
  Partial<
    Pick<SuiteSpec, 'origin' | 'label' | 'sources' | 'files' | 'components' | 'architectures'>
  >

export interface WorldOptions {
  readonly publish?: WorldPublish
  /** More settings of the archive. */
  readonly settings?: Partial<ArchiveSettings>
  readonly start?: Parameters<typeof startSluice>[1]
  /** Of upstream's key. */
  readonly key?: KeyOptions
}

/** Makes a world whose upstream `nut` has one suite, `stable`, with these packages. */
export async function makeWorld(
  t: Test,
  packages: readonly PackageSpec[],
  options: WorldOptions = {},
): Promise<World> {
  // Before the folder is removed, which comes next: handlers run in the order in which they were added.
  const open: { close(): Promise<void> }[] = []
  t.teardown(async () => {
    await closeBelow(t.testdirName)
    for (const one of open) await one.close()
  })
  const dir = testDir(t)
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>', options.key)
  const publish: World['publish'] = async (some, more = {}) => {
    const names = { suite: 'stable', codename: 'nut', origin: 'Nut', label: 'Nut' }
    const suite = { ...names, components: ['main'], architectures: ['amd64'], packages: some }
    const suites = [{ ...suite, ...options.publish, ...more }]
    await makeArchive(join(dir, 'archive'), { key, suites })
  }
  await publish(packages)
  const upstream = await startUpstream(join(dir, 'archive'))
  const sluice = await startSluice(join(dir, 'var'), options.start)
  open.push(upstream)
  const keyring = await readFile(key.publicAsc, 'utf8')
  const settings = {
    urls: [upstream.url],
    suites: ['stable'],
    components: ['main'],
    architectures: ['amd64'],
    ...options.settings,
  }
  await sluice.api('POST', '/archives', { name: 'nut', ...settings, keyring })
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/channels', { name: 'testing', follow: ['nut'] })
  await sluice.api('POST', '/channels', { name: 'approved', from: 'testing' })
  const machine: World['machine'] = async (name, channel, options = '') => {
    const base = channel.split('@')[0]
    const home = join(dir, name)
    const apt = await createApt(home, { sources: '' })
    const keyPath = join(home, 'sluice.asc')
    await apt.run('/usr/lib/apt/apt-helper', [
      'download-file',
      `${sluice.url}/channels/${base}/key.asc`,
      keyPath,
    ])
    await apt.setSources(
      `deb [signed-by=${keyPath}${options}] ${sluice.url}/channels/${channel}/nut stable main`,
    )
    return apt
  }
  const proxied: World['proxied'] = (name) => {
    const sources = `deb [signed-by=${key.publicAsc}] ${upstream.url} stable main`
    return createApt(join(dir, name), { sources, proxy: sluice.url })
  }
  return { dir, sluice, upstream, key, publish, machine, proxied }
}
