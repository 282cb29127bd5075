/**
 * Packages of one's own: a local archive, what is published to it over HTTP, and a real apt that installs it from the channels.
 */
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeLocalBed } from '../support/local-bed.ts'
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
    const { sluice, publish, machine, settle } = await makeLocalBed(t)
    const made = await publish(app('1.0'))
    t.match(made, { published: { name: 'acme-app', version: '1.0', outcome: 'published' } })
    t.same(await settle(), [{ channel: 'testing', serial: 2 }])
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
