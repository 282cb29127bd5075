/**
 * `sluice hold`, `sluice decline` and `sluice channel set --keep-phasing`, as administrators see them.
 */
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { runSluice } from '../support/program.ts'
import { makeWorld } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })

t.test('sources are held for a while and versions declined for good, by commands', async (t) => {
  const { sluice, publish } = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const run = (...args: string[]): ReturnType<typeof runSluice> =>
    runSluice(['--data', sluice.dataDir, ...args])
  const hold = (...args: string[]) => run('hold', 'other', '--channel', 'approved', ...args)
  const held = await hold('--until', '3d', '--reason', 'the fair')
  t.match(held, { code: 0, stderr: '' })
  t.match(held.stdout, /^approved keeps other 1 in nut stable$/m)
  t.match(held.stdout, /^until \d{4}-\d\d-\d\d \d\d:\d\d, or: sluice unhold other --channel appr/m)
  t.match((await hold('--until', '2099-12-31')).stdout, /^until 2100-01-01 00:00, or/m)
  t.match(await hold('--until', 'soon'), { code: 2, stderr: /--until wants a time, not "soon"/ })
  t.match(await hold('--until', '2020-01-01'), { code: 2, stderr: /would be over already/ })

  await publish([pack('hello', '2'), pack('other', '2')])
  await sluice.api('POST', '/archives/refresh')
  const decline = ['decline', 'hello=2', '--channel', 'approved'] as const
  const declined = await run(...decline, '--reason', 'breaks our shop')
  t.match(declined, { code: 0, stderr: '' })
  t.match(declined.stdout, /^approved never takes hello 2; newer versions go as usual$/m)
  t.match(declined.stdout, /^until: sluice undecline hello=2 --channel approved$/m)
  const unknown = await run('decline', 'hello=77', '--channel', 'approved')
  t.match(unknown.stdout, /^warning: no archive has hello 77 now: sluice search hello$/m)
  t.match(await run('undecline', 'hello=77', '--channel', 'approved'), { code: 0 })
  t.match((await run('decline', '--list')).stdout, /^approved +hello +2 +.* breaks our shop$/m)
  const list = (await run('hold', '--list')).stdout
  t.match(list, /^approved +other +1 +nut stable +\S+ \S+ +2100-01-01 00:00 +admin *$/m)
  t.match(list, /^declined \(sluice decline --list\): hello 2 in approved$/m)
  t.match(JSON.parse((await run('--json', 'decline', '--list')).stdout), [{ version: '2' }])
  t.match(JSON.parse((await run('--json', 'hold', '--list')).stdout), [{ source: 'other' }])

  t.match(await run('promote', 'hello'), { code: 5, stderr: /approved declined hello 2/ })
  const all = await run('promote', '--all')
  t.match(
    all.stdout,
    /^left out: 1 source that approved declined \(sluice decline --list.*: hello$/m,
  )
  t.match((await run('pending')).stdout, /^hello .* declined\b/m)
  t.match(await run('decline', 'hello', '--channel', 'approved'), { code: 2 })
  await sluice.api('POST', '/channels', { name: 'web', base: 'testing' })
  const there = (await run('decline', 'hello=2', '--channel', 'web')).stdout
  t.match(there, /^warning: web has it already, in nut stable: there it stays$/m)
  t.match(
    there,
    /^to have what was there before: sluice promote hello --from web@SERIAL --to web$/m,
  )
  const freed = await run('undecline', 'hello=2', '--channel', 'approved', '--reason', 'mended')
  t.match(freed.stdout, /^hello 2 is not declined in approved any more$/m)

  const kept = await run('channel', 'set', 'approved', '--keep-phasing')
  t.match(kept.stdout, /^promotions to it keep Phased-Update-Percentage$/m)
  t.match(
    (await run('channel', 'show', 'approved')).stdout,
    /^phasing +of what is promoted stays$/m,
  )
  const off = await run('channel', 'set', 'approved', '--no-keep-phasing')
  t.match(off.stdout, /^promotions to it take off Phased-Update-Percentage$/m)
  t.notMatch((await run('channel', 'show', 'approved')).stdout, /^phasing/m)
})
