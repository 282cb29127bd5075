/**
 * Backup and restore, told by a real apt: the server works on while it is backed up, and a machine that has seen more than
 * the backup knows goes on with the restored server.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { systemClock } from '../../src/base/clock.ts'
import { checkBackup } from '../../src/server/check-backup.ts'
import { restoreBackup } from '../../src/server/restore.ts'
import { createApt, type TestApt } from '../support/apt.ts'
import { type Front, startFront } from '../support/front.ts'
import { runOk } from '../support/run.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const passphrase = 'correct horse'
const hello = (version: string): PackageSpec => ({
  name: 'hello',
  version,
  arch: 'amd64',
  content: 3000,
})
const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }

/** Publishes hello in this version, and promotes it. */
async function promoteHello({ publish }: World, sluice: TestSluice, version: number) {
  await publish([hello(String(version)), other])
  await sluice.api('POST', '/archives/refresh')
  const between = { from: 'testing', to: 'approved' }
  const { generation, error } = await sluice.api('POST', '/promotions', { ...between, all: true })
  if (generation === undefined) throw new Error(JSON.stringify(error))
}

/** A machine on `approved`, by an address that stays the same whichever server is behind it. */
async function machineAt(dir: string, front: Front): Promise<TestApt> {
  const apt = await createApt(dir, { sources: '' })
  const key = join(dir, 'sluice.asc')
  const channel = `${front.url}/channels/approved`
  await apt.run('/usr/lib/apt/apt-helper', ['download-file', `${channel}/key.asc`, key])
  await apt.setSources(`deb [signed-by=${key}] ${channel}/nut stable main`)
  return apt
}

async function frontOf(t: Test, sluice: TestSluice): Promise<Front> {
  const front = await startFront()
  t.teardown(() => front.close())
  front.turnTo(sluice.url)
  return front
}

/** A server over what was restored of the newest backup. */
async function restored(t: Test, dir: string, dataDir: string): Promise<TestSluice> {
  await restoreBackup({ dir, dataDir, passphrase, withFiles: true, clock: systemClock })
  const sluice = await startSluice(dataDir)
  t.teardown(() => sluice.close())
  return sluice
}

t.test(
  'a server that is backed up under load is restored, and machines go on with it',
  async (t) => {
    const world = await makeWorld(t, [hello('1'), other])
    const { sluice, dir } = world
    const front = await frontOf(t, sluice)
    const apt = await machineAt(join(dir, 'machine'), front)
    t.same(troubles(await apt.update()), clean)
    t.same(troubles(await apt.install('hello', 'other')), clean)

    const backups = join(dir, 'backups')
    let isBusy = true
    let version = 1
    const working = (async () => {
      while (isBusy) await promoteHello(world, sluice, ++version)
    })()
    const reports = []
    for (let nth = 0; nth < 3; nth++) {
      reports.push(await sluice.api('POST', '/backup', { dir: backups, passphrase }))
    }
    isBusy = false
    await working
    t.match(reports.at(-1), { keys: 2, missing: [], files: { count: Number } })
    t.ok(version > 2, 'promotions went on meanwhile')
    const report = await checkBackup({ dir: backups, passphrase })
    t.same(report.problems, [])

    // More than the backup knows.
    await promoteHello(world, sluice, 100)
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('hello')).candidate, '100')
    const rows = await sluice.api('GET', '/audit?what=backup')
    t.match(rows[0], { who: 'admin', object: `backup ${backups}`, detail: { keys: 2 } })
    await sluice.close()
    front.turnTo(undefined)

    const again = await restored(t, backups, join(dir, 'new'))
    front.turnTo(again.url)
    t.not(again.token, sluice.token, 'the administrator has a new token')
    const fresh = await machineAt(join(dir, 'fresh'), front)
    t.same(troubles(await fresh.update()), clean)
    const known = (await fresh.policy('hello')).candidate
    t.ok(known !== undefined && known !== '100', 'it is the content of the backup')
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('hello')).candidate, known, 'also for who saw a newer one')
    t.match(await again.api('POST', '/verify', { deep: true }), { problems: [] })
    const [row] = await again.api('GET', '/audit?what=restore')
    t.match(row, { object: `backup ${backups}`, who: /^user /, detail: { snapshot: String } })
    const [signed] = await again.api('GET', `/audit?what=re-sign&object=channel%20approved`)
    t.match(signed, { who: 'system', why: 'it was restored from a backup' })

    await promoteHello(world, again, 200)
    t.same(troubles(await apt.update()), clean)
    t.same(troubles(await apt.upgrade()), clean)
    t.same(await apt.installed(), ['hello=200', 'other=1'])
  },
)

