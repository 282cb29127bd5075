/**
 * `sluice policy` and `sluice explain`, as administrators see them.
 */
import t from 'tap'
import { runSluice } from '../support/program.ts'
import { makeWorld } from '../support/world.ts'

t.test('policies are made, tried, run and asked about by commands', async (t) => {
  const world = await makeWorld(t, [
    { name: 'hello', version: '1', arch: 'amd64' },
    { name: 'linux', version: '1', arch: 'amd64' },
    { name: 'slow', version: '1', arch: 'amd64' },
  ])
  const { sluice, publish } = world
  const run = (...args: string[]): ReturnType<typeof runSluice> =>
    runSluice(['--data', sluice.dataDir, ...args])
  const made = await run(
    ...['policy', 'create', 'night', '--reason', 'as agreed'],
    ...['--rule', 'linux* never', '--rule', 'slow after 7d', 'after 0 days'],
    ...['--freeze', '2020-12-20 to 2020-12-31 except security: holidays'],
  )
  t.match(made, { code: 0, stderr: '' })
  t.match(made.stdout, /^promotes +testing -> approved$/m)
  t.match(made.stdout, /^rules +linux\* never\n +slow after 7 days\n +after 0 days$/m)
  t.match(made.stdout, /^schedule +0 6 \* \* \* \(UTC\)$/m)
  await publish([
    { name: 'hello', version: '2', arch: 'amd64' },
    { name: 'linux', version: '2', arch: 'amd64' },
    { name: 'slow', version: '2', arch: 'amd64' },
  ])
  await sluice.api('POST', '/archives/refresh')

  const tried = await run('policy', 'run', 'night', '--dry-run')
  t.match(tried.stdout, /^1 source would go, 2 would stay$/m)
  t.match(tried.stdout, /^hello +1 +2 +nut stable +goes: after 0 days$/m)
  t.match(tried.stdout, /^linux +1 +2 +nut stable +rule linux\* never$/m)
  const ran = await run('policy', 'run', 'night', '--reason', 'urgent')
  t.match(ran, { code: 0 })
  t.match(ran.stdout, /^1 source went, generation 2; 2 stayed$/m)
  t.match((await run('policy', 'list')).stdout, /^night +testing +approved .* 1 went, 2 stayed/m)
  t.match((await run('policy', 'history', 'night')).stdout, / 1 +2 +2 +hello 2$/m)
  t.match((await run('policy', 'show', 'night')).stdout, /^last +.*, 1 went, 2 stayed$/m)

  const why = (await run('explain', 'slow')).stdout
  t.match(why, /^slow, testing -> approved$/m)
  t.match(why, /too young, only 0 of 7 days old \(rule: slow after 7 days\); it would go 20/)
  t.match(why, /sluice promote slow --from testing --to approved/)
  t.match((await run('explain', 'linux')).stdout, /policy night: rule linux\* never$/m)
  const gone = (await run('explain', 'hello')).stdout
  t.match(gone, /nothing waits/)
  t.match(gone, /by policy night, generation 2: hello 1 -> 2 \(nut stable\)$/m)

  const unknown = await run('explain', 'helo')
  t.match(unknown, {
    code: 4,
    stderr: /no archive has a source package helo\n.*sluice search helo$/m,
  })

  const off = await run('policy', 'set', 'night', '--disable', '--freeze', '')
  t.match(off.stdout, /^next +switched off$/m)
  t.notMatch(off.stdout, /^freezes/m)
  const wrong = await run('policy', 'set', 'night', '--rule', 'soon')
  t.match(wrong, { code: 2, stderr: /the rule "soon": it says neither "after" nor "never"/ })
  t.match(await run('policy', 'delete', 'night'), { code: 0 })
  t.match(await run('policy', 'show', 'night'), { code: 4, stderr: /there is no policy night/ })
  t.match((await run('explain', 'slow')).stdout, /no policy promotes from testing to approved/)
})
