/**
 * `apt-get changelog` gets what it asks for from Sluice, out of the packages: on a channel, on another one, on an old
 * generation, and never from anybody else.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { systemClock } from '../../src/base/clock.ts'
import { parseConfig } from '../../src/base/config.ts'
import { openParts } from '../../src/server/parts.ts'
import type { TestApt } from '../support/apt.ts'
import { runSluice } from '../support/program.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const doc = 'usr/share/doc'

function changelog(source: string, version: string): string {
  const by = ' -- A Maintainer <a@archive.example>  Mon, 01 Jan 2024 00:00:00 +0000'
  return `${source} (${version}) unstable; urgency=low\n\n  * What is new in ${version}.\n\n${by}\n`
}

/** A package of its own source, whose version has all that apt writes otherwise in a URL. */
function hello(version: string): PackageSpec {
  const files = { [`${doc}/hello/changelog.Debian.gz`]: changelog('hello', version) }
  return { name: 'hello', version, arch: 'amd64', files, content: 3000 }
}

/** `tool-dev -> libtool1 -> tool-common`, a binNMU of libtool1, and nothing but a link in the smallest one. */
function toolPackages(): PackageSpec[] {
  const one = { source: 'tool', version: '3-1', arch: 'amd64' }
  const link = (name: string, to: string): Pick<PackageSpec, 'files'> => ({
    files: { [`${doc}/${name}`]: { link: to } },
  })
  const text = { [`${doc}/tool-common/changelog.gz`]: changelog('tool', '3-1') }
  return [
    { ...one, name: 'tool-dev', ...link('tool-dev', 'libtool1') },
    {
      ...one,
      name: 'libtool1',
      version: '3-1+b2',
      sourceVersion: '3-1',
      ...link('libtool1', '/usr/share/doc/tool-common'),
    },
    { ...one, name: 'tool-common', arch: 'all', files: text, content: 20_000 },
  ]
}

const bare: PackageSpec = { name: 'bare', version: '1', arch: 'all' }

async function changelogOf(machine: TestApt, name: string): Promise<string> {
  const { code, stdout, stderr } = await machine.run('apt-get', ['changelog', name])
  return `${code} ${stdout}${stderr}`
}

async function updated(world: World, name: string, channel: string): Promise<TestApt> {
  const machine = await world.machine(name, channel)
  await machine.update()
  return machine
}

t.test('apt gets the changelog of the version that its channel has', async (t) => {
  const [old, fresh] = ['1:2.0+dfsg~rc1-1', '1:2.0+dfsg-1']
  const world = await makeWorld(t, [hello(old)])
  const { sluice, upstream, publish, machine } = world
  await publish([hello(fresh)])
  await sluice.api('POST', '/archives/refresh')
  const testing = await machine('testing', 'testing')
  const approved = await machine('approved', 'approved')
  t.same(troubles(await testing.update()), clean)
  t.same(troubles(await approved.update()), clean)
  t.match(await changelogOf(testing, 'hello'), `0 Get:1 ${sluice.url}`)
  t.match(await changelogOf(testing, 'hello'), changelog('hello', fresh))
  t.match(await changelogOf(approved, 'hello'), changelog('hello', old))
  t.equal(upstream.count(/changelog/), 0, 'upstream is asked for packages only')
  t.equal(upstream.count(/\.deb$/), 2, 'and for each once')

  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  const past = await machine('past', 'approved@1')
  t.same(troubles(await past.update()), clean)
  t.match(await changelogOf(past, 'hello'), changelog('hello', old), 'on an old generation')
  t.equal(upstream.count(/\.deb$/), 2)
})

t.test('links between packages of a source are followed', async (t) => {
  const world = await makeWorld(t, toolPackages())
  const machine = await updated(world, 'one', 'testing')
  for (const name of ['tool-dev', 'libtool1', 'tool-common'])
    t.match(await changelogOf(machine, name), changelog('tool', '3-1'), name)
})

