/**
 * Packages that leave a local archive: taken out, over, or older than what it keeps. Channels that follow it lose them, what
 * was promoted stays, and nothing revoked is ever published again.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'
import { runSluice } from '../support/program.ts'
import { startSluice } from '../support/sluice.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, troubles } from '../support/world.ts'

const app = (version: string, more: Partial<PackageSpec> = {}): PackageSpec => ({
  name: 'acme-app',
  version,
  arch: 'amd64',
  content: 2000,
  ...more,
})
const toApproved = { from: 'testing', to: 'approved', all: true }
const place = { name: 'acme-app', architecture: 'amd64', suite: 'stable', component: 'main' }
const HOUR_MS = 3600_000

/** `acme-app 1.0` of each package that the channel offers. */
async function offers({ sluice }: LocalBed, channel: string): Promise<string[]> {
  const path = `/channels/${channel}/internal/dists/stable/main/binary-amd64/Packages.gz`
  const answer = await fetch(`${sluice.url}${path}`)
  const text = gunzipSync(await answer.arrayBuffer()).toString()
  return [...text.matchAll(/^Package: (.+)\n(?:.+\n)*?Version: (.+)$/gm)].map(
    ([, name, version]) => `${name} ${version}`,
  )
}

t.test(
  'what is unpublished leaves following channels, and stays where it was promoted',
  async (t) => {
    const bed = await makeLocalBed(t)
    const { sluice, publish, settle, machine } = bed
    const { api } = sluice
    for (const version of ['1.0', '1.1']) await publish(app(version))
    await publish(
      app('7', { name: 'acme-lib', arch: 'all', source: 'acme-app', sourceVersion: '1.1' }),
    )
    await settle()
    await api('POST', '/promotions', toApproved)
    const asked = { package: 'acme-app', version: '1.1', reason: 'not yet' }
    const plan = await api('POST', '/archives/internal/unpublish', { ...asked, dryRun: true })
    const gone = {
      removed: [
        { name: 'acme-app', version: '1.1', architecture: 'amd64' },
        { name: 'acme-lib', version: '7', architecture: 'all' },
      ],
      channels: [
        { channel: 'testing', keeps: false },
        { channel: 'approved', keeps: true },
      ],
    }
    t.match(plan, { ...gone, generations: [] })
    t.same(await offers(bed, 'testing'), ['acme-app 1.0', 'acme-app 1.1', 'acme-lib 7'])
    const before = (await api('GET', '/channels/testing')).head
    const done = await api('POST', '/archives/internal/unpublish', asked)
    t.match(done, { ...gone, generations: [{ channel: 'testing', serial: before + 1 }] })
    t.same(await offers(bed, 'testing'), ['acme-app 1.0'])
    t.same(await offers(bed, 'approved'), ['acme-app 1.0', 'acme-app 1.1', 'acme-lib 7'])
    t.match(await api('GET', '/audit?what=unpublish'), [
      { object: 'archive internal', why: 'not yet', who: 'admin' },
    ])
    t.match(await api('GET', '/archives/internal/packages'), [{ version: '1.0' }])
    const apt = await machine('approved')
    t.same(troubles(await apt.update()), clean)
    t.same(troubles(await apt.install('acme-app')), clean)
    t.same(await apt.installed(), ['acme-app=1.1'])

    t.match(await api('POST', '/archives/internal/unpublish', asked), {
      error: { code: 'ERR_NOT_FOUND', message: 'internal has no acme-app 1.1' },
    })
    t.match(await publish(app('1.1', { content: 2001 })), { error: { code: 'ERR_CONFLICT' } })
    t.match(await publish(app('1.1')), { published: { outcome: 'published' } })
    await settle()
    t.same(await offers(bed, 'testing'), ['acme-app 1.0', 'acme-app 1.1'])
    const all = await api('POST', '/archives/internal/unpublish', { package: 'acme-app' })
    t.equal(all.removed.length, 2, 'without a version, all of them')
    t.same(await offers(bed, 'testing'), [])
    t.same((await api('POST', '/verify', { deep: true })).problems, [])
  },
)

