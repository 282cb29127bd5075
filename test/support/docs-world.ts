/**
 * The world that README.md and docs/operating.md speak of: archives `debian` and `debian-security`, `testing` that follows
 * them, seven generations of `approved`, two sources that wait for the eighth; and a folder where what they say is typed.
 */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { makeSigningKey, type SigningKey } from '../../fixtures/signing-key.ts'
import type { SourceSpec } from '../../fixtures/source-packages.ts'
import { createApt, type TestApt } from './apt.ts'
import { type RunResult, run } from './run.ts'
import { startSluice, type TestSluice } from './sluice.ts'
import { testDir } from './test-dir.ts'
import { startUpstream, type TestUpstream } from './upstream-server.ts'

const repository = join(import.meta.dirname, '../..')

/** Versions of the two sources, and what upstream calls `debian`. */
export interface Upstream {
  readonly openssl: string
  readonly tzdata: string
  readonly label?: string
}

export interface DocsWorld {
  readonly dir: string
  /** Commands run here; `./var` is the server's data, and `bin/sluice` the program. */
  readonly home: string
  readonly key: SigningKey
  readonly upstream: TestUpstream
  readonly sluice: TestSluice
  /** Publishes both archives at upstream, and has Sluice look. */
  publish(what: Upstream): Promise<void>
  /** Runs a line by sh: names of other places are this world's, as `replace` tells beside those that are always so. */
  play(line: string, more?: PlayOptions): Promise<RunResult>
  /** A machine with the security suite of what is served at `channels/NAME` or `class/NAME`, and with its key of now. */
  machine(name: string, path: string, options?: string): Promise<TestApt>
  /** Versions of a package in a channel. */
  versions(channel: string, name: string): Promise<string[]>
  /** How many source packages a channel has in `bookworm`. */
  sources(channel: string): Promise<number>
  /** What is served as InRelease of a suite, and the Date of the security suite's. */
  release(path: string, archive: string, suite: string, url?: string): Promise<string>
  date(path: string, url?: string): Promise<number>
}

export interface PlayOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly replace?: Readonly<Record<string, string>>
}

/** Makes it; `docker` lies beside at upstream, and no archive of Sluice has it yet. */
export async function makeDocsWorld(t: Test): Promise<DocsWorld> {
  const open: { close(): Promise<void> }[] = []
  t.teardown(async () => {
    for (const one of open) await one.close()
  })
  const dir = testDir(t)
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>')
  const files = join(dir, 'files')
  await publishAll(files, key, { openssl: '3.0.15-1~deb12u1', tzdata: '2025a-0+deb12u1' })
  await publishSuite(join(files, 'linux/debian'), key, {
    suite: 'bookworm',
    components: ['stable'],
    packages: [{ name: 'docker', version: '1', arch: 'amd64', component: 'stable' }],
  })
  const upstream = await startUpstream(files)
  const home = join(dir, 'home')
  await mkdir(home)
  const sluice = await startSluice(join(home, 'var'))
  open.push(sluice, upstream)
  const publish: DocsWorld['publish'] = async (what) => {
    await publishAll(files, key, what)
    await sluice.api('POST', '/archives/refresh')
  }
  const keyring = await readFile(key.publicAsc, 'utf8')
  await prepare({ sluice, upstream, publish }, keyring)
  await symlink(join(repository, 'bin'), join(home, 'bin'))
  await writeFile(join(home, 'docker.asc'), keyring)
  const names = {
    'https://download.example': upstream.url,
    'http://sluice:3142': sluice.url,
    '/tmp/': `${home}/`,
  }
  const path = `${join(repository, 'bin')}:${process.env.PATH}`
  return {
    ...{ dir, home, key, upstream, sluice, publish },
    ...looks(dir, sluice),
    play: (line, { env, replace = {} } = {}) => {
      const all = Object.entries({ ...names, ...replace })
      const typed = all.reduce((text, [name, real]) => text.replaceAll(name, real), line)
      return run('sh', ['-ec', typed], { cwd: home, env: { PATH: path, ...env } })
    },
  }
}

