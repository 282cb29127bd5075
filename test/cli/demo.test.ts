/** `npm run demo`: the story is played to its end, and what cannot be played is told. */
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'

const demo = join(import.meta.dirname, '../../tools/demo.ts')

t.test('the story goes as told, and leaves nothing behind', async (t) => {
  // Short, because gpg-agent's socket lies in it.
  const dir = await mkdtemp('/tmp/demo-')
  t.teardown(() => rm(dir, { recursive: true }))
  const { code, stdout, stderr } = await run(process.execPath, [demo], { env: { TMPDIR: dir } })
  t.equal(code, 0, stdout + stderr)
  t.match(stdout, /^machine .* -> hello 2\.10-3$/m)
  t.match(stdout, /^machine .* -> candidate 2\.10-3: not approved yet$/m)
  t.match(stdout, /^machine .* -> hello 2\.12-1$/m)
  t.match(stdout, /^machine .* -> candidate 2\.12-1 \(installed\), 2\.10-3 offered$/m)
  t.match(stdout, /^sluice: error: demo stable: InRelease is signed by /m)
  t.match(stdout.trimEnd().split('\n').at(-1), /^demo: \d+ steps, each seen as told/)
  t.equal(stderr, '')
  t.same(await readdir(dir), [])
})

t.test('it names the Debian packages that it lacks', async (t) => {
  const bin = join(testDir(t), 'bin')
  await mkdir(bin)
  for (const program of ['dpkg', 'dpkg-deb', 'apt-get']) {
    await symlink(`/usr/bin/${program}`, join(bin, program))
  }
  const { code, stdout } = await run(process.execPath, [demo], { env: { PATH: bin } })
  t.equal(code, 1)
  t.match(stdout, 'demo: hint: apt-get install apt-utils gpg')
})
