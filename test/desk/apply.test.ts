/**
 * The configuration of a server is written down, and rebuilds it elsewhere.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const pack = (name: string, version = '1'): PackageSpec => ({ name, version, arch: 'amd64' })
const packages = [pack('hello'), pack('linux'), pack('gtk+3.0')]

/** A server with something of everything. */
async function richWorld(t: Test): Promise<World> {
  const world = await makeWorld(t, packages)
  const { api } = world.sluice
  const keyring = await readFile(world.key.publicAsc, 'utf8')
  const nut = { urls: [world.upstream.url], suites: ['stable'], components: ['main'] }
  const login = world.upstream.url.replace('//', '//joe:secret@')
  const more = { languages: ['de', 'en'], allowExpired: true, rescue: false, sources: true }
  const asked = [
    api('POST', '/archives', { name: 'more', ...nut, ...more, architectures: ['amd64'], keyring }),
    api('POST', '/archives', {
      name: 'closed',
      ...nut,
      urls: [login, `${world.upstream.url}/mirror`],
      fallbacks: [login],
      architectures: ['amd64', 'arm64'],
      extras: ['contents', 'cnf'],
      allowOtherSuite: true,
      keyring,
    }),
  ]
  for (const one of await Promise.all(asked)) t.notOk(one.error)
  await api('POST', '/archives/refresh')
  const made = [
    ['POST', '/channels', { name: 'all', follow: ['more', 'nut'] }],
    ['POST', '/channels', { name: 'a-web', base: 'approved', follow: ['more'] }],
    ['POST', '/channels', { name: 'a-lab', base: 'a-web' }],
    ['PATCH', '/channels/approved', { keepGenerations: 50, keepDays: 20 }],
    ['POST', '/classes', { name: 'shop', channel: 'a-web' }],
    ['POST', '/classes', { name: 'lab', channel: 'approved' }],
    [
      'POST',
      '/holds',
      { channel: 'approved', source: 'linux', reason: 'breaks "our" shop\nbadly' },
    ],
    ['POST', '/holds', { channel: 'a-web', source: 'gtk+3.0' }],
    [
      'POST',
      '/policies',
      {
        name: 'night',
        from: 'testing',
        to: 'approved',
        schedule: '0 6 * * *',
        timeZone: 'Europe/Berlin',
        rules: ['linux* never', 'after 7 days'],
        freezes: ['2026-12-20 to 2027-01-06 except security: holidays'],
      },
    ],
  ] as const
  for (const [method, path, body] of made) {
    const { error } = await api(method, path, body)
    t.equal(error, undefined, path)
  }
  return world
}

async function emptyServer(t: Test): Promise<TestSluice> {
  const sluice = await startSluice(join(t.testdirName, 'other'))
  t.teardown(() => sluice.close())
  return sluice
}

t.test('an export rebuilds the configuration on an empty server', async (t) => {
  const { sluice, dir } = await richWorld(t)
  const { text, notes } = await sluice.api('GET', '/export')
  t.notMatch(text, /secret|joe/, 'no login is in it')
  t.match(notes, [/^archive closed: the login of http:\S+, http:\S+ is left out$/])
  t.same(await sluice.api('GET', '/export'), { text, notes })
  t.same(await sluice.api('POST', '/apply', { text }), { steps: [], left: [] })

  const other = await emptyServer(t)
  const dry = await other.api('POST', '/apply', { text, dryRun: true })
  t.match(dry.steps[0], { action: 'add', object: /archive/, outcome: 'planned' })
  t.same(await other.api('GET', '/archives'), [], 'a dry run changes nothing')

  const applied = await other.api('POST', '/apply', { text, file: 'site.toml' })
  t.same(
    applied.steps.filter((one: { outcome: string }) => one.outcome !== 'done'),
    [],
  )
  const again = await other.api('GET', '/export')
  t.same(
    again.text.split('\n'),
    text.split('\n').filter((line: string) => !/A login is left|on another one write/.test(line)),
  )
  const audit = await other.api('GET', '/audit?limit=100')
  t.match(
    audit.find(({ what }: { what: string }) => what === 'hold'),
    { why: 'apply site.toml', who: 'admin' },
  )
  t.match(
    audit.find(({ what }: { what: string }) => what === 'policy create'),
    { why: 'apply site.toml' },
  )

  const apt = await createApt(join(dir, 'one'), { sources: '' })
  const key = join(apt.dir, 'sluice.asc')
  await apt.run('/usr/lib/apt/apt-helper', [
    'download-file',
    `${other.url}/class/shop/key.asc`,
    key,
  ])
  await apt.setSources(`deb [signed-by=${key}] ${other.url}/class/shop/nut stable main`)
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello')), clean)
})
