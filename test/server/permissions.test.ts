/**
 * What holds secrets (the URLs of archives may have passwords) is for the user of the server alone.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/base/clock.ts'
import { restoreBackup } from '../../src/server/restore.ts'
import { makeWorld } from '../support/world.ts'

const modeOf = async (path: string): Promise<string> =>
  ((await stat(path)).mode & 0o777).toString(8)

t.test('nobody else reads the database, keys and the token, here or restored', async (t) => {
  const { dir, sluice } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  for (const name of ['sluice.db', 'sluice.db-wal', 'sluice.db-shm', 'token'])
    t.equal(await modeOf(join(sluice.dataDir, name)), '600', name)
  t.equal(await modeOf(join(sluice.dataDir, 'keys')), '700')
  const [backups, dataDir] = [join(dir, 'backups'), join(dir, 'restored')]
  const passphrase = 'correct horse'
  await sluice.api('POST', '/backup', { dir: backups, passphrase })
  t.equal(await modeOf(backups), '700')
  const restored = { dir: backups, dataDir, passphrase, withFiles: true, clock: systemClock }
  await restoreBackup(restored)
  t.equal(await modeOf(join(dataDir, 'sluice.db')), '600')
  t.equal(await modeOf(join(dataDir, 'keys')), '700')
})
