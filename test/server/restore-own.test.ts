/**
 * A restore without files, of a server with packages of its own: what no archive can be asked for again is restored all the
 * same, and told where it is damaged.
 */
import { appendFile, chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { RestoreReport } from '../../src/server/backup-report.ts'
import { restoreBackup } from '../../src/server/restore.ts'
import { createApt } from '../support/apt.ts'
import { makeLocalBed } from '../support/local-bed.ts'
import { runSluice } from '../support/program.ts'
import { startSluice } from '../support/sluice.ts'
import { clean, troubles } from '../support/world.ts'

const passphrase = 'correct horse'
const app: PackageSpec = { name: 'acme-app', version: '1.0', arch: 'amd64', content: 300_000 }

/** A backup of a server that has a package of its own in `approved`. */
async function makeSaved(t: Test) {
  const { dir, sluice, publish, settle } = await makeLocalBed(t)
  await publish(app)
  await settle()
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  const backups = join(dir, 'backups')
  await sluice.api('POST', '/backup', { dir: backups, passphrase })
  await sluice.close()
  const all = await readdir(join(backups, 'blobs'), { recursive: true, withFileTypes: true })
  const files = all.filter((entry) => entry.isFile())
  t.equal(files.length, 1, 'the package is a file, and all the rest is in the database')
  const file = files.map(({ name, parentPath }) => join(parentPath, name))[0] ?? ''
  return { dir, backups, file }
}

t.test('a package of one’s own comes back also without files', async (t) => {
  const { dir, backups } = await makeSaved(t)
  const dataDir = join(dir, 'new')
  const report: RestoreReport = await restoreBackup({
    ...{ dir: backups, dataDir, passphrase, withFiles: false, clock: systemClock },
  })
  t.match(report, { files: { count: 1 }, leftOut: 0, missing: [] })
  t.ok(report.files.bytes > 300_000)
  const again = await startSluice(dataDir)
  t.teardown(() => again.close())
  const home = join(dir, 'one')
  const apt = await createApt(home, { sources: '' })
  const channel = `${again.url}/channels/approved`
  const key = join(home, 'sluice.asc')
  await apt.run('/usr/lib/apt/apt-helper', ['download-file', `${channel}/key.asc`, key])
  await apt.setSources(`deb [signed-by=${key}] ${channel}/internal stable main`)
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('acme-app')), clean)
  t.same((await again.api('POST', '/verify', { deep: true })).problems, [])
})

t.test('one that is damaged in the backup is told, and all else is restored', async (t) => {
  const { dir, backups, file } = await makeSaved(t)
  await chmod(file, 0o644)
  await appendFile(file, 'X')
  const name = file.slice(backups.length + 1)
  const restore = (...args: string[]) =>
    runSluice(['restore', backups, '--data', join(dir, 'new'), ...args], {
      env: { SLUICE_BACKUP_PASSPHRASE: passphrase },
    })
  t.match(await restore(), {
    code: 1,
    stderr: /the backup is damaged: blobs.*\n.*hint: .*sluice restore --no-files/,
  })
  const lean = await restore('--no-files')
  t.match(lean, { code: 3 })
  t.match(lean.stdout, `lost     ${name} is damaged, and nobody is known to have it`)
  const again = await startSluice(join(dir, 'new'))
  t.teardown(() => again.close())
  t.match(await again.api('GET', '/archives/internal/packages'), [{ name: 'acme-app' }])
})
