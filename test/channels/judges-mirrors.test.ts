/**
 * aptly, reprepro and debmirror, as Debian ships them, mirror a channel whole, sources too: every file arrives, and nothing
 * is complained of.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { oddFixtureWithSources } from '../../fixtures/odd-fixture.ts'
import { readSourceFiles, type SourceSpec } from '../../fixtures/source-packages.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { compareVersions } from '../../src/debian/version.ts'
import { openGpgHome } from '../debian/openpgp-judges.ts'
import { bodyOf, makeOddWorld } from '../support/odd-world.ts'
import { runOk } from '../support/run.ts'

const world = await makeOddWorld(t, oddFixtureWithSources(), { sources: true })
const sluice = await world.follow('var')
const channel = `${sluice.url}/channels/approved/odd`
const gpg = await openGpgHome()
t.teardown(() => gpg.close())
const keyring = join(world.dir, 'key.gpg')
await writeFile(keyring, await bodyOf(`${sluice.url}/channels/approved/key.gpg`))
await gpg.run('--import', keyring)
const complaint = /warn|error|fail|skip|miss|unable|invalid|wrong/i
const sourceLabel = ({ name, version }: SourceSpec): string => `${name}_${version}_source`
const label = ({ name, version, arch }: PackageSpec): string => `${name}_${version}_${arch}`

t.test('aptly mirrors it', async (t) => {
  const home = join(world.dir, 'aptly')
  await mkdir(home)
  const config = join(home, 'aptly.conf')
  await writeFile(config, JSON.stringify({ rootDir: home, downloadConcurrency: 4 }))
  const aptly = async (...args: string[]): Promise<string> => {
    const env = { HOME: home, GNUPGHOME: gpg.dir }
    const { stdout, stderr } = await runOk('aptly', [`-config=${config}`, ...args], { env })
    return stdout + stderr
  }
  for (const { suite, packages, sources = [] } of world.suites) {
    const create = [
      'mirror',
      'create',
      `-keyring=${keyring}`,
      '-architectures=amd64,arm64',
      '-with-sources',
    ]
    const made = await aptly(...create, suite, channel, suite)
    t.match(made, /Good signature from "Sluice channel approved"/)
    t.notMatch(made, complaint)
    const updated = await aptly('mirror', 'update', `-keyring=${keyring}`, suite)
    t.match(updated, /has been successfully updated/)
    t.notMatch(updated, complaint)
    const shown = await aptly('mirror', 'show', '-with-packages', suite)
    t.match(shown, /^Components: extra, main$/m)
    const listed = [...shown.matchAll(/^ {2}(\S+_\S+_\S+)$/gm)].map((match) => match[1])
    const wanted = [...packages.map(label), ...sources.map(sourceLabel)]
    t.same(listed.sort(), wanted.sort(), suite)
  }
  t.same(
    await digestsBelow(join(home, 'pool')),
    await digestsOf(
      world.suites.flatMap((one) => one.packages),
      world.suites.flatMap((one) => one.sources ?? []),
    ),
  )
})

t.test('reprepro mirrors it', async (t) => {
  // One version of a package is all that it keeps in a suite, the newest.
  for (const { suite, packages, sources = [] } of world.suites) {
    const base = join(world.dir, `reprepro-${suite}`)
    await mkdir(join(base, 'conf'), { recursive: true })
    const about = ['Architectures: amd64 arm64 source', 'Components: main extra', 'Update: sluice']
    await writeFile(
      join(base, 'conf/distributions'),
      [`Codename: ${suite}`, ...about, ''].join('\n'),
    )
    const { fingerprint }: { fingerprint: string } = await sluice.api('GET', '/channels/approved')
    const from = ['Name: sluice', `Method: ${channel}`, `Suite: ${suite}`]
    const update = [...from, `VerifyRelease: ${fingerprint.slice(-16)}`, '']
    await writeFile(join(base, 'conf/updates'), update.join('\n'))
    const reprepro = async (...args: string[]): Promise<string> => {
      const env = { HOME: base, GNUPGHOME: gpg.dir }
      const { stdout, stderr } = await runOk('reprepro', ['--basedir', base, ...args], { env })
      return stdout + stderr
    }
    t.notMatch(await reprepro('update'), complaint, suite)
    const newest = packages.filter((one) => packages.every((other) => !isNewer(other, one)))
    // What is there for its license alone is no source package to it.
    const own = sources.filter(({ fields }) => fields?.['XS-Extra-Source-Only'] === undefined)
    const newestSources = own.filter((one) => own.every((other) => !isNewer(other, one)))
    const listed = (await reprepro('list', suite)).trim().split('\n')
    const sourceLines = newestSources.map(
      ({ name, version, component = 'main' }) => `${suite}|${component}|source: ${name} ${version}`,
    )
    const lines = [...newest.flatMap((one) => linesOf(suite, one)), ...sourceLines]
    t.same(listed.sort(), lines.sort())
    t.notMatch(await reprepro('check'), complaint)
    t.same(await digestsBelow(join(base, 'pool')), await digestsOf(newest, newestSources))
    t.match(
      await reprepro('update'),
      /Nothing to do/i,
      'and has nothing to do when nothing changed',
    )
  }
})

t.test('debmirror mirrors it, descriptions too', async (t) => {
  const home = join(world.dir, 'debmirror')
  await mkdir(home)
  const { host, pathname } = new URL(channel)
  const all = world.suites.map(({ suite }) => suite).join(',')
  const options = {
    method: 'http',
    host,
    root: pathname,
    dist: all,
    section: 'main,extra',
    arch: 'amd64,arm64',
    keyring,
    'rsync-extra': 'none',
    diff: 'none',
  }
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const env = { HOME: home, GNUPGHOME: gpg.dir }
  const flags = ['--source', '--i18n', '--checksums', '--verbose']
  for (const again of [false, true]) {
    const { stdout, stderr } = await runOk('debmirror', [...args, ...flags, join(home, 'mirror')], {
      env,
    })
    t.match(stdout, /^All done\.$/m)
    // A mirror of Debian's own would tell of itself by files that are not part of an archive.
    const said = (stdout + stderr).replace(/^Warning: --rsync-extra .*$/m, '')
    t.notMatch(said, /warn|fail|missing|unable|invalid|wrong/i)
    if (again) t.match(stdout, /^Files to download: 0 B$/m)
  }
  t.same(
    await digestsBelow(join(home, 'mirror/pool')),
    await digestsOf(
      world.suites.flatMap((one) => one.packages),
      world.suites.flatMap((one) => one.sources ?? []),
    ),
  )
  const indexes = await readdir(join(home, 'mirror/dists'), { recursive: true })
  for (const { suite } of world.suites)
    for (const component of ['main', 'extra'])
      for (const path of ['source/Sources.gz', 'i18n/Translation-en.gz'])
        t.ok(indexes.includes(`${suite}/${component}/${path}`), `${suite}/${component}/${path}`)
})

type Named = Pick<PackageSpec, 'name' | 'version'> & { readonly arch?: string }

function isNewer(one: Named, other: Named): boolean {
  if (one.name !== other.name || one.arch !== other.arch) return false
  return compareVersions(one.version, other.version) > 0
}

/** How reprepro lists it: once for each architecture that has it. */
function linesOf(
  suite: string,
  { name, version, arch, component = 'main' }: PackageSpec,
): string[] {
  const architectures = arch === 'all' ? ['amd64', 'arm64'] : [arch]
  return architectures.map((one) => `${suite}|${component}|${one}: ${name} ${version}`)
}

/** Digests of the files that packages and sources have at upstream. */
async function digestsOf(
  packages: readonly PackageSpec[],
  sources: readonly SourceSpec[],
): Promise<string[]> {
  const archive = join(world.dir, 'archive')
  const files = packages.map((one) => join(archive, poolPath(one)))
  const ofSources = await Promise.all(sources.map((one) => readSourceFiles(archive, one)))
  return digests([...files, ...ofSources.flat()])
}

/** Digests of the files below a directory. */
async function digestsBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  return digests(entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name)))
}

async function digests(files: readonly string[]): Promise<string[]> {
  const all = await Promise.all(files.map(async (file) => sha256Of(await readFile(file))))
  return [...new Set(all)].sort()
}
