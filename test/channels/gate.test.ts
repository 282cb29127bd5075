/**
 * The gate: a promotion does not make uninstallable what was installable, in any suite and architecture of the channel.
 */
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeWorld } from '../support/world.ts'

const pack = (name: string, version: string, depends?: string): PackageSpec => ({
  name,
  version,
  arch: 'amd64',
  ...(depends === undefined ? {} : { depends }),
})
const toApproved = { from: 'testing', to: 'approved' }

t.test('a library does not go without who needs just the old one', async (t) => {
  const { sluice, publish } = await makeWorld(t, [
    pack('lib', '1'),
    pack('app', '1', 'lib (= 1)'),
    pack('user', '1', 'app'),
    pack('other', '1'),
  ])
  const { api } = sluice
  await publish([
    pack('lib', '2'),
    pack('app', '2', 'lib (= 2)'),
    pack('user', '1', 'app'),
    pack('other', '2'),
  ])
  await api('POST', '/archives/refresh')
  const lib = { ...toApproved, sources: [{ name: 'lib' }] }
  const refused = await api('POST', '/promotions', lib)
  t.match(refused.error, {
    code: 'ERR_GATE',
    message: 'approved would break: app 1 (amd64) depends on lib (= 1), and 1 more break with it',
    details: {
      broken: [{ package: 'app', relation: 'lib (= 1)', breaks: ['app', 'user'], count: 2 }],
      leftOut: [{ source: 'lib', reason: 'uninstallable' }],
    },
  })
  const dry = await api('POST', '/promotions', { ...lib, dryRun: true })
  t.match(dry, { changes: [{ source: 'lib' }], refusal: { message: refused.error.message } })
  const app = await api('POST', '/promotions', { ...toApproved, sources: [{ name: 'app' }] })
  t.match(app.error, { code: 'ERR_GATE', message: /app 2 \(amd64\) depends on lib \(= 2\)/ })
  const both = { ...toApproved, sources: [{ name: 'app' }, { name: 'lib' }] }
  t.match(await api('POST', '/promotions', both), { generation: { serial: 2 }, broken: undefined })
})
