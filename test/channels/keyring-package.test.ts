/** The package with the keys of all channels: what is in it, that apt installs it, and that it is nobody's to promote. */
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { nextVersion } from '../../src/channels/keyring-package.ts'
import { makeDeb } from '../../src/debian/make-deb.ts'
import type { TestApt } from '../support/apt.ts'
import { runOk } from '../support/run.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const name = 'sluice-archive-keyring'
const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })

/** A machine whose sources name the file that the package has, as the lines of a channel's setup do. */
async function machine(world: World, channel: string): Promise<TestApt> {
  const apt = await world.machine(channel, channel)
  const keyrings = join(apt.dir, 'etc/apt/keyrings')
  const file = join(keyrings, `sluice-${channel}.asc`)
  await mkdir(keyrings)
  await copyFile(join(apt.dir, 'sluice.asc'), file)
  const base = `[signed-by=${file}] ${world.sluice.url}/channels/${channel}`
  await apt.setSources(`deb ${base}/nut stable main\ndeb ${base}/sluice stable main`)
  return apt
}

const keyringOf = (apt: TestApt, channel: string): Promise<string> =>
  readFile(join(apt.dir, `etc/apt/keyrings/sluice-${channel}.asc`), 'utf8')

async function textAt(url: string): Promise<string> {
  return (await fetch(url)).text()
}

t.test('a machine installs it, and has the keys of every channel', async (t) => {
  const world = await makeWorld(t, [hello('1')])
  const { sluice } = world
  const apt = await machine(world, 'approved')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install(name)), clean)
  const { installed = '' } = await apt.policy(name)
  t.match(installed, /^20\d\d\.\d\d\.\d\d\.\d+$/)
  for (const channel of ['testing', 'approved']) {
    const key = await textAt(`${sluice.url}/channels/${channel}/key.asc`)
    t.equal(await keyringOf(apt, channel), key, 'in place of the file that was there')
  }
  t.same(troubles(await apt.update()), clean)

  await sluice.api('POST', '/channels', { name: 'late', from: 'testing' })
  await sluice.api('POST', '/classes', { name: 'web', channel: 'approved' })
  const offered = async (): Promise<boolean> => {
    t.same(troubles(await apt.update()), clean)
    t.same(troubles(await apt.upgrade()), clean)
    return (await keyringOf(apt, 'class_web').catch(() => '')) !== ''
  }
  while (!(await offered()));
  t.equal(await keyringOf(apt, 'late'), await textAt(`${sluice.url}/channels/late/key.asc`))
  t.equal(await keyringOf(apt, 'class_web'), await textAt(`${sluice.url}/class/web/key.asc`))
  t.match(await apt.installed(), [/^sluice-archive-keyring=/])
  t.same((await sluice.api('GET', '/channels/approved')).head, 1, 'no generation was made for it')
})

t.test('it is a package as dpkg wants them, the same bytes whenever it is made', async (t) => {
  const { sluice, dir } = await makeWorld(t, [hello('1')])
  const { keyring } = (await sluice.api('GET', '/channels/approved')).setup
  const response = await fetch(keyring.url)
  t.equal(response.headers.get('content-type'), 'application/vnd.debian.binary-package')
  const deb = join(dir, 'keyring.deb')
  await writeFile(deb, await response.bytes())
  const digest = (await runOk('sha256sum', [deb])).stdout.slice(0, 64)
  t.equal(digest, keyring.sha256)
  const { stdout: info } = await runOk('dpkg-deb', ['--field', deb])
  t.match(info, /^Package: sluice-archive-keyring\nVersion: 20.*\nArchitecture: all\n/)
  t.match(info, /^Installed-Size: \d+$/m)
  const { stdout: list } = await runOk('dpkg-deb', ['--contents', deb])
  for (const line of list.trim().split('\n')) {
    t.match(line, /^(d[rwx-]{9}|-rw-r--r--) root\/root /, line)
  }
  t.match(list, /\.\/etc\/apt\/keyrings\/sluice-approved\.asc$/m)
  t.match(list, /\.\/usr\/share\/doc\/sluice-archive-keyring\/(changelog\.gz|copyright)$/m)
  const out = join(dir, 'out')
  await runOk('dpkg-deb', ['--raw-extract', deb, out])
  const control = (await readdir(join(out, 'DEBIAN'))).sort()
  t.same(control, ['control', 'md5sums'], 'no conffiles: an upgrade asks no question')
  await runOk('md5sum', ['--check', '--strict', 'DEBIAN/md5sums'], { cwd: out })
  await runOk('gzip', ['--test', join(out, `usr/share/doc/${name}/changelog.gz`)])

  const input = {
    control: [
      ['Package', 'x'],
      ['Version', '1'],
      ['Description', 'x'],
    ] as const,
    files: [
      { path: 'b', data: 'b' },
      { path: 'a/c', data: 'c' },
    ],
    at: 1_700_000_000,
  }
  const made = await makeDeb(input)
  const again = await makeDeb({ ...input, files: input.files.toReversed() })
  t.ok(made.bytes.equals(again.bytes))
})

