/**
 * aptly and reprepro, as Debian ships them, mirror a channel whole: every package arrives, and nothing is complained of.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { compareVersions } from '../../src/debian/version.ts'
import { openGpgHome } from '../debian/openpgp-judges.ts'
import { bodyOf, makeOddWorld } from '../support/odd-world.ts'
import { runOk } from '../support/run.ts'

const world = await makeOddWorld(t)
const sluice = await world.follow('var')
const channel = `${sluice.url}/channels/approved/odd`
const gpg = await openGpgHome()
t.teardown(() => gpg.close())
const keyring = join(world.dir, 'key.gpg')
await writeFile(keyring, await bodyOf(`${sluice.url}/channels/approved/key.gpg`))
await gpg.run('--import', keyring)
const complaint = /warn|error|fail|skip|miss|unable|invalid|wrong/i
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
  for (const { suite, packages } of world.suites) {
    const create = ['mirror', 'create', `-keyring=${keyring}`, '-architectures=amd64,arm64']
    const made = await aptly(...create, suite, channel, suite)
    t.match(made, /Good signature from "Sluice channel approved"/)
    t.notMatch(made, complaint)
    const updated = await aptly('mirror', 'update', `-keyring=${keyring}`, suite)
    t.match(updated, /has been successfully updated/)
    t.notMatch(updated, complaint)
    const shown = await aptly('mirror', 'show', '-with-packages', suite)
    t.match(shown, /^Components: extra, main$/m)
    const listed = [...shown.matchAll(/^ {2}(\S+_\S+_\S+)$/gm)].map((match) => match[1])
    t.same(listed.sort(), packages.map(label).sort(), suite)
  }
  t.same(
    await digestsBelow(join(home, 'pool')),
    await digestsOf(world.suites.flatMap((one) => one.packages)),
  )
})

t.test('reprepro mirrors it', async (t) => {
  // One version of a package is all that it keeps in a suite, the newest.
  for (const { suite, packages } of world.suites) {
    const base = join(world.dir, `reprepro-${suite}`)
    await mkdir(join(base, 'conf'), { recursive: true })
    const about = ['Architectures: amd64 arm64', 'Components: main extra', 'Update: sluice']
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
    const listed = (await reprepro('list', suite)).trim().split('\n')
    t.same(listed.sort(), newest.flatMap((one) => linesOf(suite, one)).sort())
    t.notMatch(await reprepro('check'), complaint)
    t.same(await digestsBelow(join(base, 'pool')), await digestsOf(newest))
    t.match(
      await reprepro('update'),
      /Nothing to do/i,
      'and has nothing to do when nothing changed',
    )
  }
})

function isNewer(one: PackageSpec, other: PackageSpec): boolean {
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

/** Digests of the packages' files at upstream. */
async function digestsOf(packages: readonly PackageSpec[]): Promise<string[]> {
  const files = packages.map((one) => join(world.dir, 'archive', poolPath(one)))
  return digests(files)
}

/** Digests of the .debs below a directory. */
async function digestsBelow(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true })
  return digests(entries.filter((name) => name.endsWith('.deb')).map((name) => join(dir, name)))
}

async function digests(files: readonly string[]): Promise<string[]> {
  const all = await Promise.all(files.map(async (file) => sha256Of(await readFile(file))))
  return [...new Set(all)].sort()
}
