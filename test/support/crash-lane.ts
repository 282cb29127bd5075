/**
 * A lane: one place where a server is killed again and again, each time from a copy of a directory prepared for the
 * phase, then started without fault, examined, and led to the end of the phase.
 */
import { cp, mkdir, readFile, rm, symlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import Database from 'better-sqlite3'
import type { Test } from 'tap'
import { createApt, type TestApt } from './apt.ts'
import {
  auditOf,
  checkAlive,
  checkDead,
  completeBlobs,
  contradictions,
  look,
  type Sight,
  strangers,
} from './crash-checks.ts'
import { type Phase, phases, play, StoryError, type Upstreams, upstreamOf } from './crash-story.ts'
import { type Front, startFront } from './front.ts'
import type { Ended } from './program.ts'
import { runOk } from './run.ts'
import { type SluiceProcess, startProcess } from './sluice-process.ts'
import { startUpstream, type TestUpstream } from './upstream-server.ts'
import { clean, troubles } from './world.ts'

/** What a phase is when nothing goes wrong. */
interface Reference {
  readonly before: Sight
  readonly after: Sight
  readonly audit: readonly string[]
  /** What the repair begins with: damage that no crash did. */
  readonly flaws: readonly string[]
  /** Crash points in the order in which they were passed. */
  readonly points: readonly string[]
}

export interface Lane {
  /** Crash points of a phase, in the order in which they are passed. */
  points(phase: Phase): readonly string[]
  /** Kills at the `nth` point (from 1) of the phase; what is wrong then, and whether that point was reached. */
  crash(phase: Phase, nth: number): Promise<{ wrong: string[]; isReached: boolean }>
  close(): Promise<void>
}

interface Place {
  readonly t: Test
  /** `run/`: data directory and apt of the run under way; `starts/`: what each phase begins with. */
  readonly dir: string
  readonly upstreams: Upstreams
  readonly upstream: TestUpstream
  readonly front: Front
  readonly keyring: string
  /** Digests of the files that upstream has: path -> digest. */
  readonly files: ReadonlyMap<string, string>
  readonly references: Map<Phase, Reference>
  sluice: SluiceProcess | undefined
}

/** Prepares a lane in `dir` by going through all phases once. */
export async function openLane(t: Test, dir: string, upstreams: Upstreams): Promise<Lane> {
  await mkdir(join(dir, 'starts', 'setup', 'var'), { recursive: true })
  const place: Place = {
    t,
    dir,
    upstreams,
    upstream: await startUpstream(join(dir, 'upstream')),
    front: await startFront(),
    keyring: await readFile(upstreams.key.publicAsc, 'utf8'),
    files: await digests(upstreams.after),
    references: new Map(),
    sluice: undefined,
  }
  const close = async (): Promise<void> => {
    await place.sluice?.stop('SIGKILL')
    await place.front.close()
    await place.upstream.close()
  }
  try {
    for (const [at, phase] of phases.entries()) await rehearse(place, phase, phases[at + 1])
  } catch (error) {
    await close()
    throw error
  }
  return {
    points: (phase) => place.references.get(phase)?.points ?? [],
    crash: (phase, nth) => crash(place, phase, nth),
    close,
  }
}

async function digests(root: string): Promise<Map<string, string>> {
  const sums = await runOk('sh', [
    '-c',
    'cd "$0" && find -L pool -type f -exec sha256sum {} +',
    root,
  ])
  return new Map(
    [...sums.stdout.matchAll(/^([0-9a-f]{64}) {2}(.*)$/gm)].map(([, sum = '', path]) => [
      `/${path}`,
      sum,
    ]),
  )
}

/** Puts what the phase begins with into `run/`, and its upstream behind the lane's URL. */
async function setStage(place: Place, phase: Phase): Promise<void> {
  const run = join(place.dir, 'run')
  await rm(run, { recursive: true, force: true })
  await copy(join(place.dir, 'starts', phase), run)
  const link = join(place.dir, 'upstream')
  await rm(link, { force: true })
  await symlink(relative(place.dir, upstreamOf(phase, place.upstreams)), link)
}

async function copy(from: string, to: string): Promise<void> {
  await runOk('cp', ['-a', '--reflink=auto', from, to])
}

async function start(place: Place, fault?: string): Promise<Ended | undefined> {
  const begun = await startProcess(place.t, join(place.dir, 'run', 'var'), fault)
  if (!('url' in begun)) return begun
  place.sluice = begun
  place.front.turnTo(begun.url)
  return undefined
}

async function machine(place: Place): Promise<TestApt> {
  const home = join(place.dir, 'run', 'apt')
  const root = `${place.front.url}/channels/approved`
  const key = join(home, 'sluice.gpg')
  const lines = ['stable main extra', 'stable-security main'].map(
    (suite) => `deb [signed-by=${key}] ${root}/nut ${suite}`,
  )
  const apt = await createApt(home, { sources: lines.join('\n') })
  await apt.run('/usr/lib/apt/apt-helper', ['download-file', `${root}/key.gpg`, key])
  return apt
}

async function aptTroubles(place: Place): Promise<string[]> {
  const apt = await machine(place)
  const runs = [await apt.update(), await apt.download('small')].map(troubles)
  return runs
    .filter((one) => JSON.stringify(one) !== JSON.stringify(clean))
    .map((one) => JSON.stringify(one))
}

/** Goes through a phase without a crash, notes what it is, and keeps the end as the start of the next. */
async function rehearse(place: Place, phase: Phase, next: Phase | undefined): Promise<void> {
  await setStage(place, phase)
  if (phase === 'repair') await damage(place)
  const data = join(place.dir, 'run', 'var')
  const { here } = await completeBlobs(data)
  const flaws = await checkDead(data, here, join(place.dir, 'scratch'))
  if (phase !== 'repair' && flaws.length > 0) throw new Error(flaws.join('\n'))
  const trace = join(place.dir, `trace-${phase}`)
  const exit = await start(place, `trace:${trace}`)
  if (exit !== undefined || place.sluice === undefined) throw new Error(JSON.stringify(exit))
  const { sluice } = place
  const before = await look(sluice.url)
  await play(phase, stageOf(place, sluice))
  const points = (await readFile(trace, 'utf8')).trim().split('\n')
  const wrong = await aptTroubles(place)
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
  const after = await look(sluice.url)
  place.references.set(phase, { before, after, audit: await auditOf(sluice), flaws, points })
  await sluice.stop()
  if (next !== undefined) await copy(join(place.dir, 'run'), join(place.dir, 'starts', next))
}

/** A file without its row, a row without its file, and a temp file: what crashes and broken disks leave. */
async function damage(place: Place): Promise<void> {
  const root = join(place.dir, 'starts', 'repair', 'var')
  const db = new Database(join(root, 'sluice.db'))
  const digest = (path: string): string => place.files.get(path) ?? ''
  const huge = digest('/pool/main/h/huge/huge_1_amd64.deb')
  const data = digest('/pool/main/d/duo/duo-data_2_amd64.deb')
  db.prepare('DELETE FROM blob WHERE sha256 = ?').run(Buffer.from(huge, 'hex'))
  db.close()
  await rm(join(root, 'blobs', data.slice(0, 2), data.slice(2)))
  await mkdir(join(root, 'tmp'), { recursive: true })
  await cp(join(root, 'token'), join(root, 'tmp', '1-1'))
  await setStage(place, 'repair')
}

function stageOf(place: Place, sluice: SluiceProcess): Parameters<typeof play>[1] {
  return { sluice, upstreamUrl: place.upstream.url, keyring: place.keyring }
}

async function crash(
  place: Place,
  phase: Phase,
  nth: number,
): Promise<{ wrong: string[]; isReached: boolean }> {
  const reference = place.references.get(phase)
  if (reference === undefined) throw new Error(`no ${phase}`)
  await setStage(place, phase)
  const data = join(place.dir, 'run', 'var')
  const scratch = join(place.dir, 'scratch')
  const { seen, isReached, wrong } = await runToDeath(place, phase, nth)
  const { here, bad } = await completeBlobs(data)
  const flaws = await checkDead(data, here, scratch)
  wrong.push(...bad, ...flaws.filter((flaw) => !reference.flaws.includes(flaw)))
  place.upstream.clearRequests()

  const exit = await start(place)
  const { sluice } = place
  if (exit !== undefined || sluice === undefined)
    return { wrong: [...wrong, `it does not start again: ${JSON.stringify(exit)}`], isReached }
  wrong.push(...(await checkAlive(sluice, data, scratch)))
  const now = await look(sluice.url)
  wrong.push(...contradictions(reference.before, now), ...contradictions(seen, now))
  wrong.push(...strangers(now, [reference.before, reference.after]))
  if (now.has('approved stable')) wrong.push(...(await aptTroubles(place)))
  wrong.push(...(await finish(place, phase, sluice, now)))
  for (const { path } of place.upstream.requests) {
    const digest = /\/by-hash\/SHA256\/(.*)$/.exec(path)?.[1] ?? place.files.get(path)
    if (digest !== undefined && here.has(digest)) wrong.push(`${path} was fetched again`)
  }
  await sluice.stop('SIGKILL')
  return { wrong, isReached }
}

/** Plays the phase until the process is killed at the point, and looks all the while. */
async function runToDeath(
  place: Place,
  phase: Phase,
  nth: number,
): Promise<{ seen: Sight; isReached: boolean; wrong: string[] }> {
  const wrong: string[] = []
  let seen: Sight = new Map()
  const early = await start(place, `kill:${nth}`)
  if (early !== undefined) return { seen, isReached: true, wrong: killedRightly(early) }
  const { sluice } = place
  if (sluice === undefined) throw new Error('no server')
  const watching = (async () => {
    for (;;) {
      const next = await look(sluice.url)
      wrong.push(...contradictions(seen, next).map((one) => `before the crash: ${one}`))
      seen = next
    }
  })().catch(() => undefined)
  let isReached = false
  try {
    await play(phase, stageOf(place, sluice))
  } catch (error) {
    if (error instanceof StoryError) wrong.push(error.message)
    isReached = true
  }
  const exit = isReached ? await sluice.ended : await sluice.stop('SIGKILL')
  await watching
  return { seen, isReached, wrong: [...wrong, ...killedRightly(exit)] }
}

function killedRightly({ signal, code, text }: Ended): string[] {
  const said = text.split('\n').filter((line) => line !== '' && !line.startsWith('{"kind":'))
  return signal === 'SIGKILL' && said.length === 0
    ? []
    : [`ended by ${signal ?? code}: ${said.join('\n')}`]
}

/** Goes on with the phase to its end, which must be the same as without a crash. */
async function finish(
  place: Place,
  phase: Phase,
  sluice: SluiceProcess,
  before: Sight,
): Promise<string[]> {
  const reference = place.references.get(phase)
  try {
    await play(phase, stageOf(place, sluice))
  } catch (error) {
    return [`it cannot go on: ${error instanceof Error ? error.message : error}`]
  }
  const end = await look(sluice.url)
  const audit = await auditOf(sluice)
  const wrong = contradictions(before, end)
  if (reference === undefined) return wrong
  wrong.push(...strangers(end, [reference.after]))
  if (JSON.stringify(audit) !== JSON.stringify(reference.audit))
    wrong.push(`the audit is ${audit.join(', ')}`)
  if (!before.has('approved stable')) wrong.push(...(await aptTroubles(place)))
  return wrong
}
