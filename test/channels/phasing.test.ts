/**
 * Phased updates: a channel that follows has upstream's phasing, and what was promoted is for all machines, unless the channel
 * keeps phasing.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import type { TestApt } from '../support/apt.ts'
import { caughtUp, machineAt } from '../support/based.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

function phased(name: string, version: string, percentage?: number): PackageSpec {
  const own = { 'Phased-Update-Percentage': `${percentage}` }
  return { name, version, arch: 'amd64', indexFields: percentage === undefined ? {} : own }
}

const toApproved = { from: 'testing', to: 'approved' }
const hello = { ...toApproved, sources: [{ name: 'hello' }] }

async function upstreamHas(world: World, ...packages: PackageSpec[]): Promise<void> {
  await world.publish(packages)
  await world.sluice.api('POST', '/archives/refresh')
}

/** A machine with hello 1, which is not among the first ones to get an update. */
async function lateMachine(world: World, name: string, channel: string): Promise<TestApt> {
  const apt = await machineAt(join(world.dir, name), world.sluice, `channels/${channel}@1`)
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.install('hello')).code, 0)
  const conf = join(apt.dir, 'etc/apt/apt.conf.d/phasing.conf')
  await writeFile(conf, 'APT::Machine-ID "0123456789abcdef0123456789abcdef";\n')
  await pointAt(apt, world, channel)
  return apt
}

async function pointAt(apt: TestApt, { sluice }: World, channel: string): Promise<void> {
  const key = join(apt.dir, 'sluice.asc')
  await apt.setSources(`deb [signed-by=${key}] ${sluice.url}/channels/${channel}/nut stable main`)
}

/** What the machine has of hello after an upgrade. */
async function upgraded(t: Test, apt: TestApt): Promise<string | undefined> {
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.upgrade()).code, 0)
  return (await apt.installed()).find((one) => one.startsWith('hello='))
}

async function fieldOn(apt: TestApt): Promise<string | undefined> {
  const { stdout } = await apt.run('apt-cache', ['show', '--no-all-versions', 'hello'])
  return /^Phased-Update-Percentage: (.*)$/m.exec(stdout)?.[1]
}

t.test('what was promoted is installed at once, and does not wait for ever', async (t) => {
  const world = await makeWorld(t, [phased('hello', '1'), phased('other', '1')])
  const { api } = world.sluice
  const [tester, worker] = [
    await lateMachine(world, 'tester', 'testing'),
    await lateMachine(world, 'worker', 'approved'),
  ]
  await upstreamHas(world, phased('hello', '2', 0), phased('other', '1'))
  t.equal(await upgraded(t, tester), 'hello=1', 'apt keeps it back where it is phased')
  t.equal(await fieldOn(tester), '0')
  t.match(await api('POST', '/promotions', hello), { changes: [{ old: ['1'], new: ['2'] }] })
  t.equal(await upgraded(t, worker), 'hello=2')
  t.equal(await fieldOn(worker), undefined)
  const nothing = async (): Promise<void> => {
    t.same((await api('GET', '/pending')).pending, [])
    t.same((await api('GET', '/diff?from=testing&to=approved')).changes, [])
    t.match(await api('POST', '/promotions', { ...toApproved, all: true }), { changes: [] })
  }
  await nothing()
  // Upstream goes on with it: no news for testing, nor for approved.
  await upstreamHas(world, phased('hello', '2', 50), phased('other', '1'))
  t.match((await api('GET', '/channels/testing/history'))[0], { serial: 3, changes: [] })
  await nothing()
  await upstreamHas(world, phased('hello', '2'), phased('other', '1'))
  await nothing()
  t.equal(await upgraded(t, tester), 'hello=2')
})

t.test('a channel may keep phasing: then a percentage waits as any change does', async (t) => {
  const world = await makeWorld(t, [phased('hello', '1')])
  const { api } = world.sluice
  t.match(await api('PATCH', '/channels/approved', { keepPhasing: true, reason: 'as upstream' }), {
    keepsPhasing: true,
  })
  t.match(await api('GET', '/audit?limit=1'), [
    { what: 'channel set', why: 'as upstream', detail: { now: { keepsPhasing: true } } },
  ])
  t.match((await api('PATCH', '/channels/testing', { keepPhasing: true })).error, {
    code: 'ERR_REFUSED',
  })
  const worker = await lateMachine(world, 'worker', 'approved')
  await upstreamHas(world, phased('hello', '2', 0))
  const { digest } = await api('POST', '/promotions', { ...hello, dryRun: true })
  await api('PATCH', '/channels/approved', { keepPhasing: false })
  t.match((await api('POST', '/promotions', { ...hello, plan: digest })).error, {
    code: 'ERR_REFUSED',
  })
  await api('PATCH', '/channels/approved', { keepPhasing: true })
  t.match(await api('POST', '/promotions', { ...hello, plan: digest }), {
    changes: [{ new: ['2'] }],
  })
  t.equal(await upgraded(t, worker), 'hello=1')
  t.equal(await fieldOn(worker), '0')
  await upstreamHas(world, phased('hello', '2', 20))
  t.match((await api('GET', '/pending')).pending, [{ source: 'hello', old: ['2'], new: ['2'] }])
  t.match((await api('GET', '/export')).text, /\[channel.approved\][^[]*\nkeep-phasing = true\n/)
})

t.test('a derived channel has phasing by its base, and none by its promotions', async (t) => {
  const world = await makeWorld(t, [phased('hello', '1'), phased('other', '1')])
  const { api } = world.sluice
  await api('POST', '/channels', { name: 'early', base: 'testing' })
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  await upstreamHas(world, phased('hello', '2', 10), phased('other', '1'))
  await caughtUp(world.sluice, 'early')
  await api('POST', '/promotions', { ...hello, to: 'web' })
  const field = async (name: string, channel: string): Promise<string | undefined> => {
    const apt = await machineAt(join(world.dir, name), world.sluice, `channels/${channel}`)
    t.same(troubles(await apt.update()), clean)
    t.equal((await apt.policy('hello')).candidate, '2')
    return fieldOn(apt)
  }
  t.equal(await field('one', 'early'), '10')
  t.equal(await field('two', 'web'), undefined)
  t.same((await api('GET', '/pending?from=testing&to=web')).pending, [])
  // A copy is as what it is copied from; what waits for it then is the end of the phasing.
  await api('POST', '/channels', { name: 'copy', from: 'testing' })
  t.same((await api('GET', '/pending?from=testing&to=copy')).pending, [])
  await upstreamHas(world, phased('hello', '2'), phased('other', '1'))
  t.match((await api('GET', '/pending?from=testing&to=copy')).pending, [{ source: 'hello' }])
  t.match(await api('POST', '/promotions', { ...hello, to: 'copy' }), {
    changes: [{ old: ['2'], new: ['2'] }],
  })
  t.equal(await field('three', 'copy'), undefined)
  t.same((await api('GET', '/pending?from=testing&to=copy')).pending, [])
})
