/**
 * How tests of a hostile upstream judge: an attack changes nothing for machines, is told to the administrator with its
 * cause and its beginning, leaves no wrong byte behind, and is over when upstream is good again.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import type { ErrorCode } from '../../src/base/errors.ts'
import { describeArchive } from '../../src/cli/archive-report.ts'
import type { AptRun, TestApt } from '../support/apt.ts'
import { scratchFiles } from '../support/scratch-files.ts'
import { clean, makeWorld, troubles, type World, type WorldOptions } from '../support/world.ts'

export interface Attack {
  /** After `upstream …`. */
  readonly title: string
  readonly begin: (world: World) => Promise<void> | void
  /** Faults of upstream end by themselves. */
  readonly end?: (world: World) => Promise<void> | void
  readonly code: ErrorCode
  /** What the message must name. */
  readonly says: RegExp
}

/** A world under attack: one machine on a channel, one that reaches upstream through the proxy. */
export interface Siege {
  readonly world: World
  readonly machines: readonly TestApt[]
}

type Machines = readonly [onChannel: TestApt, proxied: TestApt]

/** Short waits for an upstream that is silent, and not for one that is as slow as this machine. */
export const impatient = { patience: { firstByteTimeoutMs: 2000, stallMs: 2000 } }

export const packages: readonly PackageSpec[] = [
  { name: 'hello', version: '1', arch: 'amd64', content: 3000 },
  { name: 'other', version: '1', arch: 'all' },
]

/** A world with `hello` and `other`, of which the machines have installed `hello`. */
export async function makeSiege(
  t: Test,
  options: WorldOptions = {},
): Promise<Siege & { readonly machines: Machines }> {
  const world = await makeWorld(t, packages, options)
  const machines: Machines = [
    await world.machine('channel', 'testing'),
    await world.proxied('proxied'),
  ]
  for (const apt of machines) {
    t.same(updateTroubles(await apt.update()), clean)
    t.same(troubles(await apt.install('hello')), clean)
  }
  return { world, machines }
}

/** Runs an attack that a refresh meets, from its beginning to its end. */
export async function withstand(t: Test, siege: Siege, attack: Attack): Promise<void> {
  const { sluice, upstream } = siege.world
  const begunAt = Date.now()
  await attack.begin(siege.world)
  const refreshed = await sluice.api('POST', '/archives/nut/refresh')
  t.match(refreshed, { outcomes: [{ kind: 'failed', problem: { code: attack.code } }] })
  t.same(refreshed.generations, [])
  const { problem } = await shownSuite(siege.world)
  t.equal(problem.code, attack.code)
  t.match(problem.message, attack.says)
  t.match(problem.hint, /\w/, 'it says what to do')
  t.ok(problem.since >= begunAt && problem.since <= Date.now())
  const printed = await printedArchive(siege.world)
  t.match(printed, `wrong: nut stable: ${problem.message.replace('stable: ', '')}`)
  t.match(printed, /^ {2}since \d.* \(.*\); channels go on serving the state before that$/m)
  t.match(printed, `  hint: ${problem.hint}`)

  await sluice.api('POST', '/archives/nut/refresh')
  const later = await shownSuite(siege.world)
  t.equal(later.problem.since, problem.since, 'it began with the first failure')
  await serves(t, siege)
  await holdsNothingWrong(t, siege.world)

  upstream.clearFaults()
  await attack.end?.(siege.world)
  const healed = await sluice.api('POST', '/archives/nut/refresh')
  t.not(healed.outcomes[0].kind, 'failed')
  t.equal((await shownSuite(siege.world)).problem, undefined, 'it is over')
  if (healed.outcomes[0].kind === 'unchanged') return
  const updates = siege.machines.map(async (apt) => {
    t.same(updateTroubles(await apt.update()), clean)
  })
  await Promise.all(updates)
}

/** What the API has to say of the suite. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and a wrong name fails the test
export async function shownSuite({ sluice }: World): Promise<any> {
  return (await sluice.api('GET', '/archives/nut')).suites[0]
}

/** What `sluice archive show nut` prints. */
export async function printedArchive({ sluice }: World): Promise<string> {
  return describeArchive(await sluice.api('GET', '/archives/nut'), undefined).join('\n')
}

/** An archive without InRelease makes apt say `Ign:`, and no user minds. */
function updateTroubles(run: AptRun): object {
  return troubles({ ...run, ignored: [] })
}

/** Machines can update, and install again what is stored. */
export async function serves(t: Test, { machines }: Siege): Promise<void> {
  const runs = machines.map(async (apt) => {
    t.same(updateTroubles(await apt.update()), clean)
    await rm(join(apt.dir, 'var/cache/apt/archives/hello_1_amd64.deb'), { force: true })
    t.same(troubles(await apt.download('hello')), clean)
    t.same(await apt.cached(), ['hello_1_amd64.deb'])
  })
  await Promise.all(runs)
}

/** Every file of the store has the digest that it is called by, and nothing half done is left. */
export async function holdsNothingWrong(t: Test, { sluice }: World): Promise<void> {
  t.same((await sluice.api('POST', '/verify', { deep: true })).problems, [])
  const blobs = join(sluice.dataDir, 'blobs')
  for (const entry of await readdir(blobs, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const digest = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
    t.equal(path, join(blobs, digest.slice(0, 2), digest.slice(2)))
  }
  t.same(await scratchFiles(sluice.dataDir), [])
}
