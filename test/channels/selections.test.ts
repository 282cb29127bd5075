/**
 * What a promotion takes: by name and pattern, of security suites, what is old enough, all but some; told in all ways that
 * the command line has.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const DAY_MS = 24 * 3600_000
const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const toApproved = { from: 'testing', to: 'approved' }
const names = ['linux', 'linux-firmware', 'hello', 'other']

interface SelectionWorld extends World {
  readonly clock: TestClock
  /** Publishes `fresh` in the suite of security updates. */
  publishSecurity(fresh: readonly PackageSpec[]): Promise<void>
  /** Sources that a promotion would take, with suite and versions. */
  planned(selection: object): Promise<string[]>
}

/** Four sources wait in stable, and `hello` and `tls` in a suite of security updates. */
async function makeSelections(t: Test): Promise<SelectionWorld> {
  const clock = createTestClock(30 * DAY_MS)
  const createdAt = new Date(clock.now() - DAY_MS)
  const at = (): { date: Date; sign: { signedAt: Date } } => {
    const date = new Date(Math.floor(clock.now() / 1000) * 1000 - 600_000)
    return { date, sign: { signedAt: date } }
  }
  const first = names.map((name) => pack(name, '1'))
  const options = { start: { clock }, key: { createdAt }, publish: at() }
  const world = await makeWorld(t, first, options)
  const { sluice, dir, key } = world
  const publishSecurity: SelectionWorld['publishSecurity'] = async (packages) => {
    const parts = { components: ['main'], architectures: ['amd64'], packages, ...at() }
    const suite = { suite: 'stable-security', directory: 'stable-security', ...parts }
    await makeArchive(join(dir, 'archive'), { key, suites: [{ ...suite, label: 'Nut-Security' }] })
  }
  const publish: World['publish'] = (some, more = {}) => world.publish(some, { ...at(), ...more })
  const planned: SelectionWorld['planned'] = async (selection) => {
    const plan = await sluice.api('POST', '/promotions', {
      ...toApproved,
      ...selection,
      dryRun: true,
    })
    const changes: { source: string; suite: string; old: string[]; new: string[] }[] =
      plan.changes ?? []
    return changes.map((one) => [one.source, one.suite, ...one.old, '->', ...one.new].join(' '))
  }
  clock.advance(60_000)
  await publishSecurity([pack('hello', '1'), pack('tls', '1')])
  await sluice.api('PATCH', '/archives/nut', { suites: ['stable', 'stable-security'] })
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/promotions', { ...toApproved, all: true })
  clock.advance(60_000)
  await publish(names.map((name) => pack(name, '2')))
  await publishSecurity([pack('hello', '3'), pack('tls', '3')])
  await sluice.api('POST', '/archives/refresh')
  return { ...world, publish, clock, publishSecurity, planned }
}

t.test('sources are chosen by pattern, by suite of security, and all but some', async (t) => {
  const { planned, sluice, machine } = await makeSelections(t)
  t.same(await planned({ patterns: ['linux*'] }), [
    'linux stable 1 -> 2',
    'linux-firmware stable 1 -> 2',
  ])
  t.same(await planned({ patterns: ['linux*'], except: ['*-firmware'] }), ['linux stable 1 -> 2'])
  t.same(await planned({ patterns: ['li*x'], sources: [{ name: 'other' }] }), [
    'linux stable 1 -> 2',
    'other stable 1 -> 2',
  ])
  t.same(await planned({ security: true }), [
    'hello stable-security 1 -> 3',
    'tls stable-security 1 -> 3',
  ])
  t.same(await planned({ security: true, except: ['t*'] }), ['hello stable-security 1 -> 3'])
  t.same(await planned({ sources: [{ name: 'hello' }], security: true }), [
    'hello stable-security 1 -> 3',
  ])
  t.same(await planned({ all: true, except: ['linux*', 'hello', 'tls'] }), ['other stable 1 -> 2'])

  const chosen = { patterns: ['linux*'], except: ['linux-firmware'], reason: 'tried' }
  const made = await sluice.api('POST', '/promotions', { ...toApproved, ...chosen })
  t.match(made, {
    changes: [{ source: 'linux', old: ['1'], new: ['2'] }],
    leftOut: [{ source: 'linux-firmware', reason: 'excepted' }],
    files: { count: 1, missing: 1 },
  })
  const apt = await machine('one', 'approved', ' check-valid-until=no')
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('linux')).candidate, '2')
  t.equal((await apt.policy('linux-firmware')).candidate, '1')
})