t.test(
  'what a machine asks a restored server before it has signed is answered after',
  async (t) => {
    const world = await makeWorld(t, [hello('1'), other])
    const { sluice, dir } = world
    const backups = join(dir, 'backups')
    await sluice.api('POST', '/backup', { dir: backups, passphrase })
    const path = '/channels/approved/nut/dists/stable/InRelease'
    const dateOf = async (url: string): Promise<number> => {
      const text = await (await fetch(url + path)).text()
      return Date.parse(/^Date: (.*)$/m.exec(text)?.[1] ?? '')
    }
    const seen = await dateOf(sluice.url)
    await sluice.close()
    const dataDir = join(dir, 'new')
    const before = Math.floor(Date.now() / 1000) * 1000
    await restoreBackup({ dir: backups, dataDir, passphrase, withFiles: true, clock: systemClock })
    const port = Number(new URL(sluice.url).port)
    const starting = startSluice(dataDir, { flags: { listen: `127.0.0.1:${port}` } })
    const dates: number[] = []
    for (let isUp = false; !isUp; ) {
      const date = await dateOf(sluice.url).catch(() => undefined)
      if (date === undefined) continue
      dates.push(date)
      isUp = true
    }
    const again = await starting
    t.teardown(() => again.close())
    t.ok(
      (dates[0] ?? 0) > before && before > seen,
      'the very first answer is newer than any before',
    )
    t.match(await again.api('GET', '/channels/approved'), { head: 2 })
    await again.close()
    const third = await startSluice(dataDir)
    t.teardown(() => third.close())
    t.match(await third.api('GET', '/channels/approved'), { head: 2 }, 'it is signed anew once')
  },
)

t.test('a restored server that cannot sign does not serve what it has', async (t) => {
  const { sluice, dir } = await makeWorld(t, [hello('1'), other])
  const backups = join(dir, 'backups')
  await sluice.api('POST', '/backup', { dir: backups, passphrase })
  await sluice.close()
  const dataDir = join(dir, 'new')
  await restoreBackup({ dir: backups, dataDir, passphrase, withFiles: true, clock: systemClock })
  const early = startSluice(dataDir, { clock: createTestClock(3 * 3600_000) })
  await t.rejects(early, { code: 'ERR_CONFIG', message: /the clock of this machine is behind/ })
  await rename(join(dataDir, 'keys'), join(dir, 'keys-away'))
  await t.rejects(startSluice(dataDir), { code: 'ERR_CONFIG', message: /signing key .* missing/ })
  await rm(join(dataDir, 'keys'), { recursive: true, force: true })
  await rename(join(dir, 'keys-away'), join(dataDir, 'keys'))
  const again = await startSluice(dataDir)
  t.teardown(() => again.close())
  t.match(await again.api('GET', '/channels/approved'), { head: 2 })
})

