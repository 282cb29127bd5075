/**
 * A channel over the archive of oddities, judged by the programs that have to live with it: gzip, apt-ftparchive, gpgv,
 * sqv, dpkg-deb and apt in its manners of fetching. Other mirrors are asked in judges-mirrors.test.ts.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { poolPath } from '../../fixtures/debs.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { createApt, type TestApt } from '../support/apt.ts'
import {
  bodyOf,
  listedFiles,
  makeOddWorld,
  packagesPaths,
  stanzasOf,
} from '../support/odd-world.ts'
import { run, runOk } from '../support/run.ts'
import { clean, troubles } from '../support/world.ts'

const world = await makeOddWorld(t)
const sluice = await world.follow('var')
const channel = `${sluice.url}/channels/approved/odd`
const suites = world.suites.map(({ suite }) => suite)
const keys = { asc: join(world.dir, 'key.asc'), gpg: join(world.dir, 'key.gpg') }
for (const [form, path] of Object.entries(keys))
  await writeFile(path, await bodyOf(`${sluice.url}/channels/approved/key.${form}`))

t.test('gzip takes every index, and Release says what is in it', async (t) => {
  for (const suite of suites) {
    const listed = listedFiles((await bodyOf(`${channel}/dists/${suite}/Release`)).toString())
    t.same(
      [...listed.keys()].sort(),
      packagesPaths()
        .flatMap((path) => [path, `${path}.gz`])
        .sort(),
    )
    for (const path of packagesPaths()) {
      const packed = await bodyOf(`${channel}/dists/${suite}/${path}.gz`)
      t.same({ sha256: sha256Of(packed), size: packed.length }, listed.get(`${path}.gz`))
      const byHash = path.replace('Packages', `by-hash/SHA256/${sha256Of(packed)}`)
      t.same(await bodyOf(`${channel}/dists/${suite}/${byHash}`), packed)
      const file = join(world.dir, 'Packages.gz')
      await writeFile(file, packed)
      t.match(await run('gzip', ['--test', '--verbose', file]), { code: 0, stderr: /OK$/m })
      await runOk('gunzip', ['--force', file])
      const plain = await readFile(join(world.dir, 'Packages'))
      t.same({ sha256: sha256Of(plain), size: plain.length }, listed.get(path))
    }
  }
})

t.test('the same packages as apt-ftparchive reads in the pool, field by field', async (t) => {
  const { stdout } = await runOk('apt-ftparchive', ['packages', 'pool'], {
    cwd: join(world.dir, 'archive'),
  })
  const judged = new Map(stanzasOf(stdout).map((fields) => [fields.get('Filename'), fields]))
  for (const { suite, packages } of world.suites)
    for (const path of packagesPaths()) {
      const [component, arch] = path.split(/\/(?:binary-)?/)
      const wanted = packages
        .filter((one) => (one.component ?? 'main') === component)
        .filter((one) => one.arch === arch || one.arch === 'all')
        .map((one) => judged.get(poolPath(one)) ?? new Map())
      const published = gunzipSync(await bodyOf(`${channel}/dists/${suite}/${path}.gz`)).toString()
      t.same(content(stanzasOf(published)), content(wanted), `${suite} ${path}`)
      t.not(wanted.length, 0)
    }
})

t.test('gpgv and sqv take the signatures', async (t) => {
  for (const suite of suites) {
    const [inRelease = '', release = '', signature = ''] = await Promise.all(
      ['InRelease', 'Release', 'Release.gpg'].map(async (name) => {
        const path = join(world.dir, `${suite}-${name}`)
        await writeFile(path, await bodyOf(`${channel}/dists/${suite}/${name}`))
        return path
      }),
    )
    const out = join(world.dir, 'signed')
    const gpgv = ['--keyring', keys.gpg]
    t.match(await run('gpgv', [...gpgv, '--output', out, inRelease]), {
      code: 0,
      stderr: /Good signature from "Sluice channel approved"/,
    })
    const text = await readFile(release, 'utf8')
    t.equal((await readFile(out, 'utf8')).trimEnd(), text.trimEnd(), 'both sign the same text')
    t.match(await run('gpgv', [...gpgv, signature, release]), { code: 0 })
    await writeFile(out, text.replace('Odd', 'Old'))
    t.match(await run('gpgv', [...gpgv, signature, out]), { code: 1 })
    for (const keyring of [keys.asc, keys.gpg]) {
      t.match(await run('sqv', ['--keyring', keyring, signature, release]), { code: 0, stderr: '' })
      t.match(await run('sqv', ['--keyring', keyring, signature, out]), { code: 1 })
    }
  }
})

t.test('every package comes as upstream has it', async (t) => {
  for (const { suite, packages } of world.suites) {
    const apt = await machine(`on-${suite}`, suite)
    t.same(troubles(await apt.update()), clean)
    const wanted = packages.map(({ name, arch, version }) => `${name}:${arch}=${version}`)
    const place = join(apt.dir, 'downloads')
    await runOk('mkdir', [place])
    const download = ['-c', `cd ${place} && exec apt-get download "$@"`, 'sh', ...wanted]
    const { code, stderr } = await apt.run('sh', download)
    t.same({ code, stderr }, { code: 0, stderr: '' })
    const names = await readdir(place)
    const got = await Promise.all(
      names.map(async (name) => sha256Of(await readFile(join(place, name)))),
    )
    const have = await Promise.all(
      packages.map(async (one) =>
        sha256Of(await readFile(join(world.dir, 'archive', poolPath(one)))),
      ),
    )
    t.same(got.sort(), have.sort())
    for (const name of names) {
      const { code } = await run('dpkg-deb', ['--contents', join(place, name)])
      t.equal(code, 0, name)
    }
  }
})

t.test('apt is content whichever way it is told to fetch indexes', async (t) => {
  const ways = {
    'as it comes, pdiffs wanted': [],
    'kept compressed': ['Acquire::GzipIndexes "true";', 'Acquire::CompressionTypes::Order:: "gz";'],
    'by hash only': ['Acquire::By-Hash "force";'],
    'by name only': ['Acquire::By-Hash "no";'],
  }
  const seen = new Map<string, string[]>()
  for (const [way, config] of Object.entries(ways)) {
    const apt = await machine(way.replaceAll(' ', '-'), 'stable', config)
    const update = await apt.update('-o', 'Debug::Acquire::http=true')
    t.same(troubles(update), clean, way)
    const asked = [...update.output.matchAll(/^GET \S+\/binary-\S+?\/(\S+) HTTP/gm)]
    seen.set(way, [...new Set(asked.map(([, path = '']) => path.replace(/[0-9a-f]{64}/, '…')))])
    t.same(troubles(await apt.update()), clean, `${way}, again`)
    t.same(troubles(await apt.download('hello', 'unicode')), clean, way)
    t.equal((await apt.policy('many')).candidate, '1:0.5-1')
    const lists = (await apt.lists()).filter((name) => name.includes('_Packages'))
    t.equal(lists.length, 4, way)
    t.equal(
      lists.every((name) => !name.endsWith('Packages')),
      way === 'kept compressed',
      way,
    )
  }
  t.same(seen.get('by hash only'), ['by-hash/SHA256/…'])
  t.same(seen.get('by name only'), ['Packages.gz'])
})

t.test('debootstrap reads both suites, and fetches what it is told to', async (t) => {
  const script = join(world.dir, 'debootstrap-script')
  const styles = ['mirror_style release', 'download_style apt', 'finddebs_style from-indices']
  const lines = [
    ...styles,
    'work_out_debs() { required=hello; base=greet-demos; }',
    'first_stage_install() { :; }',
    '',
  ]
  await writeFile(script, lines.join('\n'))
  for (const suite of suites)
    for (const arch of ['amd64', 'arm64']) {
      const target = join(world.dir, `system-${suite}-${arch}`)
      const how = ['--foreign', '--resolve-deps', `--arch=${arch}`]
      const what = ['--components=main,extra', `--keyring=${keys.gpg}`]
      const args = [...how, ...what, suite, target, channel, script]
      const { code, stdout } = await run('debootstrap', args)
      t.equal(code, 0, stdout)
      t.match(stdout, /^I: Valid Release signature/m)
      t.notMatch(stdout, /^[WE]: /m)
      const got = await readdir(join(target, 'var/cache/apt/archives'))
      const names = got.filter((name) => name.endsWith('.deb')).map((name) => name.split('_')[0])
      t.same(names.sort(), ['greet-data', 'greet-demos', 'hello', 'libgreet1'])
    }
})

/** What stanzas say, apart from where the file lies and the digests that we do not publish; in an order of its own. */
function content(stanzas: readonly ReadonlyMap<string, string>[]): string[] {
  const ours = ['Filename', 'MD5sum', 'SHA1', 'SHA512']
  return stanzas
    .map((fields) => [...fields].filter(([name]) => !ours.includes(name)))
    .map((fields) => fields.map(([name, value]) => `${name}: ${value}\n`))
    .map((lines) => lines.sort().join(''))
    .sort()
}

/** A machine of both architectures on one suite of the channel. */
async function machine(
  name: string,
  suite: string,
  config: readonly string[] = [],
): Promise<TestApt> {
  const dir = join(world.dir, name)
  const sources = `deb [signed-by=${keys.asc}] ${channel} ${suite} main extra`
  return createApt(dir, { sources, config, foreign: ['arm64'] })
}
