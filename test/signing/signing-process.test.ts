/** The process that signs: killed, stopped, without its keys, with those of an older data directory, and packed. */
import { readdir, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createLog } from '../../src/base/log.ts'
import { startSigningProcess } from '../../src/signing/signing-process.ts'
import { keysAt } from '../support/key-files.ts'
import { runOk } from '../support/run.ts'
import { startSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })
const log = createLog({ level: 'silent' })
const root = join(import.meta.dirname, '../..')

/** The signing processes that this process has started. */
async function signers(): Promise<number[]> {
  const children = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')
  const found: number[] = []
  for (const pid of children.split(' ').filter(Boolean)) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (command.startsWith('sluice-sign')) found.push(Number(pid))
  }
  return found
}

async function signer(): Promise<number> {
  const [pid, ...more] = await signers()
  if (pid === undefined || more.length > 0) throw new Error(`signing processes: ${pid} ${more}`)
  return pid
}

/** Resolves once there is a signing process other than this one. */
async function anotherThan(pid: number): Promise<number> {
  for (;;) {
    const [other] = (await signers()).filter((one) => one !== pid)
    if (other !== undefined) return other
  }
}

async function stateOf({ sluice }: World): Promise<string> {
  return (await sluice.api('GET', '/archives/nut')).suites[0].state
}

async function promoteNext({ publish, sluice }: World, version: string) {
  await publish([hello(version)])
  await sluice.api('POST', '/archives/refresh')
  return sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
}

t.test('a signing process that is killed is started again, and nothing is lost', async (t) => {
  const world = await makeWorld(t, [hello('1')])
  const apt = await world.machine('one', 'approved')
  const first = await signer()
  process.kill(first, 'SIGKILL')
  t.match(await promoteNext(world, '2'), { generation: { serial: 2 } }, 'between two publications')
  t.same(troubles(await apt.update()), clean)

  const second = await signer()
  t.not(second, first)
  process.kill(second, 'SIGSTOP')
  const state = await stateOf(world)
  await world.publish([hello('3')])
  const following = world.sluice.api('POST', '/archives/refresh')
  // What upstream has is here, and next it must sign.
  while ((await stateOf(world)) === state);
  process.kill(second, 'SIGKILL')
  t.match(await following, { generations: [{ channel: 'testing' }] }, 'during one')
  const all = { from: 'testing', to: 'approved', all: true }
  t.match(await world.sluice.api('POST', '/promotions', all), { generation: { serial: 3 } })
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '3')
  t.same((await world.sluice.api('POST', '/verify')).problems, [])

  const last = await signer()
  await world.sluice.close()
  t.same(await signers(), [], 'it ends with the server')
  t.throws(() => process.kill(last, 0), { code: 'ESRCH' })
})

t.test('one that does not answer costs it its life, not the server’s time', async (t) => {
  const keysDir = join(testDir(t), 'keys')
  const signing = startSigningProcess({ keysDir, log, environment: {}, answerWithinMs: 10_000 })
  t.teardown(() => signing.close())
  const make = { kind: 'make', publication: 'channel:x', at: 1_700_000_000, known: [] } as const
  const made = await signing.ask(make)
  t.match(made, { kind: 'key', publicKey: /BEGIN PGP PUBLIC KEY BLOCK/ })
  const { pid = 0 } = signing
  process.kill(pid, 'SIGSTOP')
  await t.rejects(signing.ask(make), { code: 'ERR_SIGNING', message: /did not answer within 10 s/ })
  t.same(await signing.ask(make), made, 'the next one finds the key that nobody knows of yet')
  t.not(signing.pid, pid)
})

t.test('a private key is written whole or not at all, whenever the power goes', async (t) => {
  const dir = testDir(t)
  const keysDir = join(dir, 'keys')
  const make = { kind: 'make', publication: 'channel:x', at: 1_700_000_000, known: [] } as const
  const dyingAt = (nth: number) =>
    startSigningProcess({ keysDir, log, environment: { SLUICE_SIGNING_FAULT: `kill:${nth}` } })
  const first = dyingAt(1)
  await t.rejects(first.ask(make), { code: 'ERR_SIGNING', message: /died, and the one after/ })
  await first.close()
  const second = dyingAt(2)
  const found = await second.ask(make)
  t.match(found, { kind: 'key' }, 'its file was in place: the next one took it')
  await second.close()
  const signing = startSigningProcess({ keysDir, log, environment: {} })
  t.teardown(() => signing.close())
  t.same(await signing.ask(make), found)
  const files = await readdir(keysDir)
  t.match(files, [/^[0-9A-F]{40}\.asc$/], 'one key, and nothing half')
  t.equal(files.length, 1)
  t.equal((await stat(join(keysDir, files[0] ?? ''))).mode & 0o777, 0o600)
  t.equal((await stat(keysDir)).mode & 0o777, 0o700)
})