function looks(
  dir: string,
  sluice: TestSluice,
): Pick<DocsWorld, 'machine' | 'versions' | 'sources' | 'release' | 'date'> {
  const release: DocsWorld['release'] = async (path, archive, suite, url = sluice.url) =>
    (await fetch(`${url}/${path}/${archive}/dists/${suite}/InRelease`)).text()
  return {
    machine: async (name, path, options = '') => {
      const apt = await createApt(join(dir, name), { sources: '' })
      const keyPath = join(dir, name, 'sluice.asc')
      const keyUrl = `${sluice.url}/${path.replace(/@.*/, '')}/key.asc`
      await apt.run('/usr/lib/apt/apt-helper', ['download-file', keyUrl, keyPath])
      const url = `${sluice.url}/${path}/debian-security`
      await apt.setSources(`deb [signed-by=${keyPath}${options}] ${url} bookworm-security main`)
      return apt
    },
    versions: async (channel, name) => {
      const query = new URLSearchParams({ name, channel })
      const found: { version: string }[] = await sluice.api('GET', `/search?${query}`)
      return [...new Set(found.map(({ version }) => version))]
    },
    sources: async (channel) => {
      const { suiteList } = await sluice.api('GET', `/channels/${channel}`)
      return suiteList.find((one: { suite: string }) => one.suite === 'bookworm').sources
    },
    release,
    date: async (path, url) => {
      const text = await release(path, 'debian-security', 'bookworm-security', url)
      return Date.parse(/^Date: (.*)$/m.exec(text)?.[1] ?? '')
    },
  }
}

interface Suite {
  readonly suite: string
  readonly components?: readonly string[]
  readonly label?: string
  readonly packages: readonly PackageSpec[]
  readonly sources?: readonly SourceSpec[]
}

async function publishSuite(dir: string, key: SigningKey, suite: Suite): Promise<void> {
  const same = { origin: 'Debian', label: 'Debian', components: ['main'], architectures: ['amd64'] }
  const suites = [{ ...same, ...suite }]
  await makeArchive(dir, { key, suites })
}

async function publishAll(dir: string, key: SigningKey, what: Upstream): Promise<void> {
  const { openssl, tzdata, label = 'Debian' } = what
  const debian = join(dir, 'debian')
  const hello: PackageSpec = { name: 'hello', version: '2.10-3', arch: 'amd64' }
  const sources = [{ name: 'hello', version: '2.10-3' }]
  await publishSuite(debian, key, { suite: 'bookworm', label, packages: [hello], sources })
  await publishSuite(debian, key, {
    suite: 'bookworm-updates',
    label,
    packages: binaries('tzdata', tzdata, ['tzdata', 'tzdata-legacy']),
  })
  await publishSuite(join(dir, 'debian-security'), key, {
    suite: 'bookworm-security',
    packages: binaries('openssl', openssl, ['libssl-dev', 'libssl-doc', 'libssl3', 'openssl']),
  })
}

function binaries(source: string, version: string, names: readonly string[]): PackageSpec[] {
  const by = ' -- A Maintainer <a@archive.example>  Mon, 01 Jan 2024 00:00:00 +0000'
  const changelog = `${source} (${version}) bookworm; urgency=low\n\n  * What is new.\n\n${by}\n`
  return names.map((name) => ({
    ...{ name, version, arch: 'amd64', source, content: 2000 },
    files: { [`usr/share/doc/${name}/changelog.Debian.gz`]: changelog },
  }))
}

async function prepare(
  { sluice, upstream, publish }: Pick<DocsWorld, 'sluice' | 'upstream' | 'publish'>,
  keyring: string,
): Promise<void> {
  const suites = {
    debian: ['bookworm', 'bookworm-updates'],
    'debian-security': ['bookworm-security'],
  }
  for (const [name, some] of Object.entries(suites)) {
    const settings = { suites: some, components: ['main'], architectures: ['amd64'], keyring }
    await sluice.api('POST', '/archives', { name, urls: [`${upstream.url}/${name}`], ...settings })
  }
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/channels', { name: 'testing', follow: Object.keys(suites) })
  await sluice.api('POST', '/channels', { name: 'approved', from: 'testing' })
  await publish({ openssl: '3.0.16-1~deb12u1', tzdata: '2025b-0+deb12u1' })
  for (let serial = 2; serial < 8; serial += 2) {
    const sources = [{ name: 'tzdata' }]
    await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', sources })
    await sluice.api('POST', '/channels/approved/rollback', { to: 1 })
  }
}