t.test('what has none, what is not there and what cannot be had is told', async (t) => {
  const world = await makeWorld(t, [bare, hello('1')])
  const { sluice, upstream } = world
  const machine = await updated(world, 'one', 'testing')
  t.match(await changelogOf(machine, 'bare'), /404 {2}no package of bare 1 has a changelog/)
  const get = async (path: string): Promise<string> => {
    const response = await fetch(`${sluice.url}/changelogs/${path}`)
    return `${response.status} ${await response.text()}`
  }
  t.match(await get('nut/main/h/hello/hello_7_changelog'), /^404 .*no package of hello 7/)
  t.match(await get('oak/main/h/hello/hello_1_changelog'), /^404 .*oak/)
  for (const odd of [
    '',
    'nut',
    'nut/hello_1_changelog',
    'nut/main/h/hello/hello_1',
    'nut/a/b/c/d_1_changelog',
  ])
    t.match(await get(odd), /^404 sluice: /, JSON.stringify(odd))
  upstream.fault(/hello_1_amd64\.deb$/, { kind: 'status', status: 503 })
  t.match(await get('nut/main/h/hello/hello_1_changelog'), /^503 /)
  upstream.clearFaults()
  t.match(await get('nut/main/h/hello/hello_1_changelog'), /^200 hello \(1\)/)
  const post = await fetch(`${sluice.url}/changelogs/nut/main/h/hello/hello_1_changelog`, {
    method: 'POST',
  })
  t.equal(post.status, 405)
})

t.test('a text that never ends is not unpacked', async (t) => {
  const files = { [`${doc}/bomb/changelog.gz`]: 'x'.repeat(17 * 1024 ** 2) }
  const { sluice } = await makeWorld(t, [{ ...bare, name: 'bomb', files }])
  const response = await fetch(`${sluice.url}/changelogs/nut/main/b/bomb/bomb_1_changelog`)
  t.equal(response.status, 413)
  t.match(await response.text(), /more than 16777216 bytes/)
})

t.test('more are asked for than are read: the others are told to ask again', async (t) => {
  const { sluice, upstream } = await makeWorld(t, [hello('1'), hello('2'), hello('3')])
  const get = (version: string, gone?: AbortSignal): Promise<Response> =>
    fetch(`${sluice.url}/changelogs/nut/main/h/hello/hello_${version}_changelog`, {
      signal: gone ?? null,
    })
  upstream.fault(/hello_[12]_/, { kind: 'hang' })
  const gone = new AbortController()
  const asked = Array.from({ length: 200 }, (_, at) => get(String(at + 1), gone.signal))
  const first = await Promise.race(asked)
  t.equal(first.status, 503)
  t.match(await first.text(), /ask again/)
  gone.abort()
  await Promise.allSettled(asked)
  await upstream.close()
})

t.test(
  'one that many ask for is in memory once, and none is looked for again and again',
  async (t) => {
    const { sluice } = await makeWorld(t, [hello('1'), bare])
    await sluice.close()
    const flags = { data: sluice.dataDir, listen: '127.0.0.1:0', 'log-level': 'error' }
    const parts = await openParts(parseConfig({ flags, env: {} }), systemClock)
    try {
      const read = (): Promise<Buffer> =>
        parts.changelogs.read({ archive: 'nut', source: 'hello', version: '1' })
      await read()
      const [one, other] = await Promise.all([read(), read()])
      t.equal(one, other)
      const none = { archive: 'nut', source: 'bare', version: '1' }
      await t.rejects(parts.changelogs.read(none), { code: 'ERR_NOT_FOUND' })
      await rm(join(sluice.dataDir, 'blobs'), { recursive: true })
      await t.rejects(parts.changelogs.read(none), { code: 'ERR_NOT_FOUND' }, 'no package is read')
    } finally {
      await parts.close()
    }
  },
)

t.test('the command prints it', async (t) => {
  const { sluice, publish } = await makeWorld(t, [hello('1-1'), ...toolPackages()])
  await publish([hello('2-1'), ...toolPackages()])
  await sluice.api('POST', '/archives/refresh')
  const run = (...args: string[]) => runSluice(['--data', sluice.dataDir, ...args])
  t.equal((await run('changelog', 'hello')).stdout, changelog('hello', '2-1'))
  t.equal((await run('changelog', 'hello', '--from', 'approved')).stdout, changelog('hello', '1-1'))
  t.equal((await run('changelog', 'libtool1')).stdout, changelog('tool', '3-1'))
  const json = JSON.parse(
    (await run('changelog', 'hello', '--from', 'approved@1', '--json')).stdout,
  )
  t.match(json, { source: 'hello', version: '1-1', from: { channel: 'approved', serial: 1 } })
  const none = await run('changelog', 'nothing')
  t.match(none, { code: 4, stderr: /testing holds no binary or source package nothing/ })
})
