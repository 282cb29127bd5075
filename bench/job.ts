/**
 * The job with Sluice as its steps share it: the server, the table's column, how time is taken.
 */
import { mainSuite } from './archive.ts'
import type { Bed } from './bed.ts'
import { type FetchedSuite, fetchSuite } from './client.ts'
import { type Column, type Figure, formatFigure, type Timing } from './figures.ts'
import { peakMemory, processorSeconds } from './processes.ts'
import type { SluiceServer } from './sluice-server.ts'

export interface Job {
  readonly bed: Bed
  readonly server: SluiceServer
  readonly column: Column
}

/** Sets a row, and tells of it as progress. */
export function setTime(
  job: Job,
  label: string,
  { wallMs, processorMs }: Timing,
  note?: string,
): void {
  const about = { ...(processorMs > 0 && { processorMs }), ...(note !== undefined && { note }) }
  const figure: Figure = { value: wallMs, unit: 'ms', ...about }
  job.column.set(label, figure)
  tell(job, `${label}: ${formatFigure(figure)}`)
}

/** Tells of something as progress, and of memory. */
export function tell({ bed, server }: Job, what: string): void {
  bed.progress(`${what}; memory's peak by now ${(peakMemory(server.pid) / 1e6).toFixed(0)} MB`)
}

/** Starts to measure; each call of what it gives tells what has passed since, and what the server used of it. */
export function startMeter({ server }: Job): () => Timing {
  const startedMs = performance.now()
  const startedSeconds = processorSeconds(server.pid)
  return () => ({
    wallMs: performance.now() - startedMs,
    processorMs: (processorSeconds(server.pid) - startedSeconds) * 1000,
  })
}

/** Where clients of a channel have the archive. */
export function channelUrl({ server }: Job, channel: string): string {
  return `${server.url}/channels/${channel}/debian`
}

/** The main suite of a channel as a client has it. */
export function fetchChannel(job: Job, channel: string): Promise<FetchedSuite> {
  return fetchSuite(
    channelUrl(job, channel),
    mainSuite,
    job.bed.changes.architectures[0] ?? 'amd64',
  )
}
