/**
 * The nearest that aptly has: two snapshots of a mirror, before and after the change, and what differs between them. It
 * tells of binary packages and their versions alone; it must have all of both snapshots.
 */
import { mainSuite } from './archive.ts'
import { type Bed, labels } from './bed.ts'
import { type Column, setPercentiles, type Timing } from './figures.ts'
import { type PendingRuns, pendingLabel } from './measure-pending.ts'
import { prepareAptly } from './peers.ts'
import { run } from './processes.ts'
import { gnupgHome, keyringPath } from './signing.ts'

/** Mirrors, changes, mirrors again, and times the difference. */
export async function measureAptlyDiff(bed: Bed, { runs, change }: PendingRuns): Promise<Column> {
  const column: Column = new Map()
  const aptly = prepareAptly(bed)
  const keyring = `-keyring=${keyringPath(bed.archive)}`
  let peakBytes = 0
  const call = async (...args: readonly string[]): Promise<Timing> => {
    const environment = { GNUPGHOME: gnupgHome(bed.archive), LC_ALL: 'C.UTF-8' }
    const command = { ...bed, program: 'aptly', args: aptly(...args), environment }
    const made = await run(command, bed.limitMs)
    peakBytes = Math.max(peakBytes, made.peakBytes)
    return made
  }
  const url = `${bed.upstream.url}/debian`
  await call('mirror', 'create', keyring, 'up', url, mainSuite, 'main')
  for (const name of ['before', 'after']) {
    if (name === 'after') await change()
    await call('mirror', 'update', keyring, 'up')
    await call('snapshot', 'create', name, 'from', 'mirror', 'up')
    bed.progress(`snapshot ${name} made`)
  }
  const timings: Timing[] = []
  for (let count = 0; count < runs; count++) {
    timings.push(await call('snapshot', 'diff', '-only-matching', 'before', 'after'))
  }
  setPercentiles(column, pendingLabel, timings)
  column.set(labels.memory, { value: peakBytes, unit: 'bytes' })
  return column
}