t.test('a further backup takes what is new, and old ones go', async (t) => {
  const world = await makeWorld(t, [hello('1'), other])
  const { sluice, dir, machine } = world
  const backups = join(dir, 'backups')
  const apt = await machine('one', 'approved')
  await apt.update()
  await apt.download('hello')
  const backUp = (more: object = {}) =>
    sluice.api('POST', '/backup', { dir: backups, passphrase, ...more })
  const first = await backUp()
  t.ok(first.files.count > 0)
  t.same(first.fresh, first.files)
  t.same(first.linked, first.files, 'on one disk all are links')
  t.match(await backUp(), { fresh: { count: 0 }, files: first.files, pruned: [] })
  await apt.download('other')
  const third = await backUp()
  t.match(third, { fresh: { count: 1 }, pruned: [] })
  const blobs = await readdir(join(backups, 'blobs'), { recursive: true, withFileTypes: true })
  const files = blobs.filter((entry) => entry.isFile())
  t.equal(files.length, third.files.count)
  for (const { parentPath, name } of files) {
    t.equal((await stat(join(parentPath, name))).mode & 0o777, 0o444)
  }

  const fourth = await backUp({ keep: 2 })
  t.match(fourth, { pruned: [first.snapshot, String] })
  t.same(await readdir(join(backups, 'snapshots')), [third.snapshot, fourth.snapshot])
  t.same((await checkBackup({ dir: backups, passphrase })).problems, [])

  const lean = join(dir, 'lean')
  const withoutFiles = await sluice.api('POST', '/backup', { dir: lean, passphrase, files: false })
  t.match(withoutFiles, { leftOut: { count: Number } })
  t.equal(withoutFiles.leftOut.count + withoutFiles.files.count, fourth.files.count)
  t.ok(withoutFiles.leftOut.count >= 2)
  await sluice.close()
  const again = await restored(t, lean, join(dir, 'new'))
  t.match(await again.api('POST', '/verify', { deep: true }), { problems: [] })
  const path = await (
    await fetch(`${again.url}/channels/approved/nut/dists/stable/InRelease`)
  ).text()
  t.match(path, /^Suite: stable$/m)
})

t.test('files that no backup names any more go with the last one that did', async (t) => {
  const { sluice, dir, machine } = await makeWorld(t, [hello('1'), other])
  const backups = join(dir, 'backups')
  const apt = await machine('one', 'approved')
  await apt.update()
  await apt.download('hello')
  const { files } = await sluice.api('POST', '/backup', { dir: backups, passphrase })
  const options = { dir: backups, passphrase, files: false, keep: 1 }
  const { files: kept } = await sluice.api('POST', '/backup', options)
  t.ok(kept.count < files.count)
  const blobs = await readdir(join(backups, 'blobs'), { recursive: true, withFileTypes: true })
  t.equal(blobs.filter((entry) => entry.isFile()).length, kept.count)
})

t.test('what is in a backup can be had without Sluice', async (t) => {
  const { sluice, dir, machine } = await makeWorld(t, [hello('1'), other])
  const apt = await machine('one', 'approved')
  await apt.update()
  await apt.download('hello')
  await writeFile(join(sluice.dataDir, 'sluice.toml'), 'refresh-minutes = 90\n')
  const backups = join(dir, 'backups')
  const { snapshot } = await sluice.api('POST', '/backup', { dir: backups, passphrase })
  const path = join(backups, 'snapshots', snapshot)
  await runOk('sha256sum', ['--strict', '-c', 'SHA256SUMS'], { cwd: path })
  t.equal((await stat(path)).mode & 0o777, 0o700, 'nobody else reads it')

  const home = join(dir, 'gpg')
  await runOk('mkdir', ['-m', '0700', home])
  const gpg = ['--homedir', home, '--batch', '--pinentry-mode', 'loopback']
  await runOk(
    'gpg',
    [...gpg, '--passphrase', passphrase, '-o', 'keys.tar', '-d', `${path}/keys.tar.gpg`],
    {
      cwd: home,
    },
  )
  await runOk('tar', ['-xf', 'keys.tar'], { cwd: home })
  const keys = await readdir(join(sluice.dataDir, 'keys'))
  t.not(keys.length, 0)
  for (const key of keys) {
    const [was, is] = await Promise.all([
      readFile(join(sluice.dataDir, 'keys', key), 'utf8'),
      readFile(join(home, key), 'utf8'),
    ])
    t.equal(is, was)
  }
  const database = join(path, 'sluice.db')
  t.notOk(existsSync(`${database}-wal`), 'the database is one file')
  await sluice.close()
  const again = await restored(t, backups, join(dir, 'new'))
  t.equal(await readFile(join(again.dataDir, 'sluice.toml'), 'utf8'), 'refresh-minutes = 90\n')
  t.equal((await stat(join(again.dataDir, 'keys'))).mode & 0o777, 0o700)
  for (const key of keys)
    t.equal((await stat(join(again.dataDir, 'keys', key))).mode & 0o777, 0o600)
})
