/**
 * An index is unpacked while it arrives: whatever arrives, a state has what Release names, or is the one before.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { makeSigningKey } from '../../fixtures/signing-key.ts'
import { addArchive } from '../../src/archives/change-archive.ts'
import { refreshArchive, type SuiteOutcome } from '../../src/archives/refresh.ts'
import { readState } from '../../src/archives/suite-state.ts'
import { parseConfig } from '../../src/base/config.ts'
import { verifyStore } from '../../src/keeping/verify.ts'
import { openParts, type ServerParts } from '../../src/server/parts.ts'
import type { Fault } from '../support/faults.ts'
import { createTestClock } from '../support/test-clock.ts'
import { testDir } from '../support/test-dir.ts'
import { startUpstream, type TestUpstream } from '../support/upstream-server.ts'

const DAY_MS = 24 * 3600_000
const INDEX = /\/main\/binary-amd64\//
const COUNT = 3

interface World {
  readonly parts: ServerParts
  /** Two mirrors of one archive, in the order in which they are asked. */
  readonly mirrors: readonly [TestUpstream, TestUpstream]
  refresh(): Promise<SuiteOutcome>
  /** Stanzas in the state that this outcome names. */
  count(outcome: SuiteOutcome): Promise<number | undefined>
}

async function openWorld(t: Test): Promise<World> {
  const dir = testDir(t)
  const clock = createTestClock(100 * DAY_MS)
  const signedAt = new Date(clock.now() - DAY_MS)
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>', {
    createdAt: signedAt,
  })
  // An index of more bytes than wait for the digest: some are unpacked before its end is here.
  const packages = Array.from({ length: COUNT }, (_, at) => ({
    name: `hello-${at}`,
    version: '1',
    arch: 'amd64',
    fields: { Noise: randomBytes(60_000).toString('base64') },
  }))
  await makeArchive(join(dir, 'archive'), {
    key,
    date: new Date(clock.now() - 30_000),
    forms: ['gz'],
    sign: { signedAt: new Date(clock.now() - 30_000) },
    suites: [{ suite: 'stable', components: ['main'], architectures: ['amd64'], packages }],
  })
  const mirrors = [
    await startUpstream(join(dir, 'archive')),
    await startUpstream(join(dir, 'archive')),
  ] as const
  const flags = { data: join(dir, 'var'), import: false, 'log-level': 'silent' }
  const parts = await openParts(parseConfig({ flags, env: {} }), clock)
  t.teardown(async () => {
    await parts.close()
    for (const mirror of mirrors) await mirror.close()
  })
  const settings = {
    urls: mirrors.map(({ url }) => url),
    suites: ['stable'],
    components: ['main'],
    architectures: ['amd64'],
  }
  const keyring = await readFile(key.publicAsc)
  await addArchive(parts, { name: 'nut', settings, keyring }, { who: 'test' })
  const refresh: World['refresh'] = async () => {
    const [outcome] = await refreshArchive(parts, { archive: 'nut', urgency: 'command' })
    if (outcome === undefined) throw new Error('no suite')
    return outcome
  }
  const count: World['count'] = async ({ state }) =>
    state === undefined ? undefined : (await readState(parts.blobs, state)).indexes[0]?.stanzas
  return { parts, mirrors, refresh, count }
}

const faults: readonly (readonly [title: string, fault: Fault])[] = [
  ['a bit of it is wrong at its beginning', { kind: 'flip', offset: 40 }],
  ['a bit of it is wrong in its middle', { kind: 'flip', offset: 70_000 }],
  ['it is too long', { kind: 'wrong-size', by: 1 }],
  ['a login page comes in its stead', { kind: 'html' }],
]

for (const [title, fault] of faults) {
  t.test(`an index is had from the second mirror where of the first ${title}`, async (t) => {
    const { parts, mirrors, refresh, count } = await openWorld(t)
    mirrors[0].fault(INDEX, fault)
    const outcome = await refresh()
    t.match(outcome, { kind: 'changed', packages: COUNT, problem: undefined })
    t.equal(await count(outcome), COUNT)
    t.equal(mirrors[1].count(INDEX), 1)
    t.same((await verifyStore(parts, { deep: true })).problems, [])
  })

  t.test(
    `where of all mirrors ${title}, the suite has a problem and then its packages`,
    async (t) => {
      const { parts, mirrors, refresh, count } = await openWorld(t)
      for (const mirror of mirrors) mirror.fault(INDEX, fault)
      t.match(await refresh(), { kind: 'failed', state: undefined, problem: { since: Number } })
      for (const mirror of mirrors) mirror.clearFaults()
      const outcome = await refresh()
      t.match(outcome, { kind: 'changed', packages: COUNT })
      t.equal(await count(outcome), COUNT)
      t.same((await verifyStore(parts, { deep: true })).problems, [])
    },
  )
}

t.test('an index that breaks off is gone on with', async (t) => {
  const { parts, mirrors, refresh, count } = await openWorld(t)
  mirrors[0].fault(INDEX, { kind: 'truncate', bytes: 100_000 }, { times: 1 })
  const outcome = await refresh()
  t.match(outcome, { kind: 'changed', packages: COUNT })
  t.equal(await count(outcome), COUNT)
  t.match(
    mirrors[0].requests.findLast(({ path }) => INDEX.test(path)),
    { status: 206 },
  )
  t.same((await verifyStore(parts, { deep: true })).problems, [])
})
