/**
 * Policies before the gate: what would break something stays and says what, the rest goes; what goes together goes at once.
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

t.test('a policy leaves out what would break something, and says so', async (t) => {
  const stays = pack('stays', '1', 'picky (= 1)')
  const { sluice, publish } = await makeWorld(t, [
    pack('picky', '1'),
    stays,
    pack('lib', '1'),
    pack('app', '1', 'lib (= 1)'),
    pack('other', '1'),
  ])
  const { api } = sluice
  await publish([
    pack('picky', '2'),
    stays,
    pack('lib', '2'),
    pack('app', '2', 'lib (= 2)'),
    pack('other', '2', 'picky (= 2)'),
  ])
  await api('POST', '/archives/refresh')
  const policy = { from: 'testing', to: 'approved', schedule: '0 6 * * *', rules: ['after 0 days'] }
  await api('POST', '/policies', { name: 'all', ...policy })
  const tried = await api('POST', '/policies/all/run', { dryRun: true })
  t.match(tried.verdicts, [
    { source: 'app', goes: true },
    { source: 'lib', goes: true },
    { source: 'other', goes: false, words: /^uninstallable: other 2/ },
    { source: 'picky', goes: false, words: /^uninstallable: stays 1/ },
  ])
  await api('POST', '/policies/all/run', {})
  const [run] = await api('GET', '/policies/all/runs?limit=1')
  const sources = (some: { source: string }[]): string[] => some.map(({ source }) => source).sort()
  t.same(sources(run.went), ['app', 'lib'], 'they need each other')
  t.same(sources(run.stayed), ['other', 'picky'])
  const words = (source: string): string =>
    run.stayed.find((one: { source: string }) => one.source === source)?.words
  t.match(words('picky'), 'uninstallable: stays 1 (amd64) depends on picky (= 1)')
  t.match(words('other'), 'uninstallable: other 2 (amd64) depends on picky (= 2)')
  t.equal(run.problem, undefined)
  t.match(await api('GET', '/channels/approved'), { head: 2 })
  const [told] = await api('GET', '/explain?source=picky')
  t.match(told.waiting, [
    { source: 'picky', refusal: { message: /stays 1 \(amd64\) depends on picky \(= 1\)/ } },
  ])
})
