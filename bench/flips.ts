/**
 * Copies of a channel, and rollbacks: timed from the request to the first client that gets the new InRelease, for which one
 * asks again and again meanwhile.
 */
import { setTimeout } from 'node:timers/promises'
import { mainSuite } from './archive.ts'
import { labels } from './bed.ts'
import { send } from './client.ts'
import { percentile } from './figures.ts'
import { measureRunning } from './growth.ts'
import { channelUrl, fetchChannel, type Job } from './job.ts'

/** So often a channel is copied, and rolled back. */
const COPIES = 5

/** So long after the last copy, in milliseconds, what all of them took is measured: the keyrings of new channels follow them. */
const SETTLED_MS = 5_000

/** Each some times, since the first of a kind is no measure of it. */
export async function copyAndRollback(job: Job): Promise<void> {
  const { server, column } = job
  const times = { copy: [] as Flip[], rollback: [] as Flip[] }
  const diskBefore = measureRunning(server.data)
  for (let count = 0; count < COPIES; count++) {
    const name = `copy-${count}`
    const copy = () => server.post('/channels', { name, from: 'approved' })
    times.copy.push(await untilFlipped(job, name, copy))
  }
  await setTimeout(SETTLED_MS)
  const grown = ((measureRunning(server.data) - diskBefore) / COPIES / 1e3).toFixed(0)
  for (let serial = 1; serial <= COPIES; serial++) {
    const first = await fetchChannel(job, `approved@${serial}`)
    const back = () => server.post('/channels/approved/rollback', { to: String(serial) })
    times.rollback.push(await untilFlipped(job, 'approved', back))
    if ((await fetchChannel(job, 'approved')).digest !== first.digest)
      throw new Error('after the rollback the index is another one')
  }
  const set = (label: string, flips: readonly Flip[], note: string): void => {
    const median = (what: keyof Flip): number =>
      percentile(
        flips.map((flip) => flip[what]),
        0.5,
      )
    const answered = `answered after ${median('answeredMs').toFixed(0)} ms`
    const about = `median of ${COPIES}; ${answered}; ${note}`
    column.set(label, { value: median('servedMs'), unit: 'ms', note: about })
  }
  set(labels.snapshot, times.copy, 'as the copy')
  set(labels.copy, times.copy, `${grown} kB`)
  set(labels.rollback, times.rollback, 'the same index as before')
  await Promise.all(
    Array.from({ length: COPIES }, (_, count) => server.remove(`/channels/copy-${count}`)),
  )
}

/** From the request to the first client that gets the new InRelease, and to the answer. */
interface Flip {
  readonly servedMs: number
  readonly answeredMs: number
}

async function untilFlipped(job: Job, channel: string, act: () => Promise<unknown>): Promise<Flip> {
  const url = `${channelUrl(job, channel)}/dists/${mainSuite}/InRelease`
  const look = async () => {
    const { status, body } = await send(url)
    return status === 200 ? body.toString() : undefined
  }
  const old = await look()
  const startedMs = performance.now()
  const sinceMs = () => performance.now() - startedMs
  const answered = act().then(sinceMs)
  while ((await look()) === old) await setTimeout(2)
  const servedMs = sinceMs()
  return { servedMs, answeredMs: await answered }
}
