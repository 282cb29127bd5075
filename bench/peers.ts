/**
 * The same job with aptly and with reprepro: mirror, publish, refresh, promote one source, copy, go back.
 *
 * Both copy every `.deb` when they mirror, which Sluice does not; tiny packages keep that cost small. Both mirror the
 * main suite alone. They publish gzip alone, like Sluice. aptly does not publish what it mirrors: its refresh ends
 * with a snapshot, that of the others with a signed suite. reprepro has no step back in its usual set-up.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mainSuite } from './archive.ts'
import { type Bed, describeTraffic, labels } from './bed.ts'
import { type Column, setPercentiles, type Timing } from './figures.ts'
import { diskUsage, type Run, run } from './processes.ts'
import { gnupgHome, keyFingerprint, keyringPath } from './signing.ts'

export type PeerName = 'aptly' | 'reprepro'

/** How many of the promotions a peer does: each takes it seconds. */
const peerPromotions = 4

/** Runs the whole job with the peer on its bed. */
export function measurePeer(name: PeerName, bed: Bed): Promise<Column> {
  return name === 'aptly' ? measureAptly(bed) : measureReprepro(bed)
}

interface Steps {
  readonly column: Column
  /** Runs the program with each list of arguments in turn; the sum is one figure unless `label` is undefined. */
  time(label: string | undefined, ...calls: readonly string[][]): Promise<Timing>
  finish(): Column
}

function startSteps(program: string, bed: Bed): Steps {
  const column: Column = new Map()
  let peakBytes = 0
  return {
    column,
    time: async (label, ...calls) => {
      await bed.upstream.takeTraffic()
      const runs: Run[] = []
      for (const args of calls) {
        const environment = { GNUPGHOME: gnupgHome(bed.archive), LC_ALL: 'C.UTF-8' }
        runs.push(await run({ ...bed, program, args, environment }, bed.limitMs))
      }
      const value = runs.reduce((sum, { wallMs }) => sum + wallMs, 0)
      const processorMs = runs.reduce((sum, one) => sum + one.processorMs, 0)
      const timing = { wallMs: value, processorMs }
      peakBytes = Math.max(peakBytes, ...runs.map((one) => one.peakBytes))
      const traffic = await bed.upstream.takeTraffic()
      if (label === undefined) return timing
      const isLocal = traffic.requests === 0
      const note = isLocal ? {} : { note: describeTraffic(traffic) }
      column.set(label, { value, unit: 'ms', processorMs, ...note })
      bed.progress(`${label}: ${(value / 1000).toFixed(2)} s`)
      return timing
    },
    finish: () => {
      column.set(labels.disk, { value: diskUsage(bed.directory), unit: 'bytes' })
      column.set(labels.memory, { value: peakBytes, unit: 'bytes' })
      return column
    },
  }
}

/** The refreshes, each after its change upstream. */
async function timeRefreshes(
  bed: Bed,
  refresh: (label?: string) => Promise<unknown>,
): Promise<void> {
  await refresh(labels.refresh0)
  await bed.bump(bed.changes.hundred)
  await refresh(labels.refresh100)
  await bed.bump(bed.changes.one)
  await refresh(labels.refresh1)
  await bed.bump({ kind: 'sources', names: [...bed.changes.large, ...bed.changes.promoted] })
  await refresh()
}

function promotedByPeers(bed: Bed): readonly string[] {
  const { large, promoted } = bed.changes
  return [...large.slice(0, 1), ...promoted.slice(-(peerPromotions - 1))].filter(
    (name, at, all) => all.indexOf(name) === at,
  )
}

/** Writes aptly's settings; makes of arguments those that have it use them. */
export function prepareAptly(bed: Bed): (...args: readonly string[]) => string[] {
  const configuration = join(bed.directory, 'aptly.conf')
  writeFileSync(configuration, JSON.stringify(aptlySettings(bed)))
  return (...args) => [`-config=${configuration}`, ...args]
}

