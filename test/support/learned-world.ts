/**
 * A world for archives that nobody told the server of: a signed upstream, a Sluice that may learn from it and has no
 * archive of its own, and machines whose sources name upstream and whose proxy is Sluice.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { PublishOptions, SuiteSpec } from '../../fixtures/archive-spec.ts'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { makeSigningKey, type SigningKey } from '../../fixtures/signing-key.ts'
import { createApt, type TestApt } from './apt.ts'
import { ask, type RawAnswer } from './raw-http.ts'
import { startSluice, type TestSluice } from './sluice.ts'
import { createTestClock, type TestClock } from './test-clock.ts'
import { testDir } from './test-dir.ts'
import { startUpstream, type TestUpstream } from './upstream-server.ts'

export interface LearnedWorld {
  readonly dir: string
  /** Of the files that upstream serves. */
  readonly archive: string
  readonly upstream: TestUpstream
  readonly sluice: TestSluice
  readonly clock: TestClock
  readonly key: SigningKey
  publish(packages: readonly PackageSpec[], options?: LearnedPublish): Promise<void>
  /** A machine that reaches upstream through Sluice; `line` is its source, without `deb [signed-by=…]`. */
  machine(name: string, line?: string, options?: string): Promise<TestApt>
  get(path: string, headers?: readonly string[]): Promise<RawAnswer>
  /** Ends it, and makes room for another one. */
  close(): Promise<void>
  /** The same server again over its data. */
  restart(flags?: Record<string, string>): Promise<void>
}

export type LearnedPublish = PublishOptions &
  Partial<Pick<SuiteSpec, 'sources' | 'files' | 'components' | 'architectures'>>

/** Upstream has one suite, `stable`, with these packages; the server may learn from there. */
export async function makeLearnedWorld(
  t: Test,
  packages: readonly PackageSpec[],
  {
    publish: common = {},
    flags = {},
  }: { publish?: LearnedPublish; flags?: Record<string, string> } = {},
): Promise<LearnedWorld> {
  const open: { close(): Promise<void> }[] = []
  t.teardown(async () => {
    for (const one of open) await one.close()
  })
  const dir = testDir(t)
  const archive = join(dir, 'archive')
  await mkdir(archive, { recursive: true })
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>')
  const publish: LearnedWorld['publish'] = async (some, more = {}) => {
    const names = { suite: 'stable', codename: 'nut', origin: 'Nut', label: 'Nut' }
    const suite = { ...names, components: ['main'], architectures: ['amd64'], packages: some }
    await makeArchive(archive, { key, suites: [{ ...suite, ...common, ...more }] })
  }
  await publish(packages)
  const upstream = await startUpstream(archive)
  const clock = createTestClock()
  let sluice: TestSluice
  const start = async (more: Record<string, string> = {}): Promise<void> => {
    const host = new URL(upstream.url).host
    const all = { 'learn-hosts': host, ...flags, ...more }
    sluice = await startSluice(join(dir, 'var'), { clock, flags: all })
  }
  await start()
  open.push({ close: () => sluice.close() }, upstream)
  return {
    dir,
    archive,
    upstream,
    get sluice() {
      return sluice
    },
    clock,
    key,
    publish,
    machine: (name, line = `${upstream.url} stable main`, options = '') =>
      createApt(join(dir, name), {
        sources: `deb [${options === '' ? `signed-by=${key.publicAsc}` : options}] ${line}`,
        proxy: sluice.url,
      }),
    get: (path, headers = []) => ask(sluice.url, `GET ${upstream.url}/${path} HTTP/1.1`, headers),
    close: async () => {
      for (const one of open.splice(0)) await one.close()
      await rm(dir, { recursive: true })
    },
    restart: async (more) => {
      await sluice.close()
      await start(more)
    },
  }
}
