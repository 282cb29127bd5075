/**
 * `sluice revoke`, as administrators see it.
 */
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { runSluice } from '../support/program.ts'
import { makeWorld } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })

t.test('a version is revoked, listed and taken back, by commands', async (t) => {
  const { sluice, publish } = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const run = (...args: string[]): ReturnType<typeof runSluice> =>
    runSluice(['--data', sluice.dataDir, ...args])
  await publish([pack('hello', '2'), pack('other', '1')])
  await sluice.api('POST', '/archives/refresh')
  t.match(await run('promote', 'hello'), { code: 0 })
  t.match(await run('revoke', 'hello=2'), { code: 2, stderr: /which version, and why\?/ })
  t.match(await run('revoke', 'hello', '--reason', 'x'), { code: 2, stderr: /not NAME=VERSION/ })
  t.equal((await run('revoke', '--list')).stdout, 'nothing is revoked\n')

  const revoked = await run('revoke', 'hello=2', '--reason', 'it eats disks')
  t.match(revoked, { code: 0, stderr: '' })
  t.match(
    revoked.stdout,
    /^hello 2 is out of 2 channels, and its 1 file answers? 410: \d+\.\d\d s$/m,
  )
  t.match(revoked.stdout, /^testing generation 3: without hello 2$/m)
  t.match(revoked.stdout, /^ {2}it has no hello now: machines that have it keep it/m)
  t.match(
    revoked.stdout,
    /^ {2}generation 1 had 1: sluice promote hello --from approved@1 --to approved$/m,
  )
  t.match(revoked.stdout, /^if that was a mistake: sluice revoke --undo hello=2 --reason TEXT$/m)
  t.match((await run('revoke', '--list')).stdout, /^hello +2 +.* admin +1 +it eats disks$/m)
  t.match(JSON.parse((await run('--json', 'revoke', '--list')).stdout), [{ name: 'hello' }])

  // What it says can be done.
  const back = await run('promote', 'hello', '--from', 'approved@1', '--to', 'approved')
  t.match(back, { code: 0 })
  const again = await run('promote', 'hello', '--from', 'approved@2', '--to', 'approved', '--force')
  t.match(again, { code: 5, stderr: /hello 2 was revoked: it eats disks/ })
  const all = await run('promote', '--all', '--from', 'approved@2', '--to', 'approved')
  t.match(all.stdout, /^left out: 1 source that no channel offers any more .*: hello$/m)
  t.match(all.stdout, /^ {2}hello: hello 2 was revoked: it eats disks$/m)

  const undone = await run('revoke', '--undo', 'hello=2', '--reason', 'it was another')
  t.match(undone, { code: 0, stdout: /^hello 2 is not revoked any more$/m })
  t.match(undone.stdout, /^testing generation 4 has it again$/m)
  t.match(await run('revoke', '--undo', 'hello=2', '--reason', 'x'), { code: 4 })
  const early = await run('revoke', 'nothing=7', '--reason', 'a rumour')
  t.match(early.stdout, /^nothing 7 is revoked: it is refused if it comes$/m)
  t.match(early.stdout, /^warning: no channel and no archive has it now/m)
})
