/**
 * Which suites the gate takes together: those of one release, whoever's; not other releases, and not what comes on demand.
 */
import t from 'tap'
import { type GateSuites, makeGateWorld } from '../support/gate-world.ts'

const dpkg = 'dpkg 1; Essential: yes'
const toApproved = { from: 'testing', to: 'approved', dryRun: true }
const of = (
  archive: string,
  suite: string,
  packages: readonly string[],
  more = {},
): GateSuites => ({
  [`${archive}/${suite}`]: { packages, ...more },
})

t.test(
  'what belongs to a release is there for its other suites, and for no other release',
  async (t) => {
    const rest = (suite: string): string[] => [dpkg, `base 1; Depends: dpkg; Source: base-${suite}`]
    const before = {
      ...of('nut', 'old', [...rest('old'), 'lib 1'], { codename: 'acorn' }),
      ...of('nut', 'new', [...rest('new'), 'lib 2'], { codename: 'beech' }),
      ...of('nut', 'new-security', [], { codename: 'beech-security' }),
      ...of('tools', 'anywhere', ['tool 1; Depends: lib']),
    }
    const { sluice, publish } = await makeGateWorld(t, before)
    const promotion = async (source: string): Promise<object> => {
      const { error, refusal, changes } = await sluice.api('POST', '/promotions', {
        ...toApproved,
        sources: [{ name: source }],
      })
      return { message: error?.message ?? refusal?.message, count: changes?.length }
    }
    await publish({
      ...before,
      ...of('nut', 'old', [...rest('old'), 'lib 1'], { codename: 'acorn' }),
      ...of('nut', 'new-security', ['fix 1; Depends: lib (>= 2)', 'bad 1; Depends: lib (<< 2)'], {
        codename: 'beech-security',
      }),
      ...of('tools', 'anywhere', ['tool 2; Depends: lib (>= 2)', 'other 1; Depends: lib']),
    })
    t.match(await promotion('fix'), { message: undefined, count: 1 }, 'needs what main has')
    t.match(
      await promotion('bad'),
      { message: undefined, count: 1 },
      'could not be installed in testing either: the older release is no help',
    )
    t.match(await promotion('other'), { message: undefined }, 'fits both releases')
    const { message } = (await promotion('tool')) as { message: string }
    t.match(message, /tool 2 \(a(md|rm)64\) depends on lib \(>= 2\)/, 'must fit each release')
  },
)

t.test('what comes on demand only helps nobody but itself', async (t) => {
  const before = {
    ...of('nut', 'stable', [dpkg, 'lib 1', 'app 1; Depends: lib (= 1)'], { codename: 'nut' }),
    ...of('nut', 'nut-backports', [], { codename: 'nut-backports', notAutomatic: true }),
  }
  const { sluice, publish } = await makeGateWorld(t, before)
  await publish({
    ...of('nut', 'stable', [dpkg, 'lib 2', 'app 2; Depends: lib (= 2)'], { codename: 'nut' }),
    ...of('nut', 'nut-backports', ['lib 1', 'extra 1; Depends: lib (= 1)'], {
      codename: 'nut-backports',
      notAutomatic: true,
    }),
  })
  const { api } = sluice
  const backport = { name: 'lib' }
  const answer = await api('POST', '/promotions', { ...toApproved, sources: [backport] })
  t.match(answer.refusal, { message: /app 1 \(a(md|rm)64\) depends on lib \(= 1\)/ })
  t.match(await api('POST', '/promotions', { ...toApproved, sources: [{ name: 'extra' }] }), {
    refusal: undefined,
  })
})