t.test(
  'without its key a channel goes on serving what it has, and says which file is missing',
  async (t) => {
    const world = await makeWorld(t, [hello('1')])
    const { sluice } = world
    const apt = await world.machine('one', 'approved')
    const { fingerprint } = await sluice.api('GET', '/keys/approved')
    const file = join(sluice.dataDir, 'keys', `${fingerprint}.asc`)
    await rename(file, `${file}.away`)
    const before = await signer()
    process.kill(before, 'SIGKILL')
    await anotherThan(before)
    const refused = await promoteNext(world, '2')
    t.match(refused.error, { code: 'ERR_CONFIG', message: `missing: ${file}`, hint: /backup/ })
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('hello')).candidate, '1')
    t.same(await keysAt(`${sluice.url}/channels/approved/key.asc`), [fingerprint])
    await rename(`${file}.away`, file)
    t.match(await promoteNext(world, '2'), { generation: { serial: 2 } })
  },
)

/** Makes the data directory what it was before keys had a table. */
async function makeOld(dataDir: string): Promise<void> {
  const db = new Database(join(dataDir, 'sluice.db'))
  const rows = db.prepare(
    'SELECT name, k.fingerprint FROM publication p JOIN publication_key k ON k.publication_id = p.id',
  )
  const keys = rows.all() as { name: string; fingerprint: string }[]
  db.exec(`ALTER TABLE publication ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
    UPDATE publication SET fingerprint = (SELECT fingerprint FROM publication_key WHERE publication_id = publication.id);
    DROP TABLE publication_key; ALTER TABLE release DROP COLUMN signed_by;
    DELETE FROM migration WHERE name IN ('publication-keys-1', 'publications-2')`)
  db.close()
  for (const { name, fingerprint } of keys) {
    const dir = join(dataDir, 'keys')
    await rename(join(dir, `${fingerprint}.asc`), join(dir, `${name.replace(':', '-')}.asc`))
  }
}

t.test('keys of an older data directory are taken over, whenever it is killed', async (t) => {
  const world = await makeWorld(t, [hello('1')])
  const apt = await world.machine('one', 'approved')
  const keyPath = join(apt.dir, 'sluice.asc')
  const { dataDir } = world.sluice
  const keysDir = join(dataDir, 'keys')
  const before = await world.sluice.api('GET', '/channels/approved')
  const { fingerprint } = before
  await world.sluice.close()
  await makeOld(dataDir)
  const environment = { SLUICE_SIGNING_FAULT: 'kill:1' }
  const dying = startSigningProcess({ keysDir, log, environment })
  const find = { kind: 'find', publication: 'channel:approved', fingerprint } as const
  t.match(await dying.ask(find), { kind: 'key' }, 'killed after the renaming, the next one has it')
  await dying.close()

  const again = await startSluice(dataDir)
  t.teardown(() => again.close())
  t.same(
    (await readdir(keysDir)).filter((name) => name.includes('-')),
    [],
  )
  const after = await again.api('GET', '/channels/approved')
  t.match(after, { fingerprint, keySha256: before.keySha256, head: 1 })
  await apt.setSources(`deb [signed-by=${keyPath}] ${again.url}/channels/approved/nut stable main`)
  t.same(troubles(await apt.update()), clean)
  t.match(await again.api('POST', '/keys/approved/rotate', {}), { generation: { serial: 2 } })
  t.same(troubles(await apt.update()), clean)
})

t.test('it signs from what npm packs, too', async (t) => {
  const dir = testDir(t)
  await runOk('tsc', ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(dir, 'dist')])
  const packed: typeof import('../../src/signing/signing-process.ts') = await import(
    join(dir, 'dist/signing/signing-process.js')
  )
  const keysDir = join(dir, 'keys')
  const signing = packed.startSigningProcess({ keysDir, log, environment: {} })
  t.teardown(() => signing.close())
  const made = { publication: 'channel:x', at: 1_700_000_000, known: [] }
  t.match(await signing.ask({ kind: 'make', ...made }), { kind: 'key' })
})
