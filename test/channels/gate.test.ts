/**
 * The gate: a promotion does not make uninstallable what was installable, in any suite and architecture of the channel.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { makeWorld, type World } from '../support/world.ts'

type More = Partial<PackageSpec>
const pack = (name: string, version: string, depends?: string, more: More = {}): PackageSpec => ({
  name,
  version,
  arch: 'amd64',
  ...(depends === undefined ? {} : { depends }),
  ...more,
})
const toApproved = { from: 'testing', to: 'approved' }
const named = (...names: readonly string[]): object => ({
  ...toApproved,
  sources: names.map((name) => ({ name })),
})

/** A world where `testing` went on to the second list. */
async function moved(
  t: Test,
  before: readonly PackageSpec[],
  after: readonly PackageSpec[],
): Promise<World> {
  const world = await makeWorld(t, before)
  await world.publish(after)
  await world.sluice.api('POST', '/archives/refresh')
  return world
}

t.test('a library does not go without who needs just the old one', async (t) => {
  const user = pack('user', '1', 'app')
  const { sluice } = await moved(
    t,
    [pack('lib', '1'), pack('app', '1', 'lib (= 1)'), user, pack('other', '1')],
    [pack('lib', '2'), pack('app', '2', 'lib (= 2)'), user, pack('other', '2')],
  )
  const { api } = sluice
  const refused = await api('POST', '/promotions', named('lib'))
  t.match(refused.error, {
    code: 'ERR_GATE',
    message: 'approved would break: app 1 (amd64) depends on lib (= 1), and 1 more break with it',
    hint: 'promote app with it: --with-deps; or all the same: --force',
    details: {
      broken: [{ package: 'app', relation: 'lib (= 1)', count: 2 }],
      with: [{ source: 'app' }],
      leftOut: [{ source: 'lib', reason: 'uninstallable' }],
    },
  })
  t.strictSame(refused.error.details.broken[0].breaks, ['app', 'user'])
  const dry = await api('POST', '/promotions', { ...named('lib'), dryRun: true })
  t.match(dry, { changes: [{ source: 'lib' }], refusal: { message: refused.error.message } })
  const app = await api('POST', '/promotions', named('app'))
  t.match(app.error, { code: 'ERR_GATE', message: /app 2 \(amd64\) depends on lib \(= 2\)/ })
  const both = await api('POST', '/promotions', named('app', 'lib'))
  t.match(both, { generation: { serial: 2 }, broken: undefined })
})

/** Whether real apt on a machine of the channel installs these. */
async function installs(
  world: World,
  channel: string,
  ...packages: readonly string[]
): Promise<boolean> {
  const apt = await world.machine(`machine-${channel}`, channel)
  await apt.update()
  return (await apt.install(...packages)).code === 0
}

t.test('what it needs comes with it, and nothing besides; its plan is what happens', async (t) => {
  // lib needs app and data; app could do with more, but has another; the rest has nothing to do with it.
  const world = await moved(
    t,
    [
      pack('lib', '1'),
      pack('app', '1', 'lib (= 1)'),
      pack('tool', '1', 'app (<< 2)'),
      pack('other', '1'),
      pack('helper', '1'),
    ],
    [
      pack('lib', '2', 'data (>= 2) | helper (>= 3)'),
      pack('app', '2', 'lib (>= 2), helper'),
      pack('tool', '2', 'app (>= 2)'),
      pack('data', '2'),
      pack('other', '2'),
      pack('helper', '2'),
    ],
  )
  const { api } = world.sluice
  const wanted = { ...named('lib'), withDeps: true }
  const dry = await api('POST', '/promotions', { ...wanted, dryRun: true })
  const sources = (some: { source: string }[]): string[] => some.map(({ source }) => source).sort()
  t.same(sources(dry.companions), ['app', 'data', 'tool'])
  t.same(sources(dry.changes), ['app', 'data', 'lib', 'tool'])
  t.equal(dry.refusal, undefined)
  for (const spared of ['app', 'data', 'tool']) {
    const rest = ['app', 'data', 'tool', 'lib'].filter((name) => name !== spared)
    const answer = await api('POST', '/promotions', { ...named(...rest), dryRun: true })
    t.match(answer.refusal, { message: /would break/ }, `not without ${spared}`)
  }
  const made = await api('POST', '/promotions', { ...wanted, plan: dry.digest })
  t.match(made, { generation: { serial: 2 }, digest: dry.digest })
  t.same(sources((await api('GET', '/pending')).pending), ['helper', 'other'])
  t.ok(await installs(world, 'approved', 'lib=2', 'app=2', 'tool=2'), 'apt installs them')
})

