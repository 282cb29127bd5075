/**
 * `kill -9` at every step of a restore: the data directory is refused until the restore is repeated, which then goes as if
 * nothing had been. The steps are taken as in backup-crash.test.ts.
 */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { restoreBackup } from '../../src/server/restore.ts'
import { makeStopped, passphrase, pointsOf, runFaulty } from '../support/backups.ts'
import { startSluice } from '../support/sluice.ts'

t.test(
  'a restore that is killed anywhere is no data directory, until it is repeated',
  async (t) => {
    const { dir, backups } = await makeStopped(t)
    const dataDir = join(dir, 'new')
    const args = ['restore', backups, '--data', dataDir]
    const trace = join(dir, 'trace')
    t.equal(await runFaulty(t, args, `trace:${trace}`), null)
    const input = { dir: backups, dataDir, passphrase, withFiles: true, clock: systemClock }
    for (const { nth, name } of await pointsOf(trace)) {
      await rm(dataDir, { recursive: true })
      t.equal(await runFaulty(t, args, `kill:${nth}`), 'SIGKILL', `killed at ${nth}: ${name}`)
      const isDone = name === 'restore: done'
      if (existsSync(join(dataDir, 'restoring'))) {
        await t.rejects(startSluice(dataDir), { code: 'ERR_STORE', hint: /sluice restore/ })
      } else if (!isDone) {
        t.notOk(existsSync(join(dataDir, 'sluice.db')), 'nothing of it is there')
      }
      if (!isDone) await restoreBackup(input)
      else await t.rejects(restoreBackup(input), { code: 'ERR_REFUSED' })
      const sluice = await startSluice(dataDir)
      t.match(await sluice.api('POST', '/verify', { deep: true }), { problems: [] })
      t.match(await sluice.api('GET', '/channels/approved'), { head: 2 }, 'its head is signed anew')
      const rows: object[] = await sluice.api('GET', '/audit?what=restore')
      t.equal(rows.length, 1)
      await sluice.close()
    }
  },
)
