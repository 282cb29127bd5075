/**
 * `sluice pending` as its user runs it: the whole command, from its start to its end, with the server's processor time.
 *
 * First nothing of what waits is here, then a package of each source is; then the store is warm. Last a server that has just
 * started is asked, whose database is all that is warm.
 */
import { mainSuite, updatesSuite } from './archive.ts'
import { type Bed, describeTraffic, labels } from './bed.ts'
import { type Column, setPercentiles, type Timing } from './figures.ts'
import { type Job, setTime, startMeter } from './job.ts'
import { peakMemory } from './processes.ts'
import { keyringPath } from './signing.ts'
import { type SluiceServer, startSluice } from './sluice-server.ts'

export const pendingLabel = 'pending, the table'

export interface PendingRuns {
  /** Of each command. */
  readonly runs: number
  /** Makes upstream newer. */
  change(): Promise<void>
}

const commands: Readonly<Record<string, readonly string[]>> = {
  [pendingLabel]: ['pending'],
  'pending --json': ['pending', '--json'],
  'pending --details': ['pending', '--details'],
  'pending --cve --sort urgency': ['pending', '--cve', '--sort', 'urgency'],
  'pending --security': ['pending', '--security'],
  'CLI start (--version)': ['--version'],
}

/** Runs the whole job on the bed and ends the server. */
export async function measurePending(bed: Bed, { runs, change }: PendingRuns): Promise<Column> {
  const column: Column = new Map()
  const peaks: number[] = []
  const withServer = async (work: (job: Job) => Promise<void>): Promise<void> => {
    const server = await startSluice(bed)
    try {
      await work({ bed, server, column })
      peaks.push(peakMemory(server.pid))
    } finally {
      await server.end()
    }
  }
  await withServer(async (job) => {
    await importArchive(job.bed, job.server)
    await change()
    await job.server.refresh('debian')
    await time(job, 'first pending, nothing of it here', ['pending'])
    await bed.upstream.takeTraffic()
    await time(job, 'pending --fetch: a package of each', ['pending', '--fetch'])
    bed.progress(`fetched: ${describeTraffic(await bed.upstream.takeTraffic())}`)
    await time(job, 'pending --needs: the gate asked of each', ['pending', '--needs'])
    for (const [label, words] of Object.entries(commands)) {
      const timings: Timing[] = []
      for (let count = 0; count < runs; count++) {
        const read = startMeter(job)
        await job.server.command(...words)
        timings.push(read())
      }
      setPercentiles(column, label, timings)
      bed.progress(`${label}: done; memory's peak by now ${mb(peakMemory(job.server.pid))}`)
    }
  })
  await withServer((job) => time(job, 'first pending after a start', ['pending']))
  column.set(labels.memory, {
    value: Math.max(...peaks),
    unit: 'bytes',
    note: 'VmHWM of the server',
  })
  return column
}

async function time(job: Job, label: string, words: readonly string[]): Promise<void> {
  const read = startMeter(job)
  await job.server.command(...words)
  setTime(job, label, read())
}

async function importArchive(bed: Bed, server: SluiceServer): Promise<void> {
  await server.addArchive({
    name: 'debian',
    url: `${bed.upstream.url}/debian`,
    keyring: keyringPath(bed.archive),
    suites: [mainSuite, updatesSuite],
    components: ['main'],
    architectures: bed.changes.architectures,
    languages: [],
  })
  await server.post('/channels', { name: 'testing', follow: ['debian'] })
  await server.post('/channels', { name: 'approved', from: 'testing' })
  bed.progress(`imported; memory's peak by now ${mb(peakMemory(server.pid))}`)
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
