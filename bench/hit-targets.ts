/**
 * Who is compared: nginx with the files themselves, and before it three caches, Sluice among them, that have each file already.
 *
 * All are asked for the same paths of the same archive. Sluice is asked as a machine set up for apt-cacher-ng asks, by the name
 * of the upstream host in the path; what a channel gives goes the same way through it.
 */
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ArchivePlan, buildArchive, hasArchive, mainSuite } from './archive.ts'
import { startAptCacherNg, startNginxCache } from './caches.ts'
import { fetchSuite, send, stanzasOfIndex } from './client.ts'
import { keyringPath } from './signing.ts'
import { startSluice } from './sluice-server.ts'
import { needField } from './stanzas.ts'
import { startUpstream } from './upstream.ts'

export interface Target {
  readonly name: string
  /** The archive's root. */
  readonly url: string
  readonly pid: number
  end(): Promise<void>
}

export interface Bed {
  readonly targets: readonly Target[]
  readonly inRelease: string
  /** Paths below the archive's root; the large one first. */
  readonly files: readonly string[]
}

export interface BedOptions {
  readonly directory: string
  /** Small files. */
  readonly files: number
  readonly largeBytes: number
  readonly workers: number
  readonly only: readonly string[]
  progress(line: string): void
}

/** Some 150 kB, as Debian's. */
const OTHER_FILES = 1150
const PAD_BYTES = 18_000

/** Makes the archive if it is missing, starts all, and fetches each file once from each. */
export async function prepare(options: BedOptions): Promise<Bed> {
  const { directory, workers, progress } = options
  const plan: ArchivePlan = {
    directory: join(tmpdir(), 'sluice-bench/hit-archive'),
    stanzas: options.files + 1,
    architectures: ['amd64'],
    list: undefined,
    padBytes: PAD_BYTES,
    largeBytes: options.largeBytes,
    otherFiles: OTHER_FILES,
    epochSeconds: 1_767_225_600,
  }
  if (!hasArchive(plan)) {
    rmSync(plan.directory, { recursive: true, force: true })
    await buildArchive(plan, progress)
  }
  const www = join(plan.directory, 'www')
  const upstream = await startUpstream(www, join(directory, 'upstream'), workers)
  const url = `${upstream.url}/debian`
  const starters: Readonly<Record<string, () => Promise<Omit<Target, 'name'>>>> = {
    proxy_cache: () => startNginxCache(join(directory, 'proxy_cache'), upstream.url, workers),
    'apt-cacher-ng': () => startAptCacherNg(join(directory, 'acng'), upstream.url),
    sluice: () => startProxy(directory, url, plan, workers),
  }
  const targets: Target[] = [{ name: upstream.program, url, pid: upstream.pid, end: upstream.end }]
  for (const [name, start] of Object.entries(starters)) {
    if (options.only.includes(name)) targets.push({ name, ...(await start()) })
  }
  const files = await filesOf(url, options.largeBytes)
  progress('fetching every file once')
  for (const target of targets) await fetchAll(target, files, progress)
  return { targets, inRelease: `dists/${mainSuite}/InRelease`, files }
}

/** Sixteen at a time. apt-cacher-ng ends a connection now and then, and has one file in thousands not at all. */
async function fetchAll(
  { name, url }: Target,
  files: readonly string[],
  progress: BedOptions['progress'],
): Promise<void> {
  const left = files.values()
  const fetchSome = async (): Promise<void> => {
    for (const file of left) {
      let status: number | undefined
      for (let tries = 0; tries < 3 && status !== 200; tries++) {
        const answer = await send(`${url}/${file}`, { limitMs: 60_000 }).catch(() => undefined)
        status = answer?.status
      }
      if (status !== 200) progress(`${name}: ${status ?? 'no answer'} for ${file}`)
    }
  }
  await Promise.all(Array.from({ length: 16 }, fetchSome))
}

async function startProxy(
  directory: string,
  url: string,
  plan: ArchivePlan,
  workers: number,
): Promise<Omit<Target, 'name'>> {
  const logPath = join(directory, 'log')
  const flags = workers > 1 ? ['--workers', String(workers)] : []
  const sluice = await startSluice({ directory, logPath, limitMs: 120_000, flags })
  await sluice.addArchive({
    ...{ name: 'debian', url, keyring: keyringPath(plan.directory), suites: [mainSuite] },
    ...{ components: ['main'], architectures: plan.architectures, languages: [] },
  })
  return { pid: sluice.pid, url: url.replace('http:/', sluice.url), end: sluice.end }
}

async function filesOf(url: string, largeBytes: number): Promise<string[]> {
  const stanzas = stanzasOfIndex(await fetchSuite(url, mainSuite, 'amd64'))
  const sized = stanzas.map((stanza) => ({
    name: needField(stanza, 'Package') + needField(stanza, 'Version'),
    sizeBytes: Number(needField(stanza, 'Size')),
    path: needField(stanza, 'Filename'),
  }))
  sized.sort((a, b) => (a.name < b.name ? -1 : 1))
  const large = sized.find(({ sizeBytes }) => sizeBytes > largeBytes)
  if (large === undefined) throw new Error(`no large file at ${url}`)
  return [large, ...sized.filter((one) => one !== large)].map(({ path }) => path)
}
