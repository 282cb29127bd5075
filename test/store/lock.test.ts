/**
 * The lock of a data directory: one server at a time, and none is kept out by one that was killed.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { lockDataDir } from '../../src/store/lock.ts'
import { startProgram } from '../support/program.ts'
import { testDir } from '../support/test-dir.ts'

t.test('is held by one at a time', async (t) => {
  const dir = testDir(t)
  const path = join(dir, 'lock')
  const held = lockDataDir(path, dir)
  t.throws(() => lockDataDir(path, dir), { code: 'ERR_DATA_LOCKED', hint: /--data/ })
  held.release()
  lockDataDir(path, dir).release()
})

t.test('a file that can be no lock is not taken for another server', async (t) => {
  const dir = testDir(t)
  await writeFile(
    join(dir, 'lock'),
    'this is no database, and longer than its header is\n'.repeat(99),
  )
  t.throws(() => lockDataDir(join(dir, 'lock'), dir), { code: 'ERR_STORE' })
  t.throws(() => lockDataDir(join(dir, 'none', 'lock'), dir), { code: 'ERR_STORE' })
})

t.test('a second server on a directory is refused, until the first is killed', async (t) => {
  const dir = testDir(t)
  const args = ['serve', '--data', dir, '--listen', '127.0.0.1:0', '--no-import']
  const first = startProgram(t, args)
  await first.says(/\bready\b/)
  const { code, text } = await startProgram(t, args).ended
  t.equal(code, 1)
  t.match(text, /sluice: error: another server runs on the data directory/)
  t.match(text, /sluice: hint: stop it first, or give this one its own: --data DIR/)
  first.signal('SIGKILL')
  await first.ended
  await startProgram(t, args).says(/\bready\b/)
})
