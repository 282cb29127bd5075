/**
 * `kill -9` at every step of a backup: there is always a whole one, and the next is not disturbed by what was left.
 *
 * The steps are the crash points (base/fault.ts): all of them with SOAK=1, else the first or the last passing of each by
 * its name.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { backUpOffline } from '../../src/server/backup.ts'
import { checkBackup, listBackups } from '../../src/server/check-backup.ts'
import { copy, hiddenIn, makeStopped, passphrase, pointsOf, runFaulty } from '../support/backups.ts'

t.test('a backup that is killed anywhere leaves the one before it whole', async (t) => {
  const { dir, data, backups } = await makeStopped(t)
  const [run, runData] = [join(dir, 'run-backups'), join(dir, 'run-data')]
  const args = ['backup', run, '--data', runData, '--keep', '1']
  const stage = async (): Promise<void> => {
    await copy(backups, run)
    await copy(data, runData)
  }
  await stage()
  const trace = join(dir, 'trace')
  t.equal(await runFaulty(t, args, `trace:${trace}`), null)
  const input = { dir: run, passphrase, withFiles: true, keep: 1 }
  for (const { nth, name } of await pointsOf(trace)) {
    await stage()
    t.equal(await runFaulty(t, args, `kill:${nth}`), 'SIGKILL', `killed at ${nth}: ${name}`)
    const whole = await listBackups(run)
    t.not(whole.length, 0)
    for (const { name: snapshot } of whole) {
      t.same((await checkBackup({ dir: run, snapshot, passphrase })).problems, [], snapshot)
    }
    const report = await backUpOffline(runData, input)
    t.same((await checkBackup({ dir: run, passphrase })).problems, [])
    t.match(await listBackups(run), [{ name: report.snapshot }])
    t.same(await hiddenIn(run), [], 'nothing is left of the one that was killed')
    const blobs = await readdir(join(run, 'blobs'), { recursive: true, withFileTypes: true })
    t.equal(blobs.filter((entry) => entry.isFile()).length, report.files.count)
  }
})