async function measureAptly(bed: Bed): Promise<Column> {
  const aptly = prepareAptly(bed)
  const steps = startSteps('aptly', bed)
  const keyring = `-keyring=${keyringPath(bed.archive)}`
  const signing = ['-batch', `-gpg-key=${keyFingerprint(bed.archive)}`]
  const url = `${bed.upstream.url}/debian`
  const publishAs = (snapshot: string, name: string) =>
    aptly(
      'publish',
      'snapshot',
      ...signing,
      `-distribution=${name}`,
      '-acquire-by-hash',
      snapshot,
      name,
    )
  const update = aptly('mirror', 'update', keyring, 'up')
  let count = 0
  const snapshot = () => aptly('snapshot', 'create', `testing${++count}`, 'from', 'mirror', 'up')

  const create = aptly('mirror', 'create', keyring, 'up', url, mainSuite, 'main')
  await steps.time(labels.import, create, update, snapshot())
  await steps.time(labels.publish, publishAs('testing1', 'approved'))
  await timeRefreshes(bed, (label) => steps.time(label, update, snapshot()))

  let current = 'testing1'
  const timings: Timing[] = []
  for (const source of promotedByPeers(bed)) {
    const next = `approved-${timings.length}`
    const query = `$Source (${source})`
    const pull = [
      'snapshot',
      'pull',
      '-no-deps',
      '-all-matches',
      current,
      `testing${count}`,
      next,
      query,
    ]
    const flip = aptly('publish', 'switch', ...signing, 'approved', 'approved', next)
    timings.push(await steps.time(undefined, aptly(...pull), flip))
    bed.progress(`promote ${source}: ${((timings.at(-1)?.wallMs ?? 0) / 1000).toFixed(2)} s`)
    current = next
  }
  setPercentiles(steps.column, labels.promote, timings)
  await steps.time(labels.snapshot, snapshot())
  await steps.time(labels.copy, publishAs(current, 'copy'))
  await steps.time(
    labels.rollback,
    aptly('publish', 'switch', ...signing, 'approved', 'approved', 'testing1'),
  )
  await cleanAptly(steps, aptly, timings.length)
  return steps.finish()
}

function aptlySettings({ directory, changes: { architectures } }: Bed): object {
  return {
    rootDir: join(directory, 'aptly'),
    downloadConcurrency: 4,
    architectures,
    gpgProvider: 'gpg',
    skipContentsPublishing: true,
    skipBz2Publishing: true,
  }
}

async function cleanAptly(
  steps: Steps,
  aptly: (...args: string[]) => string[],
  promotions: number,
): Promise<void> {
  await steps.time(labels.gcNothing, aptly('db', 'cleanup'))
  const drops = Array.from({ length: promotions }, (_, at) =>
    aptly('snapshot', 'drop', '-force', `approved-${at}`),
  )
  await steps.time(undefined, aptly('publish', 'drop', 'copy', 'copy'), ...drops)
  await steps.time(labels.gcAll, aptly('db', 'cleanup'))
}

async function measureReprepro(bed: Bed): Promise<Column> {
  writeRepreproConfiguration(bed)
  const steps = startSteps('reprepro', bed)
  const reprepro = (...args: string[]) => {
    return ['--basedir', bed.directory, '--silent', '--keepunreferencedfiles', ...args]
  }
  await steps.time(labels.import, reprepro('update', 'testing'))
  await steps.time(labels.publish, reprepro('pull', 'approved'))
  await timeRefreshes(bed, (label) => steps.time(label, reprepro('update', 'testing')))
  const timings: Timing[] = []
  for (const source of promotedByPeers(bed)) {
    timings.push(await steps.time(undefined, reprepro('copysrc', 'approved', 'testing', source)))
    bed.progress(`promote ${source}: ${((timings.at(-1)?.wallMs ?? 0) / 1000).toFixed(2)} s`)
  }
  setPercentiles(steps.column, labels.promote, timings)
  await steps.time(labels.snapshot, reprepro('gensnapshot', 'approved', 'one'))
  await steps.time(labels.copy, reprepro('pull', 'copy'))
  await steps.time(labels.gcAll, ['--basedir', bed.directory, '--silent', 'deleteunreferenced'])
  return steps.finish()
}

function writeRepreproConfiguration(bed: Bed): void {
  const directory = join(bed.directory, 'conf')
  mkdirSync(directory)
  const key = keyFingerprint(bed.archive)
  const architectures = bed.changes.architectures.join(' ')
  const distributions = [
    ['testing', 'Update: up'],
    ['approved', 'Pull: from-testing'],
    ['copy', 'Pull: from-approved'],
  ].map(([name, rule]) => {
    return `Codename: ${name}\nArchitectures: ${architectures}\nComponents: main\nSignWith: ${key}\n${rule}\n`
  })
  const where = `Method: ${bed.upstream.url}/debian\nSuite: ${mainSuite}\nComponents: main`
  const update = `Name: up\n${where}\nArchitectures: ${architectures}\nVerifyRelease: ${key.slice(-16)}\n`
  const pulls = ['testing', 'approved'].map((name) => `Name: from-${name}\nFrom: ${name}\n`)
  writeFileSync(join(directory, 'distributions'), distributions.join('\n'))
  writeFileSync(join(directory, 'updates'), update)
  writeFileSync(join(directory, 'pulls'), pulls.join('\n'))
}
