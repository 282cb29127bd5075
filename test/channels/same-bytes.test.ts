/**
 * One content, one file: what a channel publishes depends on the packages in it, and not on how they came there.
 */
import t from 'tap'
import type { SuiteSpec } from '../../fixtures/archive-spec.ts'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { oddFixtureWithSources } from '../../fixtures/odd-fixture.ts'
import { bodyOf, listedFiles, makeOddWorld } from '../support/odd-world.ts'
import type { TestSluice } from '../support/sluice.ts'

/** The fixture as it may have been some weeks before: other versions, packages that came and went. */
function earlier(): SuiteSpec[] {
  return oddFixtureWithSources().suites.map((suite) => ({
    ...suite,
    sources: [
      ...(suite.sources ?? []).filter(
        ({ name }) => !['hello', 'many', 'extra-tool'].includes(name),
      ),
      ...oldSources,
    ],
    packages: [
      ...suite.packages.filter(
        ({ name }) => !['unicode', '0ad', 'hello', 'extra-tool'].includes(name),
      ),
      ...many(suite.suite),
    ],
  }))
}

const oldSources = [
  { name: 'hello', version: '0.1' },
  { name: 'many', version: '1.10-1' },
  { name: 'zzz-gone', version: '0.1', component: 'extra' },
]

function many(suite: string): PackageSpec[] {
  const old = { version: '0.1', arch: 'amd64' }
  return [
    { ...old, name: 'hello' },
    { ...old, name: 'gone', source: 'hello' },
    { ...old, name: 'zzz-gone', component: 'extra' },
    ...(suite === 'stable' ? [{ ...old, name: 'many', version: '1.8-1' }] : []),
  ]
}

t.test('indexes of the same content are the same bytes, whatever the history', async (t) => {
  const world = await makeOddWorld(t, { translations: true, suites: earlier() }, { sources: true })
  const late = await world.follow('late')
  const before = await indexes(late, 'approved')
  await world.publish(oddFixtureWithSources().suites)
  const fresh = await world.follow('fresh')
  const other = await world.follow('other')
  const wanted = await indexes(fresh, 'testing')
  t.same(await indexes(other, 'testing'), wanted, 'two servers, one archive')

  await late.api('POST', '/archives/refresh')
  t.same(await indexes(late, 'testing'), wanted, 'an older state, refreshed')
  t.same(await indexes(late, 'approved'), before)
  t.not(
    before.get('stable main/binary-amd64/Packages'),
    wanted.get('stable main/binary-amd64/Packages'),
  )

  const { pending } = await late.api('GET', '/pending')
  const sources: string[] = [
    ...new Set<string>(pending.map((one: { source: string }) => one.source)),
  ]
  t.same(sources.sort(), ['0ad', 'extra-tool', 'hello', 'many', 'unicode', 'zzz-gone'])
  for (const name of sources.reverse()) {
    const body = { from: 'testing', to: 'approved', sources: [{ name }], removals: true }
    t.match(await late.api('POST', '/promotions', body), { generation: { serial: Number } }, name)
  }
  t.same(await indexes(late, 'approved'), wanted, 'promoted source by source')
  t.same((await late.api('GET', '/pending')).pending, [])

  await late.api('POST', '/channels/approved/rollback', { to: 1 })
  t.same(await indexes(late, 'approved'), before, 'and back')
  await late.api('POST', '/promotions', {
    from: 'testing',
    to: 'approved',
    all: true,
    removals: true,
  })
  t.same(await indexes(late, 'approved'), wanted, 'promoted at once')
})

t.test('a package that came and went leaves no trace', async (t) => {
  const world = await makeOddWorld(t, oddFixtureWithSources(), { sources: true })
  const sluice = await world.follow('var')
  const before = await indexes(sluice, 'testing')
  await world.publish(earlier())
  await sluice.api('POST', '/archives/refresh')
  t.notSame(await indexes(sluice, 'testing'), before)
  await world.publish(world.suites)
  await sluice.api('POST', '/archives/refresh')
  t.same(await indexes(sluice, 'testing'), before)
})

/** Digest of every index that a channel's Release files list, by suite and path; what is served is what they say. */
async function indexes(sluice: TestSluice, channel: string): Promise<Map<string, string>> {
  const all = new Map<string, string>()
  for (const suite of ['stable', 'testing']) {
    const release = await bodyOf(`${sluice.url}/channels/${channel}/odd/dists/${suite}/Release`)
    for (const [path, { sha256 }] of listedFiles(release.toString()))
      if (!path.includes('.diff/')) all.set(`${suite} ${path}`, sha256)
  }
  // Of each suite and component: two architectures, sources and descriptions, each in two forms.
  if (all.size !== 32) throw new Error(`not all indexes are listed: ${[...all.keys()].join(' ')}`)
  return all
}