t.test('what has an end is taken out by itself then', async (t) => {
  const clock = createTestClock(0)
  const bed = await makeLocalBed(t, {}, { clock })
  const { sluice, publish, settle } = bed
  const { api } = sluice
  for (const version of ['1.0', '1.1']) await publish(app(version))
  await settle()
  const ends = { packages: [{ ...place, version: '1.1' }], reason: 'for the fair' }
  const endsAt = clock.now() + HOUR_MS
  t.match(await api('PUT', '/archives/internal/ends', { ...ends, endsAt: clock.now() - 1 }), {
    error: { code: 'ERR_USAGE' },
  })
  t.match(await api('PUT', '/archives/internal/ends', { ...ends, endsAt }), { endsAt })
  t.match(await api('GET', '/archives/internal/packages'), [
    { version: '1.0', endsAt: undefined },
    { version: '1.1', endsAt },
  ])
  t.match(await api('GET', '/audit?what=expires'), [{ why: 'for the fair' }])
  clock.advance(HOUR_MS / 2)
  await settle()
  t.same(await offers(bed, 'testing'), ['acme-app 1.0', 'acme-app 1.1'])
  clock.advance(HOUR_MS / 2)
  while ((await offers(bed, 'testing')).length > 1) await setTimeout(20)
  t.same(await offers(bed, 'testing'), ['acme-app 1.0'])
  t.match(await api('GET', '/audit?what=unpublish'), [{ who: 'system', why: 'its time is over' }])

  // Published again it has no end; and never means never.
  await publish(app('1.1'))
  t.match(await api('GET', '/archives/internal/packages'), [{}, { endsAt: undefined }])
  await api('PUT', '/archives/internal/ends', { ...ends, endsAt: clock.now() + HOUR_MS })
  await api('PUT', '/archives/internal/ends', { ...ends, endsAt: null })
  clock.advance(2 * HOUR_MS)
  await settle()
  t.same(await offers(bed, 'testing'), ['acme-app 1.0', 'acme-app 1.1'])
})

t.test('an archive keeps the newest versions of each package, as many as it is told', async (t) => {
  const bed = await makeLocalBed(t)
  const { sluice, publish, settle } = bed
  const { api } = sluice
  await publish(app('1', { name: 'other', arch: 'all' }))
  for (const version of ['1.9', '1.10', '1.2~rc1']) await publish(app(version))
  await settle()
  await api('POST', '/promotions', toApproved)
  await api('PATCH', '/archives/internal', { keepVersions: 2, reason: 'room' })
  while ((await offers(bed, 'testing')).length > 3) await setTimeout(20)
  t.same(await offers(bed, 'testing'), ['acme-app 1.9', 'acme-app 1.10', 'other 1'])
  t.match(await api('GET', '/archives/internal'), { keepVersions: 2 })
  const { head } = await api('GET', '/channels/testing')
  await publish(app('2'))
  t.same(await settle(), [{ channel: 'testing', serial: head + 1 }], 'one generation for both')
  t.same(await offers(bed, 'testing'), ['acme-app 1.10', 'acme-app 2', 'other 1'])
  t.equal((await offers(bed, 'approved')).length, 4)
  t.match(await api('GET', '/audit?what=unpublish&limit=1'), [
    { who: 'system', why: 'the newest 2 versions are kept' },
  ])
  t.match(await publish(app('1.9.1')), {
    error: { code: 'ERR_REFUSED', message: /keeps the newest 2 versions.* than acme-app 1\.9\.1$/ },
  })
  t.match(await publish(app('1.10')), { published: { outcome: 'unchanged' } })
  t.match(await api('PATCH', '/archives/internal', { keepVersions: -1 }), {
    error: { code: 'ERR_USAGE' },
  })
})

t.test('what is revoked cannot be published, and comes back when that is undone', async (t) => {
  const bed = await makeLocalBed(t)
  const { sluice, publish, settle, machine } = bed
  const { api } = sluice
  await publish(app('1.0'))
  await settle()
  await api('POST', '/promotions', toApproved)
  const bad = { name: 'acme-app', version: '1.0', reason: 'it eats disks' }
  t.match(await api('POST', '/revocations', bad), { channels: [{}, {}], files: 1 })
  for (const channel of ['testing', 'approved']) t.same(await offers(bed, channel), [])
  for (const again of [app('1.0'), app('1.0', { content: 7 })]) {
    t.match(await publish(again), {
      error: { code: 'ERR_REFUSED', message: 'acme-app 1.0 was revoked: it eats disks' },
    })
  }
  t.match(await publish(app('1.1')), { published: { outcome: 'published' } })
  await settle()
  t.same(await offers(bed, 'testing'), ['acme-app 1.1'])
  // The one place where its bytes are is ours.
  await api('DELETE', '/revocations', bad)
  t.same(await offers(bed, 'testing'), ['acme-app 1.0', 'acme-app 1.1'])
  const apt = await machine('testing')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('acme-app=1.0')), clean)
})

