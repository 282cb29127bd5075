/**
 * Keys of archives that come to their end are announced sixty days before, where somebody looks: but only those that
 * machines, and this server, depend on.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeArchive } from '../../fixtures/make-archive.ts'
import {
  type KeyOptions,
  makeSigningKey,
  revokeSigningKey,
  type SigningKey,
} from '../../fixtures/signing-key.ts'
import { systemClock } from '../../src/base/clock.ts'
import { parseConfig } from '../../src/base/config.ts'
import { createLog } from '../../src/base/log.ts'
import { logKeyEnds } from '../../src/server/archive-keys.ts'
import { openParts } from '../../src/server/parts.ts'
import { runSluice } from '../support/program.ts'
import { startProcess } from '../support/sluice-process.ts'
import { createTestClock } from '../support/test-clock.ts'
import { makeWorld, type World } from '../support/world.ts'

const DAY_MS = 24 * 3600_000
const packages = [{ name: 'hello', version: '1', arch: 'amd64' }]
const inDays = (days: number): Date => new Date(Date.now() + days * DAY_MS + 3600_000)
const run = ({ sluice }: World, ...args: string[]) =>
  runSluice(['--data', sluice.dataDir, 'archive', ...args])

t.test('a key that expires in a month is announced everywhere', async (t) => {
  const world = await makeWorld(t, packages, { key: { expiresAt: inDays(30) } })
  const { fingerprint } = world.key
  t.match(await run(world, 'list'), { stdout: /^nut .* key expires in 30 d$/m })
  const shown = await run(world, 'show', 'nut')
  t.match(shown.stdout, /^key .* Up <up@archive\.example>, until .*: key expires in 30 d$/m)
  t.match(
    shown.stdout,
    /^wrong: the key .* that nut signs stable with expires on .*\n {2}hint: .*--keyring/m,
  )
  const line = `sluice_archive_key_expires_timestamp_seconds{archive="nut",key="${fingerprint}"}`
  t.match(await metrics(world.sluice.url), line)
  await world.sluice.close()
  const started = await startProcess(t, world.sluice.dataDir)
  if (!('api' in started)) throw new Error(started.text)
  const { text } = await started.stop()
  t.match(text, new RegExp(`"kind":"warning","message":"the key ${fingerprint} .* expires on`))
})

t.test('a key that lasts is not mentioned', async (t) => {
  const clock = createTestClock()
  const key = { expiresAt: inDays(90) }
  const world = await makeWorld(t, packages, { key, start: { clock } })
  t.match(await run(world, 'list'), { stdout: /^nut .* ok$/m })
  t.match(await world.sluice.api('GET', '/archives/nut'), { keyProblems: [] })
  clock.advance(31 * DAY_MS)
  t.match(await world.sluice.api('GET', '/archives/nut'), {
    keyProblems: [{ state: 'expires soon' }],
  })
  clock.advance(60 * DAY_MS)
  t.match(await world.sluice.api('GET', '/archives/nut'), { keyProblems: [{ state: 'expired' }] })
})

t.test('of two keys that sign the one that lasts longer counts, others not at all', async (t) => {
  const world = await makeWorld(t, packages, { key: { expiresAt: inDays(10) } })
  const more = await makeKeys(world, [{}, { expiresAt: inDays(5) }])
  const [lasting] = more
  if (lasting === undefined) throw new Error('no key')
  const suite = { suite: 'stable', codename: 'nut', components: ['main'], architectures: ['amd64'] }
  const key = [world.key, lasting]
  await makeArchive(join(world.dir, 'archive'), { key, suites: [{ ...suite, packages }] })
  const keyring = await ringOf([world.key, ...more])
  await world.sluice.api('PATCH', '/archives/nut', { keyring })
  await world.sluice.api('POST', '/archives/refresh')
  t.match(await world.sluice.api('GET', '/archives/nut'), {
    keyProblems: [],
    keys: [
      { fingerprint: lasting.fingerprint, signs: ['stable'], state: 'good' },
      { signs: [], state: 'expires soon' },
      { signs: [], state: 'expires soon' },
    ],
  })
  t.match(await run(world, 'list'), { stdout: /^nut .* ok$/m })
  t.match(await run(world, 'show', 'nut'), { stdout: /signs nothing now: key expires in 5 d$/m })
  t.notMatch(await metrics(world.sluice.url), /sluice_archive_key_expires.*\{/)
})

t.test('a signing subkey expires with its primary key, and before', async (t) => {
  const world = await makeWorld(t, packages, { key: { subkey: true, expiresAt: inDays(20) } })
  t.match(await world.sluice.api('GET', '/archives/nut'), {
    keyProblems: [{ state: 'expires soon' }],
  })
})

t.test('a key that is revoked is told', async (t) => {
  const world = await makeWorld(t, packages)
  await revokeSigningKey(world.key)
  await world.sluice.api('PATCH', '/archives/nut', { keyring: await ringOf([world.key]) })
  t.match(await run(world, 'list'), { stdout: /^nut .* key REVOKED$/m })
  t.match(await metrics(world.sluice.url), /sluice_archive_key_expires.*\{archive="nut".*\} 0$/m)
})

t.test('the log tells it too', async (t) => {
  const world = await makeWorld(t, packages, { key: { expiresAt: inDays(30) } })
  await world.sluice.close()
  const flags = { data: world.sluice.dataDir, 'log-level': 'silent' }
  const parts = await openParts(parseConfig({ flags, env: {} }), systemClock)
  t.teardown(() => parts.close())
  const said: string[] = []
  const log = createLog({ level: 'warn', to: { write: (line) => void said.push(line) } })
  await logKeyEnds(parts, log)
  t.equal(said.length, 1)
  t.match(JSON.parse(said[0] ?? ''), {
    msg: 'key of an archive ends',
    archive: 'nut',
    key: world.key.fingerprint,
    suites: ['stable'],
    state: 'expires soon',
  })
})

async function makeKeys({ dir }: World, options: readonly KeyOptions[]): Promise<SigningKey[]> {
  const keys: SigningKey[] = []
  for (const [at, one] of options.entries()) {
    keys.push(await makeSigningKey(join(dir, 'more'), `More ${at} <more@archive.example>`, one))
  }
  return keys
}

async function ringOf(keys: readonly SigningKey[]): Promise<string> {
  return (await Promise.all(keys.map((key) => readFile(key.publicAsc, 'utf8')))).join('\n')
}

async function metrics(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text()
}
