/**
 * tools/test-packages, which `npm test` begins with: silent when all is there, plain words for somebody who is not root.
 * What root gets is not tried here: a test installs nothing on the machine.
 */
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type RunResult, run } from '../support/run.ts'

const tools = join(import.meta.dirname, '../../tools')
// Not below the checkout, which another user may be unable to reach.
const dir = await mkdtemp(join(tmpdir(), 'sluice-tools-'))
t.teardown(() => rm(dir, { recursive: true }))
await chmod(dir, 0o755)
await copyFile(join(tools, 'test-packages'), join(dir, 'test-packages'))

t.test('says nothing when every package is installed', async (t) => {
  t.same(await withList('dpkg\nbase-files\n'), { code: 0, stdout: '', stderr: '' })
})

t.test('names what is missing, and how to get it', async (t) => {
  t.match(await withList('dpkg\nsluice-no-such-b\nsluice-no-such-a\n'), {
    code: 1,
    stdout: '',
    stderr: new RegExp(
      '^sluice: error: .* are missing: sluice-no-such-a sluice-no-such-b\n' +
        'sluice: hint: .* apt-get install .* sluice-no-such-a sluice-no-such-b\n$',
    ),
  })
})

/** Runs it with this list, as somebody who is not root. */
async function withList(list: string): Promise<RunResult> {
  await writeFile(join(dir, 'debian-packages'), list)
  const script = ['sh', join(dir, 'test-packages')]
  const isRoot = process.getuid?.() === 0
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups']
  return isRoot ? run('setpriv', [...nobody, ...script]) : run('sh', script.slice(1))
}