t.test('how many versions are kept is part of the configuration', async (t) => {
  const { sluice, dir } = await makeLocalBed(t, { keepVersions: 3 })
  const run = (...args: string[]): ReturnType<typeof runSluice> =>
    runSluice(['--data', sluice.dataDir, ...args])
  const { stdout: text } = await run('export')
  t.match(text, /^keep-versions = 3$/m)
  const file = join(dir, 'sluice-config.toml')
  await writeFile(file, text.replace('keep-versions = 3', 'keep-versions = 5'))
  t.match(await run('apply', file), { code: 0, stdout: /keep-versions/ })
  t.match(await sluice.api('GET', '/archives/internal'), { keepVersions: 5 })
  t.match(await run('archive', 'set', 'internal', '--keep-versions', 'all'), { code: 0 })
  t.notMatch((await run('export')).stdout, /keep-versions/)
})

t.test('packages are listed, given an end and taken out by commands', async (t) => {
  const { sluice, build } = await makeLocalBed(t)
  const run = (...args: string[]): ReturnType<typeof runSluice> =>
    runSluice(['--data', sluice.dataDir, ...args])
  const publish = (file: string, ...more: string[]) =>
    run('publish', file, '--to', 'internal', ...more)
  t.match(
    (await run('archive', 'packages', 'internal')).stdout,
    /^nothing is in internal: sluice p/,
  )
  const [old, fresh] = [await build(app('1.0')), await build(app('1.1'))]
  t.match(await publish(old), { code: 0 })
  const published = await publish(fresh, '--expires', '2099-12-31')
  t.match(published, { code: 0, stderr: '' })
  t.match(published.stdout, /^until 2100-01-01 00:00, then it is taken out$/m)
  t.match(await publish(fresh, '--expires', 'soon'), { code: 2, stderr: /--expires wants a time/ })
  t.match(await publish(fresh, '--expires', '2020-01-01'), { code: 2, stderr: /over already/ })
  const list = (await run('archive', 'packages', 'internal')).stdout
  t.match(list, /^acme-app +1\.0 +amd64 +stable main .* admin *$/m)
  t.match(list, /^acme-app +1\.1 +amd64 +stable main .* admin +2100-01-01 00:00$/m)
  // The same file again: nothing is published, and its end is another.
  t.match(await publish(fresh, '--expires', 'never'), { code: 0, stdout: /^known / })
  t.notMatch((await run('archive', 'packages', 'internal')).stdout, /2100-01-01/)
  t.match(await run('promote', '--all'), { code: 0 })

  const out = ['unpublish', 'acme-app=1.1', '--from', 'internal'] as const
  const plan = await run(...out, '--dry-run')
  t.match(plan.stdout, /^would go {2}acme-app 1\.1 amd64 {2}stable main$/m)
  t.match(plan.stdout, /^would leave testing, which follows internal$/m)
  const done = await run(...out, '--reason', 'too early')
  t.match(done, { code: 0, stderr: '' })
  t.match(done.stdout, /^taken out {2}acme-app 1\.1 amd64 {2}stable main$/m)
  t.match(done.stdout, /^testing generation \d+$/m)
  t.match(
    done.stdout,
    /^approved has it still, by promotion; out of all: sluice revoke acme-app=1\.1 --reason TEXT$/m,
  )
  t.match(await run(...out), { code: 4, stderr: /internal has no acme-app 1\.1/ })
  t.match(await run('unpublish', 'acme-app', '--from', 'nowhere'), { code: 4 })
  const json = JSON.parse(
    (await run('--json', 'unpublish', 'acme-app', '--from', 'internal')).stdout,
  )
  t.match(json, { removed: [{ version: '1.0' }], generations: [{ channel: 'testing' }] })
  t.match(await publish(old), { code: 0 })
  t.match(await run('revoke', 'acme-app=1.0', '--reason', 'it eats disks'), { code: 0 })
  t.match(await publish(old), { code: 5, stderr: /acme-app 1\.0 was revoked: it eats disks/ })
})

t.test('what ended while the server was off is taken out at the start', async (t) => {
  const bed = await makeLocalBed(t)
  const { sluice, publish, settle } = bed
  for (const version of ['1.0', '1.1']) await publish(app(version))
  await settle()
  const endsAt = Date.now() + HOUR_MS
  const ends = { packages: [{ ...place, version: '1.1' }], endsAt }
  await sluice.api('PUT', '/archives/internal/ends', ends)
  await sluice.close()
  const later = createTestClock(0)
  later.advance(2 * HOUR_MS)
  const again = await startSluice(sluice.dataDir, { clock: later })
  t.teardown(() => again.close())
  while ((await offers({ ...bed, sluice: again }, 'testing')).length > 1) await setTimeout(20)
  t.same(await offers({ ...bed, sluice: again }, 'testing'), ['acme-app 1.0'])
})
