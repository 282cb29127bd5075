/**
 * The command that measures revocations at full scale: from the request to the moment from which no channel offers the version,
 * as a client sees it that asks for all InReleases again and again, and every path of its file answers 410.
 */
import { rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type ArchivePlan, buildArchive, hasArchive, mainSuite, sourceSizes } from './archive.ts'
import { type Bed, chooseChanges, makeBed } from './bed.ts'
import { closeClient, fetchSuite, get, send, stanzasOfIndex } from './client.ts'
import { percentile } from './figures.ts'
import { peakMemory, processorSeconds, workingDirectory } from './processes.ts'
import { keyringPath } from './signing.ts'
import { type SluiceServer, startSluice } from './sluice-server.ts'
import { needField, sourceOf } from './stanzas.ts'

const usage = `usage: node bench/revoke.ts [--archive DIR] [--arch LIST] [--stanzas N] [--seed S] [--times N]

  --archive DIR  of make-archive; made there if missing (default ${join(tmpdir(), 'sluice-bench/archive')})
  --times N      versions that are revoked one after the other (default 20)`

const { values } = parseArgs({
  options: {
    archive: { type: 'string', default: join(tmpdir(), 'sluice-bench/archive') },
    stanzas: { type: 'string', default: '0' },
    arch: { type: 'string', default: 'amd64,arm64' },
    seed: { type: 'string', default: '1' },
    times: { type: 'string', default: '20' },
    help: { type: 'boolean', default: false },
  },
})
/** Two of them hold the same; the others are based on one. */
const channels = ['channels/testing', 'channels/approved', 'channels/web', 'class/shop']
const startedMs = performance.now()

function progress(line: string): void {
  console.error(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s  ${line}`)
}

interface Package {
  readonly source: string
  readonly version: string
  /** All paths of its file. */
  readonly urls: readonly string[]
}

async function prepare(bed: Bed, server: SluiceServer): Promise<Package[]> {
  await server.addArchive({
    name: 'debian',
    url: `${bed.upstream.url}/debian`,
    keyring: keyringPath(bed.archive),
    suites: [mainSuite],
    components: ['main'],
    architectures: bed.changes.architectures,
    languages: [],
  })
  await server.post('/channels', { name: 'testing', follow: ['debian'] })
  await server.post('/channels', { name: 'approved', from: 'testing' })
  await server.post('/channels', { name: 'web', base: 'approved' })
  await server.post('/classes', { name: 'shop', channel: 'web' })
  await bed.bump(bed.changes.hundred)
  await server.refresh('debian')
  for (const channel of channels) await released(server, channel)
  progress('channels are there')
  const [architecture = 'amd64'] = bed.changes.architectures
  const base = `${server.url}/channels/approved/debian`
  const stanzas = stanzasOfIndex(await fetchSuite(base, mainSuite, architecture))
  const wanted = new Set(bed.changes.single)
  const packages: Package[] = []
  for (const stanza of stanzas) {
    const source = sourceOf(stanza)
    if (!wanted.delete(source) || needField(stanza, 'Package') !== source) continue
    const file = needField(stanza, 'Filename')
    const urls = channels.map((channel) => `${server.url}/${channel}/debian/${file}`)
    packages.push({ source, version: needField(stanza, 'Version'), urls })
  }
  return packages
}

/** Waits for it: what is based on a channel comes a moment later. */
async function released(server: SluiceServer, channel: string): Promise<string> {
  for (;;) {
    const answer = await send(`${server.url}/${channel}/debian/dists/${mainSuite}/InRelease`)
    if (answer.status === 200) return answer.body.toString()
    await setTimeout(20)
  }
}

/** Milliseconds until the server answered, until all paths said 410, and until all channels had other InReleases. */
async function revokeOne(
  server: SluiceServer,
  { source, version, urls }: Package,
): Promise<{
  answered: number
  gone: number
  flipped: number
  server: number
  processor: number
}> {
  for (const url of urls) await get(url)
  const before = new Map<string, string>()
  for (const channel of channels) before.set(channel, await released(server, channel))
  const usedBefore = processorSeconds(server.pid)
  const begunMs = performance.now()
  const since = (): number => performance.now() - begunMs
  const answer = server
    .post('/revocations', { name: source, version, reason: 'for the bench' })
    .then((body) => ({ at: since(), body }))
  let [gone, flipped] = [0, 0]
  while (gone === 0 || flipped === 0) {
    if (gone === 0 && (await areGone(urls))) gone = since()
    if (flipped === 0) {
      const now = await Promise.all(channels.map((channel) => released(server, channel)))
      if (now.every((text, at) => text !== before.get(channels[at] ?? ''))) flipped = since()
    }
    await setTimeout(2)
  }
  const { at: answered, body } = await answer
  const durationMs: unknown = Reflect.get(Object(body), 'durationMs')
  const processor = (processorSeconds(server.pid) - usedBefore) * 1000
  return { answered, gone, flipped, server: Number(durationMs), processor }
}

async function areGone(urls: readonly string[]): Promise<boolean> {
  for (const url of urls) if ((await send(url)).status !== 410) return false
  return true
}

async function main(): Promise<void> {
  const plan: ArchivePlan = {
    directory: values.archive,
    stanzas: Number(values.stanzas),
    architectures: values.arch.split(','),
    list: undefined,
    padBytes: 0,
    largeBytes: 0,
    epochSeconds: 1_767_225_600,
  }
  if (!hasArchive(plan)) {
    rmSync(plan.directory, { recursive: true, force: true })
    await buildArchive(plan, progress)
  }
  const times = Number(values.times)
  const count = { promotions: 1, generations: times * 3 }
  const changes = chooseChanges(
    sourceSizes(plan.directory),
    count,
    Number(values.seed),
    plan.architectures,
  )
  const directory = workingDirectory('revoke-', false)
  const bed = await makeBed('sluice', {
    ...{ archive: plan.directory, directory, changes, progress },
    limitMs: 900_000,
  })
  const server = await startSluice(bed)
  try {
    const packages = await prepare(bed, server)
    const load = loadavg()[0]?.toFixed(1)
    console.log(`${cpus().length} cores, load before ${load}; ${plan.architectures.join(' and ')}`)
    const all: Awaited<ReturnType<typeof revokeOne>>[] = []
    for (const one of packages.slice(0, times)) {
      all.push(await revokeOne(server, one))
      progress(`${one.source}=${one.version} ${JSON.stringify(all.at(-1))}`)
    }
    const labels = {
      gone: 'until every path answers 410',
      flipped: 'until no channel offers it',
      answered: 'until the command is answered',
      server: 'of that, by the clock of the server',
      processor: 'processor time of the server, clients served',
    } as const
    for (const [key, label] of Object.entries(labels)) {
      const own = all.map((one) => Number(Reflect.get(one, key)))
      const [median, worst] = [percentile(own, 0.5), Math.max(...own)]
      console.log(
        `${label.padEnd(46)} median ${median.toFixed(0)} ms, worst ${worst.toFixed(0)} ms`,
      )
    }
    console.log(`peak memory of the server ${(peakMemory(server.pid) / 1e6).toFixed(0)} MB`)
  } finally {
    closeClient()
    await server.end()
    await bed.end()
    rmSync(directory, { recursive: true, force: true })
  }
}

if (values.help) console.log(usage)
else await main()