t.test('by force it goes, and the audit tells what broke', async (t) => {
  const world = await moved(
    t,
    [pack('lib', '1'), pack('app', '1', 'lib (= 1)')],
    [pack('lib', '2'), pack('app', '1', 'lib (= 1)')],
  )
  const { api } = world.sluice
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  const web = { ...named('lib'), to: 'web' }
  t.match((await api('POST', '/promotions', web)).error, {
    code: 'ERR_GATE',
    message: 'web would break: app 1 (amd64) depends on lib (= 1)',
  })
  const refused = await api('POST', '/promotions', named('lib'))
  t.match(refused.error, { hint: /^--with-deps looks for more .*--force$/ })
  const more = await api('POST', '/promotions', { ...named('lib'), withDeps: true })
  t.match(more.error, { hint: /^nothing was found that testing has and that mends it/ })
  const forced = await api('POST', '/promotions', { ...named('lib'), force: true })
  t.match(forced, { generation: { serial: 2 }, broken: [{ package: 'app', count: 1 }] })
  t.match(await api('GET', '/audit?what=promote&limit=1'), [
    { what: 'promote', detail: { broken: ['app 1 (amd64) depends on lib (= 1)'], breaks: 1 } },
  ])
  t.notOk(await installs(world, 'approved', 'app'), 'apt does not install it')
  t.ok(await installs(world, 'approved@1', 'app'), 'as it did before')
  // It is broken now: that is no reason to keep others back.
  t.match(await api('POST', '/promotions', { ...toApproved, all: true }), { changes: [] })
})

t.test('what a rule chooses stays if it would break something, and the rest goes', async (t) => {
  const { sluice } = await moved(
    t,
    [pack('lib', '1'), pack('app', '1', 'lib (= 1)'), pack('other', '1'), pack('sad', '1')],
    [
      pack('lib', '2'),
      pack('app', '1', 'lib (= 1)'),
      pack('other', '2'),
      pack('sad', '2', 'nowhere'),
      pack('new', '1', 'nowhere'),
    ],
  )
  const { api } = sluice
  const all = await api('POST', '/promotions', { ...toApproved, all: true })
  t.match(all, {
    changes: [{ source: 'new' }, { source: 'other' }],
    leftOut: [
      { source: 'lib', reason: 'uninstallable', words: 'app 1 (amd64) depends on lib (= 1)' },
      { source: 'sad', reason: 'uninstallable', words: 'sad 2 (amd64) depends on nowhere' },
    ],
  })
})

t.test('what others need is not taken out', async (t) => {
  const { sluice } = await moved(
    t,
    [pack('lib', '1'), pack('app', '1', 'lib'), pack('plug', '1', 'app')],
    [pack('app', '2'), pack('plug', '1', 'app')],
  )
  const { api } = sluice
  const out = { ...named('lib'), removals: true }
  const refused = await api('POST', '/promotions', out)
  t.match(refused.error, {
    code: 'ERR_GATE',
    message: /^approved would break: app 1 \(amd64\) depends on lib, and 1 more/,
    hint: /^promote app with it/,
  })
  t.match(await api('POST', '/promotions', { ...out, withDeps: true }), {
    changes: [
      { source: 'app', new: ['2'] },
      { source: 'lib', new: [] },
    ],
  })
})

t.test('suites and architectures are looked at side by side', async (t) => {
  const arches = ['amd64', 'arm64'] as const
  const each = (name: string, version: string, depends?: string): PackageSpec[] =>
    arches.map((arch) => pack(name, version, depends, { arch }))
  const data = (version: string): PackageSpec => pack('data', version, undefined, { arch: 'all' })
  const settings = { suites: ['stable', 'stable-security'], architectures: arches }
  const publish = async (
    world: World,
    main: readonly PackageSpec[],
    security: readonly PackageSpec[],
  ): Promise<void> => {
    const names = { origin: 'Nut', components: ['main'], architectures: arches }
    const suites = [
      { suite: 'stable', codename: 'nut', packages: main, ...names },
      { suite: 'stable-security', codename: 'nut-security', packages: security, ...names },
    ]
    await makeArchive(join(world.dir, 'archive'), { key: world.key, suites })
  }
  const world = await makeWorld(t, [], { settings: { suites: ['stable'] } })
  const { api } = world.sluice
  const oldApp = each('app', '1', 'lib (<< 2), data')
  await publish(world, [...each('lib', '1'), ...oldApp, data('1')], [])
  await api('PATCH', '/archives/nut', settings)
  await api('POST', '/archives/refresh')
  await api('POST', '/promotions', { ...toApproved, all: true })
  // The security update needs a library of the main suite; on one architecture it is in conflict besides.
  const newApp = arches.map((arch) =>
    pack('app', '1.1', 'lib (>= 2), data', {
      arch,
      ...(arch === 'arm64' ? { fields: { Conflicts: 'data (>= 2)' } } : {}),
    }),
  )
  await publish(world, [...each('lib', '2'), ...oldApp, data('2')], newApp)
  await api('POST', '/archives/refresh')
  // The old app of the main suite is there beside it: nobody loses anything.
  const security = { ...toApproved, security: true, dryRun: true }
  t.match(await api('POST', '/promotions', security), { changes: [{ source: 'app' }] })
  const lib = { ...named('lib'), dryRun: true }
  const refused = await api('POST', '/promotions', lib)
  t.match(refused, {
    refusal: { message: /app 1 \(amd64\) depends on lib \(<< 2\)/ },
    broken: [{ architecture: 'amd64' }, { architecture: 'arm64' }],
  })
  t.match(await api('POST', '/promotions', { ...lib, withDeps: true }), {
    companions: [{ source: 'app', suite: 'stable-security' }],
    refusal: undefined,
  })
  const three = { ...named('app', 'lib', 'data'), dryRun: true }
  t.match((await api('POST', '/promotions', three)).broken, [
    { architecture: 'arm64', package: 'app', words: /needs .*app 1\.1.* excludes data \(>= 2\)/ },
  ])
})
