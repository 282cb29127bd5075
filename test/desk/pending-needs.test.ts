/**
 * What must come along is told of each source that waits, as the gate finds it, and the promotion of just that goes.
 */
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { runSluice } from '../support/program.ts'
import { makeWorld } from '../support/world.ts'

/** `app` needs the library of `foo` in its very version; `other` needs nobody; `sad` needs what nobody has. */
function packages(version: string): PackageSpec[] {
  const one = { version, arch: 'amd64' }
  return [
    { ...one, name: 'app', depends: `libfoo (= ${version})` },
    { ...one, name: 'libfoo', source: 'foo' },
    { ...one, name: 'other' },
  ]
}

t.test('a source that cannot go alone says with what it can, and why', async (t) => {
  const { sluice, publish } = await makeWorld(t, packages('1'))
  await publish(packages('2'))
  await sluice.api('POST', '/archives/refresh')
  const pending = (...args: string[]): ReturnType<typeof runSluice> =>
    runSluice(['--data', sluice.dataDir, 'pending', ...args])
  const { stdout } = await pending('--needs')
  t.match(stdout, /^SOURCE .* NEEDS$/m)
  t.match(stdout, /^app .* foo$/m)
  t.match(stdout, /^foo .* app$/m)
  t.match(stdout, /^other .* B$/m)
  const json = JSON.parse((await pending('app', 'other', '--json')).stdout)
  t.match(json.pending, [
    {
      source: 'app',
      needs: {
        with: [{ source: 'foo', old: ['1'], new: ['2'] }],
        words: /app 2 \(amd64\) depends on libfoo \(= 2\)/,
        isEnough: true,
      },
    },
    { source: 'other', needs: { with: [], isEnough: true } },
  ])
  const { stdout: block } = await pending('app', '--details')
  t.match(block, /^ {2}needs +foo 1 -> 2$/m)
  t.match(block, /^ {2}alone +would break: app 2 \(amd64\) depends on libfoo \(= 2\)/m)

  const sources = [{ name: 'app' }, { name: 'foo' }]
  const promotion = { from: 'testing', to: 'approved', sources }
  t.match(await sluice.api('POST', '/promotions', promotion), { generation: { serial: 2 } })
  const after = JSON.parse((await pending('--needs', '--json')).stdout)
  t.match(after.pending, [{ source: 'other', needs: { with: [] } }])
})

t.test('what is held is no help', async (t) => {
  const { sluice, publish } = await makeWorld(t, packages('1'))
  await publish(packages('2'))
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/holds', { channel: 'approved', source: 'foo', reason: 'not yet' })
  const { stdout } = await runSluice(['--data', sluice.dataDir, 'pending', '--needs'])
  t.match(stdout, /^app .* would break others$/m)
  t.match(stdout, /^foo .* held +\?$/m)
})
