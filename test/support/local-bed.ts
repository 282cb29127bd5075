/**
 * A server with an empty local archive `internal` that `testing` follows, `approved` beside it; and machines on these channels.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { buildDeb, type PackageSpec } from '../../fixtures/debs.ts'
import { createApt, type TestApt } from './apt.ts'
import { startSluice, type TestSluice } from './sluice.ts'
import { testDir } from './test-dir.ts'

export interface LocalBed {
  readonly dir: string
  readonly sluice: TestSluice
  /** Starts another server, or this one again; it is closed at the end. */
  readonly start: typeof startSluice
  /** Builds a .deb and puts it; the answer, whatever its status. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and a wrong name fails the test
  publish(spec: PackageSpec, query?: string): Promise<any>
  /** Builds a .deb and says where it is. */
  build(spec: PackageSpec, folder?: string): Promise<string>
  machine(channel: string): Promise<TestApt>
  /** Waits until channels have all that was published; their new generations. */
  settle(): Promise<readonly { channel: string; serial: number }[]>
}

/** Starts it; more settings of the archive as the API takes them. */
export async function makeLocalBed(
  t: Test,
  settings: object = {},
  start: Parameters<typeof startSluice>[1] = {},
): Promise<LocalBed> {
  // Before the folder is removed, which comes next: handlers run in the order in which they were added.
  const open: TestSluice[] = []
  t.teardown(async () => {
    for (const one of open) await one.close()
  })
  const dir = testDir(t)
  const startOne: LocalBed['start'] = async (dataDir, options) => {
    const one = await startSluice(dataDir, options)
    open.push(one)
    return one
  }
  const sluice = await startOne(join(dir, 'var'), start)
  const shape = { suites: ['stable'], components: ['main'], architectures: ['amd64', 'arm64'] }
  const made = { name: 'internal', kind: 'local', ...shape, ...settings }
  await sluice.api('POST', '/archives', made)
  await sluice.api('POST', '/channels', { name: 'testing', follow: ['internal'] })
  await sluice.api('POST', '/channels', { name: 'approved', from: 'testing' })
  const build: LocalBed['build'] = async (spec, folder = 'built') => {
    const version = spec.version.replace(/^\d+:/, '')
    const path = join(dir, folder, `${spec.name}_${version}_${spec.arch}.deb`)
    await buildDeb(path, spec)
    return path
  }
  return {
    dir,
    sluice,
    start: startOne,
    build,
    publish: async (spec, query = '') => {
      const path = await build(spec)
      const file = path.slice(path.lastIndexOf('/') + 1)
      const url = `${sluice.url}/api/v1/archives/internal/packages/${file}${query}`
      const headers = { Authorization: `Bearer ${sluice.token}` }
      const response = await fetch(url, { method: 'PUT', headers, body: await readFile(path) })
      return response.json()
    },
    machine: async (channel) => {
      const home = join(dir, channel)
      const apt = await createApt(home, { sources: '' })
      const key = join(home, 'sluice.asc')
      const url = `${sluice.url}/channels/${channel}`
      await apt.run('/usr/lib/apt/apt-helper', ['download-file', `${url}/key.asc`, key])
      const line = `[signed-by=${key}] ${url}/internal stable main`
      await apt.setSources(`deb ${line}\ndeb-src ${line}`)
      return apt
    },
    settle: async () => (await sluice.api('POST', '/archives/internal/follow')).generations,
  }
}
