/**
 * What goes wrong with backups: damaged and missing files are named, a wrong passphrase is told, and a restore that is
 * refused leaves nothing behind.
 */
import { once } from 'node:events'
import { appendFile, chmod, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { type RequestOptions, request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { systemClock } from '../../src/base/clock.ts'
import { backUpOffline } from '../../src/server/backup.ts'
import { checkBackup, listBackups } from '../../src/server/check-backup.ts'
import { type RestoreInput, restoreBackup } from '../../src/server/restore.ts'
import { createApt } from '../support/apt.ts'
import { startSluice } from '../support/sluice.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const passphrase = 'correct horse'
const packages: PackageSpec[] = [
  { name: 'hello', version: '1', arch: 'amd64', content: 3000 },
  { name: 'other', version: '1', arch: 'all', content: 5000 },
]

interface Saved extends World {
  readonly backups: string
  readonly snapshot: string
  /** Restores into a new directory of this name. */
  restore(name: string, more?: Partial<RestoreInput>): ReturnType<typeof restoreBackup>
  /** Below the directory of backups: the file of a blob. */
  blob(): Promise<string>
}

/** A world with one backup, copied, so that its damage is none of the server's own files. */
async function makeSaved(t: Test): Promise<Saved> {
  const world = await makeWorld(t, packages)
  const { dir, sluice, machine } = world
  const apt = await machine('one', 'approved')
  await apt.update()
  await apt.download('hello', 'other')
  const { snapshot, error } = await sluice.api('POST', '/backup', {
    dir: join(dir, 'linked'),
    passphrase,
  })
  if (error !== undefined) throw new Error(JSON.stringify(error))
  const backups = join(dir, 'backups')
  await cp(join(dir, 'linked'), backups, { recursive: true, preserveTimestamps: true })
  return {
    ...world,
    backups,
    snapshot,
    restore: (name, more = {}) =>
      restoreBackup({
        ...{ dir: backups, dataDir: join(dir, name), passphrase, withFiles: true },
        clock: systemClock,
        ...more,
      }),
    blob: async () => {
      const files = await readdir(join(backups, 'blobs'), { recursive: true, withFileTypes: true })
      const [first] = files.filter((entry) => entry.isFile())
      if (first === undefined) throw new Error('no blob')
      return join(first.parentPath, first.name).slice(backups.length + 1)
    },
  }
}

async function damage(path: string): Promise<void> {
  await chmod(path, 0o644)
  await appendFile(path, 'X')
}

/** Files that a refused restore left. */
async function leftIn(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(() => [])).filter((name) => name !== 'lock')
}

t.test('a damaged package is named, and all but the packages can be had', async (t) => {
  const { backups, restore, blob, dir, sluice } = await makeSaved(t)
  const file = await blob()
  await damage(join(backups, file))
  const report = await checkBackup({ dir: backups, passphrase })
  t.same(report.problems, [{ file, message: 'is damaged' }])
  await t.rejects(restore('new'), {
    code: 'ERR_DIGEST_MISMATCH',
    message: `the backup is damaged: ${file} is damaged`,
    hint: /--no-files/,
    details: { files: [file] },
  })
  t.same(await leftIn(join(dir, 'new')), [])
  await sluice.close()

  // Upstream's index as it was fetched has no path that would stay; it may be what was damaged.
  const lean = await restore('new', { withFiles: false })
  t.equal(lean.files.count + lean.missing.length, 1)
  const again = await startSluice(join(dir, 'new'))
  t.teardown(() => again.close())
  const apt = await createApt(join(dir, 'two'), { sources: '' })
  const channel = `${again.url}/channels/approved`
  const key = join(dir, 'two', 'sluice.asc')
  await apt.run('/usr/lib/apt/apt-helper', ['download-file', `${channel}/key.asc`, key])
  await apt.setSources(`deb [signed-by=${key}] ${channel}/nut stable main`)
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello', 'other')), clean, 'they are fetched again')
  t.match(await again.api('POST', '/verify', { deep: true }), { problems: [] })
})

t.test('a missing package is named', async (t) => {
  const { backups, restore, blob, dir } = await makeSaved(t)
  const file = await blob()
  await rm(join(backups, file))
  const problems = [{ file, message: 'is missing' }]
  t.match(await checkBackup({ dir: backups, passphrase }), { problems })
  await t.rejects(restore('new'), { message: `the backup is damaged: ${file} is missing` })
  t.same(await leftIn(join(dir, 'new')), [])
})

for (const name of ['sluice.db', 'keys.tar.gpg', 'SHA256SUMS', 'manifest.json']) {
  t.test(`a damaged ${name} is named, and nothing is restored`, async (t) => {
    const { backups, restore, snapshot, dir } = await makeSaved(t)
    await damage(join(backups, 'snapshots', snapshot, name))
    const message = new RegExp(`${snapshot}/${name} is damaged`)
    await t.rejects(restore('new'), { code: 'ERR_DIGEST_MISMATCH', message })
    t.same(await leftIn(join(dir, 'new')), [])
    const check = checkBackup({ dir: backups, passphrase })
    if (name === 'SHA256SUMS' || name === 'manifest.json') await t.rejects(check, { message })
    else t.match((await check).problems, [{ file: `snapshots/${snapshot}/${name}` }])
    const [listed] = await listBackups(backups)
    if (name === 'manifest.json') t.match(listed, { name: snapshot, problem: message })
    else t.match(listed, { name: snapshot, keys: 2, problem: undefined })
  })
}

t.test('the older backup is there when the newest is damaged', async (t) => {
  const { backups, restore, snapshot, sluice } = await makeSaved(t)
  const second = await sluice.api('POST', '/backup', { dir: backups, passphrase })
  await damage(join(backups, 'snapshots', second.snapshot, 'sluice.db'))
  await t.rejects(restore('new'), { code: 'ERR_DIGEST_MISMATCH', hint: /--list/ })
  t.match(await restore('new', { snapshot }), { snapshot })
  await t.rejects(restore('newer', { snapshot: '20010101T000000Z' }), { code: 'ERR_NOT_FOUND' })
  await damage(join(backups, 'snapshots', snapshot, 'SHA256SUMS'))
  const third = await sluice.api('POST', '/backup', { dir: backups, passphrase, keep: 5 })
  t.match(third.notPruned, /SHA256SUMS is damaged/, 'nothing goes as long as one cannot tell')
  t.same((await checkBackup({ dir: backups, passphrase })).problems, [])
})

t.test('keys are under the passphrase and no other', async (t) => {
  const { restore, dir, backups } = await makeSaved(t)
  await t.rejects(restore('new', { passphrase: 'wrong' }), {
    code: 'ERR_PASSPHRASE',
    message: 'the passphrase does not open the keys',
  })
  await t.rejects(restore('new', { passphrase: undefined }), {
    code: 'ERR_USAGE',
    hint: /SLUICE_BACKUP_PASSPHRASE/,
  })
  await t.rejects(checkBackup({ dir: backups, passphrase: 'wrong' }), { code: 'ERR_PASSPHRASE' })
  t.same(await leftIn(join(dir, 'new')), [])
})

t.test(
  'a file of the store that is damaged or gone is told, and the rest is backed up',
  async (t) => {
    const { sluice, dir, blob } = await makeSaved(t)
    const path = await blob()
    await rm(join(sluice.dataDir, path))
    const other = join(dir, 'another')
    const digest = path.replace('blobs/', '').replace('/', '')
    const report = await sluice.api('POST', '/backup', { dir: other, passphrase })
    t.match(report, { missing: [digest], keys: 2 })
    t.same((await checkBackup({ dir: other, passphrase })).problems, [])
  },
)

t.test('backups and data keep out of each other’s way', async (t) => {
  const { sluice, dir, backups, restore } = await makeSaved(t)
  const ask = async (body: object) => (await sluice.api('POST', '/backup', body)).error
  const inside = join(sluice.dataDir, 'backups')
  t.match(await ask({ dir: inside, passphrase }), { code: 'ERR_USAGE', message: /in the other/ })
  t.match(await ask({ dir, passphrase }), { code: 'ERR_USAGE', message: /in the other/ })
  t.match(await ask({ dir: 'backups', passphrase }), { code: 'ERR_USAGE' })
  t.match(await ask({ dir: backups }), { code: 'ERR_USAGE', hint: /passphrase-file/ })
  const strange = join(dir, 'strange')
  await mkdir(strange)
  await writeFile(join(strange, 'photo.jpg'), '')
  t.match(await ask({ dir: strange, passphrase }), { code: 'ERR_REFUSED', message: /photo\.jpg/ })
  t.match(await ask({ dir: join(strange, 'photo.jpg'), passphrase }), { code: 'ERR_STORE' })
  t.match(await ask({ dir: join(sluice.dataDir, '..', 'var2'), passphrase }), undefined)

  await t.rejects(restore('strange'), { code: 'ERR_REFUSED', message: /photo\.jpg/ })
  await t.rejects(restore('var'), { code: 'ERR_REFUSED' })
  await t.rejects(restore('x', { dir: strange }), { code: 'ERR_NOT_FOUND' })
  const offline = { dir: backups, passphrase, withFiles: true, keep: 3 }
  await t.rejects(backUpOffline(sluice.dataDir, offline), { code: 'ERR_DATA_LOCKED' })
})

t.test('what a backup did not leave in its directory is left alone', async (t) => {
  const { backups, sluice } = await makeSaved(t)
  const theirs = ['snapshots/.config/notes', 'blobs/.config/notes', 'blobs/ab/notes', 'notes']
  const ours = ['snapshots/.20200101T000000Z.part/sluice.db', `blobs/.${'ab'.repeat(32)}`]
  for (const file of [...theirs, ...ours]) {
    await mkdir(join(backups, file, '..'), { recursive: true })
    await writeFile(join(backups, file), 'text')
  }
  t.match(await sluice.api('POST', '/backup', { dir: backups, passphrase, keep: 1 }), {
    dir: backups,
  })
  const left = await readdir(backups, { recursive: true })
  for (const file of theirs) t.ok(left.includes(file), `${file} is there`)
  for (const file of ours) t.notOk(left.includes(file), `${file} was left by a crash`)
})

t.test('only commands on the machine of the server say where it writes backups', async (t) => {
  const { dir, sluice } = await makeWorld(t, packages, { start: { flags: { 'api-remote': true } } })
  const body = JSON.stringify({ dir: join(dir, 'backups'), passphrase })
  const ask = async (method: string, path: string, more: RequestOptions): Promise<object> => {
    const headers = { Authorization: `Bearer ${sluice.token}`, 'Content-Type': 'application/json' }
    const options = { method, ...more, headers: { ...headers, ...more.headers } }
    const asked = request(`${sluice.url}/api/v1${path}`, options)
    asked.end(method === 'POST' ? body : undefined)
    const [response] = await once(asked, 'response')
    return { status: response.statusCode, ...JSON.parse(await text(response)) }
  }
  const refused = { status: 403, error: { code: 'ERR_REFUSED', message: /on the machine/ } }
  const elsewhere = { localAddress: '127.0.0.2' }
  t.match(await ask('GET', '/channels/approved', elsewhere), { status: 200 })
  t.match(await ask('POST', '/backup', elsewhere), refused)
  const passedOn = { headers: { 'X-Forwarded-For': '192.0.2.1' } }
  t.match(await ask('POST', '/backup', passedOn), refused, 'nor by a proxy that stands in front')
  t.notOk((await readdir(dir)).includes('backups'))
  t.match(await ask('POST', '/backup', {}), { status: 200 })
})