t.test('its version only goes up', async (t) => {
  const day = new Date('2026-11-21T10:00:00Z')
  t.equal(nextVersion(undefined, day), '2026.11.21.1')
  t.equal(nextVersion('2026.11.21.1', day), '2026.11.21.2')
  t.equal(nextVersion('2026.11.21.9', day), '2026.11.21.10')
  t.equal(nextVersion('2026.11.20.7', day), '2026.11.21.1')
  t.equal(nextVersion('2027.01.01.3', day), '2027.01.01.4', 'when the clock went back, too')
  const versions = ['2026.11.20.7', '2026.11.21.9', '2026.11.21.10', '2027.01.01.4']
  for (const [at, old] of versions.slice(0, -1).entries()) {
    await runOk('dpkg', ['--compare-versions', old, 'lt', versions[at + 1] ?? ''])
  }
})

t.test('it is the newest everywhere, and nothing of it can be promoted', async (t) => {
  const world = await makeWorld(t, [hello('1')])
  const { sluice } = world
  await sluice.api('POST', '/classes', { name: 'web', channel: 'approved' })
  const suite = 'sluice/dists/stable'
  const release = await textAt(`${sluice.url}/class/web/${suite}/Release`)
  t.match(release, /^Architectures: all amd64$/m)
  t.match(release, /^ [0-9a-f]{64} +\d+ main\/binary-amd64\/Packages\.gz$/m)
  const hash = / ([0-9a-f]{64}) +\d+ main\/binary-amd64\/Packages\.gz$/m.exec(release)?.[1]
  const byHash = `${suite}/main/binary-amd64/by-hash/SHA256/${hash}`
  for (const place of [
    'channels/testing',
    'channels/approved',
    'channels/approved@1',
    'class/web',
  ]) {
    const settled = async () => (await fetch(`${sluice.url}/${place}/${byHash}`)).status
    t.equal(await settled(), 200, place)
  }
  t.equal((await fetch(`${sluice.url}/channels/nothing/${byHash}`)).status, 404)
  t.equal(
    (await fetch(`${sluice.url}/channels/approved/sluice/pool/00/${'0'.repeat(62)}/x`)).status,
    404,
  )

  t.same((await sluice.api('GET', '/pending')).pending, [])
  t.match(await sluice.api('GET', '/channels/approved'), {
    suites: 1,
    packages: 1,
    waiting: { sources: 0 },
  })
  t.same((await sluice.api('GET', `/search?name=${name}`)).length ?? 0, 0)
  const sources = [{ name }]
  const none = await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', sources })
  t.equal(none.error.code, 'ERR_NOT_FOUND')
  t.same((await sluice.api('POST', '/verify')).problems, [])

  const { setup } = await sluice.api('GET', '/channels/approved')
  t.match(
    setup.sources,
    /^URIs: .*\/channels\/approved\/sluice\nSuites: stable\nComponents: main\n/m,
  )
  const settings = { urls: [world.upstream.url], suites: ['stable'], components: ['main'] }
  const keyring = await readFile(world.key.publicAsc, 'utf8')
  const own = { name: 'sluice', ...settings, architectures: ['amd64'], keyring }
  t.match((await sluice.api('POST', '/archives', own)).error, { code: 'ERR_USAGE' })
})

t.test('it is signed anew in time, and a channel that was renamed keeps its file', async (t) => {
  const clock = createTestClock()
  const { sluice, dir } = await makeWorld(t, [hello('1')], { start: { clock } })
  const dateOf = async (): Promise<number> => {
    const release = await textAt(`${sluice.url}/channels/approved/sluice/dists/stable/Release`)
    return Date.parse(/^Date: (.*)$/m.exec(release)?.[1] ?? '')
  }
  const before = await dateOf()
  clock.advance(8 * 24 * 3600_000)
  while ((await dateOf()) < before + 7 * 24 * 3600_000);

  await sluice.api('POST', '/channels/approved/rename', { name: 'renamed' })
  const contents = async (): Promise<string> => {
    const { keyring } = (await sluice.api('GET', '/channels/renamed')).setup
    await writeFile(join(dir, 'deb'), await (await fetch(keyring.url)).bytes())
    return (await runOk('dpkg-deb', ['--contents', join(dir, 'deb')])).stdout
  }
  while (!(await contents()).includes('keyrings/sluice-renamed.asc'));
  t.match(await contents(), 'keyrings/sluice-approved.asc', 'sources may name it for ever')
})