t.test('what came lately stays, whatever else came with it or later', async (t) => {
  const { planned, sluice, clock, publish } = await makeSelections(t)
  const { api } = sluice
  t.same(await planned({ olderThanMs: DAY_MS }), [])
  clock.advance(2 * DAY_MS)
  await publish([pack('linux', '3'), ...names.slice(1).map((name) => pack(name, '2'))])
  await api('POST', '/archives/refresh')
  clock.advance(DAY_MS)
  t.same(await planned({ olderThanMs: 2 * DAY_MS, except: ['hello', 'tls'] }), [
    'linux-firmware stable 1 -> 2',
    'other stable 1 -> 2',
  ])
  const lately = { ...toApproved, sources: [{ name: 'linux' }], olderThanMs: 2 * DAY_MS }
  t.match((await api('POST', '/promotions', lately)).error, {
    code: 'ERR_REFUSED',
    message: 'testing has not had linux 3 for so long',
  })
  const before = await planned({ from: 'testing@3', olderThanMs: 2 * DAY_MS, patterns: ['linux'] })
  t.same(before, ['linux stable 1 -> 2'], 'an older generation has had it for longer')
  const made = await api('POST', '/promotions', { ...toApproved, olderThanMs: 2 * DAY_MS })
  t.match(made, { leftOut: [{ source: 'linux', old: ['1'], new: ['3'], reason: 'too young' }] })
  t.same(await planned({ all: true }), ['linux stable 1 -> 3'])
})

t.test('what selects nothing is told apart from what has nothing to do', async (t) => {
  const { sluice } = await makeSelections(t)
  const ask = (body: object): Promise<{ error: object; changes: object; leftOut: object }> =>
    sluice.api('POST', '/promotions', { ...toApproved, ...body })
  t.match((await ask({ patterns: ['linx*'] })).error, {
    code: 'ERR_NOT_FOUND',
    message: 'no archive has a source package that matches linx*',
  })
  t.match((await ask({ patterns: ['li nux*'] })).error, { code: 'ERR_USAGE' })
  t.match((await ask({ sources: [{ name: 'other' }], security: true })).error, {
    code: 'ERR_REFUSED',
    message: 'what testing has of other is not of a suite of security updates',
  })
  t.match((await ask({ sources: [{ name: 'other' }], except: ['o*'] })).error, {
    code: 'ERR_REFUSED',
    message: 'other is named, and excepted',
  })
  t.match((await ask({})).error, { code: 'ERR_USAGE' })
  t.match((await ask({ except: ['linux*'] })).error, { code: 'ERR_USAGE' })
  t.match((await ask({ all: true, patterns: ['linux*'] })).error, { code: 'ERR_USAGE' })
  const promoted = { patterns: ['linux'] }
  await ask(promoted)
  t.match(await ask(promoted), { changes: [], leftOut: [] })
})

t.test('a plan that was shown is what happens, or it is told what changed since', async (t) => {
  const { sluice, publish, clock } = await makeSelections(t)
  const ask = (body: object): ReturnType<typeof sluice.api> =>
    sluice.api('POST', '/promotions', { ...toApproved, ...body })
  const linux = { patterns: ['linux*'] }
  const shown = await ask({ ...linux, dryRun: true })
  t.match(shown, {
    fromSerial: 3,
    before: 2,
    digest: /^[0-9a-f]{64}$/,
    files: { count: 2, missing: 2 },
    changes: [
      { source: 'linux', archive: 'nut', suite: 'stable', old: ['1'], new: ['2'], binaries: 1 },
      { source: 'linux-firmware', binaries: 1 },
    ],
  })
  t.equal(shown.changes[0].sizeBytes, shown.changes[0].fetchBytes)
  t.equal((await ask({ ...linux, dryRun: true })).digest, shown.digest, 'it says the same again')

  t.match((await ask({ all: true, plan: shown.digest })).error, {
    code: 'ERR_REFUSED',
    message: /it was without --all; hello .* as well; other .* as well/,
  })
  clock.advance(60_000)
  await publish([...names.slice(1).map((name) => pack(name, '2')), pack('linux', '3')])
  await sluice.api('POST', '/archives/refresh')
  t.match((await ask({ ...linux, plan: shown.digest })).error, {
    code: 'ERR_REFUSED',
    message: /: testing is at generation 4, not 3; linux 1 -> 3, not 1 -> 2$/,
    hint: /--from testing@3 takes what was there then/,
  })
  t.equal((await sluice.api('GET', '/channels/approved')).head, 2, 'nothing happened')

  const then = await ask({ ...linux, from: 'testing@3', plan: shown.digest.slice(0, 16) })
  t.match(then, { generation: { serial: 3 }, changes: [{ new: ['2'] }, { new: ['2'] }] })
  t.match((await ask({ ...linux, from: 'testing@3', plan: shown.digest })).error, {
    code: 'ERR_REFUSED',
    message: /approved is at generation 3, not 2; linux would not change any more/,
  })
  t.match((await ask({ ...linux, plan: 'ffffffffffff' })).error, {
    code: 'ERR_REFUSED',
    message: 'what would happen now is not the plan ffffffffffff',
  })
})
