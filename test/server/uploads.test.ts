/**
 * Packages of one's own: a local archive, what is published to it over HTTP, and a real apt that installs it from the channels.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { buildDeb, type PackageSpec } from '../../fixtures/debs.ts'
import { createApt, type TestApt } from '../support/apt.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { clean, troubles } from '../support/world.ts'

const app = (version: string, more: Partial<PackageSpec> = {}): PackageSpec => ({
  name: 'acme-app',
  version,
  arch: 'amd64',
  content: 2000,
  ...more,
})

t.test(
  'what is published is installed from testing, and from approved when it was promoted',
  async (t) => {
    const { sluice, publish, machine } = await makeBed(t)
    const made = await publish(app('1.0'))
    t.match(made, { published: { name: 'acme-app', version: '1.0', outcome: 'published' } })
    t.match(await sluice.api('POST', '/archives/internal/follow'), {
      generations: [{ channel: 'testing', serial: 2 }],
    })
    const testing = await machine('testing')
    t.same(troubles(await testing.update()), clean)
    t.same(troubles(await testing.install('acme-app')), clean)
    t.same(await testing.installed(), ['acme-app=1.0'])

    const approved = await machine('approved')
    t.same(troubles(await approved.update()), clean)
    t.equal((await approved.policy('acme-app')).candidate, undefined, 'not promoted yet')
    const promoted = await sluice.api('POST', '/promotions', {
      from: 'testing',
      to: 'approved',
      sources: [{ name: 'acme-app' }],
    })
    t.match(promoted, { generation: { serial: 2 } })
    t.same(troubles(await approved.update()), clean)
    t.same(troubles(await approved.install('acme-app')), clean)
  },
)

/** A server with an empty local archive that `testing` follows, `approved` beside it. */
async function makeBed(t: Test): Promise<{
  readonly sluice: TestSluice
  publish(spec: PackageSpec, query?: string): Promise<unknown>
  machine(channel: string): Promise<TestApt>
}> {
  const dir = t.testdir()
  const sluice = await startSluice(join(dir, 'var'))
  t.teardown(() => sluice.close())
  const shape = { suites: ['stable'], components: ['main'], architectures: ['amd64', 'arm64'] }
  await sluice.api('POST', '/archives', { name: 'internal', kind: 'local', ...shape })
  await sluice.api('POST', '/channels', { name: 'testing', follow: ['internal'] })
  await sluice.api('POST', '/channels', { name: 'approved', from: 'testing' })
  return {
    sluice,
    publish: async (spec, query = '') => {
      const file = `${spec.name}_${spec.version.replace(/^\d+:/, '')}_${spec.arch}.deb`
      const path = join(dir, 'built', file)
      await buildDeb(path, spec)
      const url = `${sluice.url}/api/v1/archives/internal/packages/${file}${query}`
      const headers = { Authorization: `Bearer ${sluice.token}` }
      const body = await readFile(path)
      const response = await fetch(url, { method: 'PUT', headers, body })
      return response.json()
    },
    machine: async (channel) => {
      const home = join(dir, channel)
      const apt = await createApt(home, { sources: '' })
      const key = join(home, 'sluice.asc')
      const url = `${sluice.url}/channels/${channel}`
      await apt.run('/usr/lib/apt/apt-helper', ['download-file', `${url}/key.asc`, key])
      await apt.setSources(`deb [signed-by=${key}] ${url}/internal stable main`)
      return apt
    },
  }
}
