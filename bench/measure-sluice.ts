/**
 * The job with Sluice, timed from the request to the first client that has the new InRelease and Packages.gz.
 *
 * The client shares the machine's cores with the server: its own part (`client alone`) is a row of its own. The
 * packages that get promoted are fetched through `testing` first, as the machines that tried them would have done.
 */
import { mainSuite, updatesSuite } from './archive.ts'
import { type Bed, describeTraffic, labels } from './bed.ts'
import { closeClient, type FetchedSuite, fetchSuite, get, stanzasOfIndex } from './client.ts'
import { type Column, percentile, setPercentiles, type Timing } from './figures.ts'
import { copyAndRollback } from './flips.ts'
import { measureDisk, setGrowth } from './growth.ts'
import { channelUrl, fetchChannel, type Job, setTime, startMeter, tell } from './job.ts'
import { diskUsage, peakMemory } from './processes.ts'
import { keyringPath } from './signing.ts'
import { startSluice } from './sluice-server.ts'
import { needField, sourceOf } from './stanzas.ts'

/** Runs the whole job on the bed and ends the server. */
export async function measureSluice(bed: Bed): Promise<Column> {
  const column: Column = new Map()
  const peaks: number[] = []
  const withServer = async (
    startLabel: string,
    work: (job: Job) => Promise<void>,
    days?: number,
  ) => {
    const server = await startSluice(bed, days)
    const job: Job = { bed, server, column }
    try {
      if (days === undefined) setTime(job, startLabel, { wallMs: server.startMs, processorMs: 0 })
      await work(job)
      peaks.push(peakMemory(server.pid))
    } finally {
      closeClient()
      await server.end()
    }
    return measureDisk(server.data)
  }
  const before = await withServer('server start, first', async (job) => {
    await importArchive(job)
    await refreshes(job)
    await warm(job)
    await promotions(job)
    await copyAndRollback(job)
    await commandLine(job)
  })
  // The server ends before and after: then the whole of the database is in its own file, and none in the log beside it.
  const after = await withServer('server start, later', generations)
  setGrowth(column, before, after, bed.changes.single.length)
  await withServer(labels.gcNothing, (job) => collect(job, labels.gcNothing, { dryRun: false }))
  // What is old is doomed by the first collection, and deleted by one that comes a day later.
  await withServer('', (job) => collect(job, 'gc, what is old is doomed', { force: true }), 400)
  await withServer('', (job) => collect(job, labels.gcAll, { force: true }), 402)
  column.set(labels.disk, { value: after.disk, unit: 'bytes' })
  const memory = Math.max(...peaks)
  column.set(labels.memory, { value: memory, unit: 'bytes', note: 'VmHWM of the server' })
  return column
}

/** Does `act` and waits until a client has a suite of the channel that differs from `old`. */
async function untilServed(
  job: Job,
  channel: string,
  old: FetchedSuite | undefined,
  act: () => Promise<unknown>,
): Promise<{
  readonly fetched: FetchedSuite
  readonly answered: Timing
  readonly served: Timing
}> {
  const read = startMeter(job)
  await act()
  const answered = read()
  for (;;) {
    const fetched = await fetchChannel(job, channel)
    const served = read()
    if (fetched.inRelease !== old?.inRelease) return { fetched, answered, served }
    if (served.wallMs > job.bed.limitMs) throw new Error(`${channel} still serves the old suite`)
  }
}

async function importArchive(job: Job): Promise<void> {
  const { bed, server } = job
  await bed.upstream.takeTraffic()
  const read = startMeter(job)
  await server.addArchive({
    name: 'debian',
    url: `${bed.upstream.url}/debian`,
    keyring: keyringPath(bed.archive),
    suites: [mainSuite, updatesSuite],
    components: ['main'],
    architectures: bed.changes.architectures,
    languages: [],
  })
  const imported = read()
  setTime(job, labels.import, imported, describeTraffic(await bed.upstream.takeTraffic()))
  const readTexts = startMeter(job)
  await server.change('/archives/debian', { languages: ['en'] })
  await server.refresh('debian')
  const withTexts = readTexts()
  setTime(job, labels.texts, withTexts, describeTraffic(await bed.upstream.takeTraffic()))
  const create = () => server.post('/channels', { name: 'testing', follow: ['debian'] })
  const { served } = await untilServed(job, 'testing', undefined, create)
  setTime(job, labels.publish, served)
  await server.post('/channels', { name: 'approved', from: 'testing' })
}

