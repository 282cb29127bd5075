/**
 * A world with an index of some size: more packages than would be built for a test. Their files are made up, which is
 * enough for all that does not unpack them; what machines fetch is written down.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Test } from 'tap'
import { putRelease } from '../../fixtures/make-archive.ts'
import { makeSigningKey, type SigningKey } from '../../fixtures/signing-key.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { formatRelease, type ReleaseFile } from '../../src/debian/release.ts'
import { createApt, type TestApt } from './apt.ts'
import { type Recorder, startRecorder } from './recorder.ts'
import { startSluice, type TestSluice } from './sluice.ts'
import { testDir } from './test-dir.ts'
import { startUpstream } from './upstream-server.ts'

const suite = 'dists/stable'
const indexName = 'main/binary-amd64/Packages'

export interface WideWorld {
  readonly recorder: Recorder
  readonly dir: string
  /** Of the server that runs now. */
  sluice(): TestSluice
  /** Ends the server and starts another one over the same data. */
  restart(): Promise<void>
  /** Publishes at upstream, name -> version, and lets `testing` follow. */
  publish(versions: ReadonlyMap<string, string>): Promise<void>
  /** A new generation of `approved` with what `testing` has of this source. */
  promote(name: string): Promise<void>
  /** A machine on `approved`. */
  machine(name: string): Promise<TestApt>
  /** The uncompressed index that `approved` serves. */
  packages(): Promise<string>
}

export interface WideOptions {
  readonly start?: Parameters<typeof startSluice>[1]
  /** Whether upstream has `Translation-en`, too; a newer version has another description. */
  readonly hasDescriptions?: boolean
}

/** The index that a machine has, by the end of its name. */
export async function listOf(apt: TestApt, ending = '_Packages'): Promise<string> {
  const [name = ''] = (await readdir(apt.listsDir)).filter((file) => file.endsWith(ending))
  return readFile(join(apt.listsDir, name), 'utf8')
}

/** An upstream with these packages, `testing` that follows it, and `approved`. */
export async function makeWideWorld(
  t: Test,
  versions: ReadonlyMap<string, string>,
  { start = {}, hasDescriptions = false }: WideOptions = {},
): Promise<WideWorld> {
  const dir = testDir(t)
  const archive = join(dir, 'archive')
  const now = start.clock?.now() ?? Date.now()
  const createdAt = new Date(now - 24 * 3600_000)
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>', { createdAt })
  let publishedAt = Math.floor(now / 1000) - 7200
  const write = async (some: ReadonlyMap<string, string>): Promise<void> => {
    publishedAt += 60
    await writeArchive(archive, key, some, { date: publishedAt, hasDescriptions })
  }
  await write(versions)
  const upstream = await startUpstream(archive)
  let sluice = await startSluice(join(dir, 'var'), start)
  const recorder = await startRecorder(sluice.url)
  t.teardown(async () => {
    await recorder.close()
    await sluice.close()
    await upstream.close()
  })
  const keyring = await readFile(key.publicAsc, 'utf8')
  const parts = { suites: ['stable'], components: ['main'], architectures: ['amd64'] }
  await sluice.api('POST', '/archives', { name: 'nut', urls: [upstream.url], ...parts, keyring })
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/channels', { name: 'testing', follow: ['nut'] })
  await sluice.api('POST', '/channels', { name: 'approved', from: 'testing' })
  const base = '/channels/approved'
  return {
    recorder,
    dir,
    sluice: () => sluice,
    restart: async () => {
      await sluice.close()
      sluice = await startSluice(sluice.dataDir, start)
      recorder.turnTo(sluice.url)
    },
    publish: async (some) => {
      await write(some)
      await sluice.api('POST', '/archives/refresh')
    },
    promote: async (name) => {
      const what = { from: 'testing', to: 'approved', sources: [{ name }] }
      const { generation } = await sluice.api('POST', '/promotions', what)
      if (generation === undefined) throw new Error(`${name} was not promoted`)
    },
    machine: async (name) => {
      const home = join(dir, name)
      const apt = await createApt(home, { sources: '' })
      const path = join(home, 'sluice.asc')
      await writeFile(path, await (await fetch(`${sluice.url}${base}/key.asc`)).text())
      await apt.setSources(`deb [signed-by=${path}] ${recorder.url}${base}/nut stable main`)
      return apt
    },
    packages: async () => {
      const url = `${sluice.url}${base}/nut/${suite}/${indexName}.gz`
      return gunzipSync(await (await fetch(url)).arrayBuffer()).toString()
    },
  }
}

async function writeArchive(
  dir: string,
  key: SigningKey,
  versions: ReadonlyMap<string, string>,
  { date, hasDescriptions }: { date: number; hasDescriptions: boolean },
): Promise<void> {
  const stanzas: string[] = []
  const descriptions: string[] = []
  await mkdir(join(dir, 'pool/main'), { recursive: true })
  for (const [name, version] of versions) {
    const content = `${name} ${version}`
    const path = `pool/main/${name}_${version}_all.deb`
    // At once: a thousand small files cost ten times as much by the pool of threads.
    if (!existsSync(join(dir, path))) writeFileSync(join(dir, path), content)
    stanzas.push(stanzaOf(name, version, path, content))
    descriptions.push(
      `Package: ${name}\nDescription-md5: ${md5Of(name, version)}\nDescription-en: what ${name} does\n It is ${version}.\n`,
    )
  }
  const files = [
    ...(await putIndex(dir, indexName, stanzas)),
    ...(hasDescriptions ? await putIndex(dir, 'main/i18n/Translation-en', descriptions) : []),
  ]
  const names = { origin: 'Nut', label: 'Nut', suite: 'stable', codename: 'nut' }
  const lists = { architectures: ['amd64'], components: ['main'], files }
  const release = formatRelease({ ...names, date, acquireByHash: false, ...lists })
  const modifiedAt = new Date(date * 1000)
  await putRelease(dir, suite, {
    release,
    keys: [key],
    modifiedAt,
    sign: { signedAt: modifiedAt },
  })
}

async function putIndex(
  dir: string,
  path: string,
  stanzas: readonly string[],
): Promise<ReleaseFile[]> {
  const plain = Buffer.from(stanzas.join('\n'))
  const forms = { [path]: plain, [`${path}.gz`]: gzipSync(plain) }
  const files: ReleaseFile[] = []
  for (const [name, data] of Object.entries(forms)) {
    await put(join(dir, suite, name), data)
    files.push({ path: name, size: data.length, sha256: sha256Of(data) })
  }
  return files
}

/** Made up: nobody compares it with the description itself. */
function md5Of(name: string, version: string): string {
  return sha256Of(`${name} ${version}`).slice(0, 32)
}

async function put(path: string, data: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, data)
}

function stanzaOf(name: string, version: string, path: string, content: string): string {
  const word = sha256Of(name)
  return [
    `Package: ${name}`,
    `Version: ${version}`,
    'Architecture: all',
    'Maintainer: Nut Maintainers <maintainers@archive.example>',
    `Depends: lib${word.slice(0, 9)} (>= ${version}), lib${word.slice(9, 20)}`,
    'Section: misc',
    'Priority: optional',
    `Filename: ${path}`,
    `Size: ${content.length}`,
    `SHA256: ${sha256Of(content)}`,
    `Description: what ${name} does, ${word.slice(20)}`,
    `Description-md5: ${md5Of(name, version)}`,
    '',
  ].join('\n')
}