async function refreshes(job: Job): Promise<void> {
  const { bed, server } = job
  const refresh = () => server.refresh('debian')
  await bed.upstream.takeTraffic()
  const read = startMeter(job)
  await refresh()
  const nothing = read()
  setTime(job, labels.refresh0, nothing, describeTraffic(await bed.upstream.takeTraffic()))
  for (const [label, choice] of [
    [labels.refresh100, bed.changes.hundred],
    [labels.refresh1, bed.changes.one],
  ] as const) {
    const old = await fetchChannel(job, 'testing')
    await bed.bump(choice)
    await bed.upstream.takeTraffic()
    let stateMs = 0
    const { served } = await untilServed(job, 'testing', old, async () => {
      stateMs = await refresh()
    })
    const traffic = describeTraffic(await bed.upstream.takeTraffic())
    setTime(
      job,
      label,
      served,
      `verified and in its state after ${stateMs.toFixed(0)} ms; ${traffic}`,
    )
  }
}

/** Upstream gets all that will be promoted, and `testing`'s clients fetch it. */
async function warm(job: Job): Promise<void> {
  const { bed, server } = job
  const { large, promoted, single } = bed.changes
  const names = new Set([...large, ...promoted, ...single])
  await bed.bump({ kind: 'sources', names: [...names] })
  await server.refresh('debian')
  const base = channelUrl(job, 'testing')
  const files = new Set<string>()
  for (const architecture of bed.changes.architectures) {
    for (const stanza of stanzasOfIndex(await fetchSuite(base, mainSuite, architecture))) {
      if (names.has(sourceOf(stanza))) files.add(needField(stanza, 'Filename'))
    }
  }
  const read = startMeter(job)
  const queue = [...files]
  const work = async () => {
    for (let file = queue.pop(); file !== undefined; file = queue.pop())
      await get(`${base}/${file}`)
  }
  await Promise.all(Array.from({ length: 8 }, work))
  setTime(job, `misses: ${files.size} .debs, 8 at once`, read())
}

async function promotions(job: Job): Promise<void> {
  const { bed, server, column } = job
  const alone: Timing[] = []
  const answered: Timing[] = []
  const served: Timing[] = []
  const { large } = bed.changes
  for (const [at, name] of [...large, ...bed.changes.promoted].entries()) {
    const read = startMeter(job)
    const old = await fetchChannel(job, 'approved')
    alone.push(read())
    const promoted = await untilServed(job, 'approved', old, () =>
      server.post('/promotions', promotionOf(name)),
    )
    if (promoted.fetched.digest === old.digest) throw new Error(`promoting ${name} changed nothing`)
    if (at % 10 === 9) tell(job, `${at + 1} promotions`)
    if (at < large.length) {
      const label = `${labels.promote}: ${name}${at === 0 ? ', the first after the start' : ''}`
      setTime(job, label, promoted.served)
      continue
    }
    answered.push(promoted.answered)
    served.push(promoted.served)
  }
  setPercentiles(column, labels.promote, served)
  setPercentiles(column, `${labels.promote}, until answered`, answered)
  setPercentiles(column, 'of it: client alone', alone)
  tell(job, `${served.length} promotions done`)
}

async function collect(job: Job, label: string, body: object): Promise<void> {
  const before = diskUsage(job.server.data)
  const read = startMeter(job)
  const answer = JSON.stringify(await job.server.post('/gc', body))
  const { deleted } = JSON.parse(answer) as {
    deleted: { generations: number; chunks: number; files: number }
  }
  const freed = ((before - diskUsage(job.server.data)) / 1e6).toFixed(1)
  const what = `${deleted.generations} generations, ${deleted.chunks} chunks, ${deleted.files} files; ${freed} MB less on disk`
  setTime(job, label, read(), what)
}

/** Further generations of one package each; what they take on disk is seen when the server has ended. */
async function generations(job: Job): Promise<void> {
  const timings: Timing[] = []
  for (const name of job.bed.changes.single) {
    const read = startMeter(job)
    await job.server.post('/promotions', promotionOf(name))
    timings.push(read())
  }
  if (timings.length > 0) setPercentiles(job.column, 'further one-package promotion', timings)
}

/** By force: the gate looks at each all the same, and what made-up versions break is told, not refused. */
function promotionOf(name: string): Record<string, unknown> {
  const reason = 'benchmark'
  return { from: 'testing', to: 'approved', sources: [{ name }], force: true, reason }
}

async function commandLine({ server, column }: Job): Promise<void> {
  const rows = { 'CLI start (--version)': ['--version'], 'CLI: channel list': ['channel', 'list'] }
  for (const [label, words] of Object.entries(rows)) {
    const timesMs: number[] = []
    for (let count = 0; count < 5; count++) timesMs.push(await server.command(...words))
    column.set(label, { value: percentile(timesMs, 0.5), unit: 'ms', note: 'median of 5' })
  }
}
