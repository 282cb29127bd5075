/**
 * Rescue: files that upstream replaced, and that kept generations still name, are fetched in the background while upstream
 * still has them. A few at once, one while clients wait for files of their own.
 *
 * What fails is tried again: an archive that cannot be reached as a whole, any other file for itself, sooner at first. A
 * file that no URL has any more is lost: that is logged once, and it is asked for again once a day, or when its archive got
 * other URLs.
 */
import { type Bell, createBell } from '../archives/bell.ts'
import { isGone } from '../archives/download.ts'
import { locate } from '../archives/locate.ts'
import type { Abortable } from '../base/abortable.ts'
import { type AppError, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { Log } from '../base/log.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { noteGone } from '../channels/missing-table.ts'
import { assertRoom } from '../store/disk-reserve.ts'
import { listRescues, type RescueFile } from './rescue-list.ts'

const AT_ONCE = 3
const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 10 * 60_000
const LOST_PAUSE_MS = 24 * 3600_000
const DISK = 'the disk'
const NAMED = 10

export interface RescueTotals {
  readonly files: number
  readonly bytes: number
  /** Found to be lost. */
  readonly lost: number
  /** Found to be missing, and not to be rescued: see missing-files.ts. */
  readonly givenUp: number
}

/** What is still to be rescued; `problem` is why nothing is fetched just now. */
export interface RescueStatus {
  /** Something changed, and it is not known yet whether there is more to rescue. */
  readonly isLooking: boolean
  readonly files: number
  readonly bytes: number
  readonly active: number
  readonly problem?: { readonly message: string; readonly nextAt: number } | undefined
}

export interface Rescue {
  /** Begins; before that nothing is looked at. */
  start(): void
  /** There may be something new to rescue; with `retryLost` also what was lost may be there again. */
  wake(options?: { readonly retryLost?: boolean }): void
  /** Resolves when all was tried that was to be rescued at the call, or with the signal. */
  settle(abortable: Abortable): Promise<void>
  /** Since the start of the process. */
  readonly totals: RescueTotals
  /** Of one archive, or of all. */
  status(archive?: string): RescueStatus
  stop(): Promise<void>
}

type RescueParts = Pick<ChannelParts, 'db' | 'blobs' | 'clock' | 'downloads' | 'ledger'>

interface Pause {
  readonly tries: number
  readonly until: number
  readonly problem: AppError
}

interface State {
  readonly parts: RescueParts
  readonly log: Log
  readonly stopping: AbortController
  /** Rings when all was tried. */
  readonly bell: Bell
  readonly active: Map<Sha256, { readonly file: RescueFile; readonly done: Promise<void> }>
  /** By digest of a file, by name of an archive, or `DISK`. */
  readonly pauses: Map<string, Pause>
  readonly totals: { files: number; bytes: number; lost: number; givenUp: number }
  /** Found to be lost, and not yet in the log: what URLs said. */
  readonly lost: string[]
  /** What was not lost when it was looked last; what was fetched since is taken out. */
  readonly waiting: Map<Sha256, RescueFile>
  /** How often it was waked, and up to which of these times all was tried. */
  asked: number
  settled: number
  retryLost: boolean
  waking: AbortController
}

/** A rescue that has not begun. */
export function createRescue(parts: RescueParts, log: Log): Rescue {
  const state: State = {
    parts,
    log,
    stopping: new AbortController(),
    bell: createBell(),
    active: new Map(),
    pauses: new Map(),
    totals: { files: 0, bytes: 0, lost: 0, givenUp: 0 },
    lost: [],
    waiting: new Map(),
    // For what may have been left when it ended last.
    asked: 1,
    settled: 0,
    retryLost: false,
    waking: new AbortController(),
  }
  let running: Promise<void> | undefined
  return {
    start: () => {
      running ??= run(state).catch(() => undefined)
    },
    wake: ({ retryLost = false } = {}) => {
      state.asked++
      state.retryLost ||= retryLost
      state.waking.abort()
    },
    settle: async ({ signal }) => {
      const { asked } = state
      const isOver = (): boolean => signal?.aborted === true || state.stopping.signal.aborted
      while (running !== undefined && state.settled < asked && !isOver())
        await state.bell.wait(signal)
    },
    get totals() {
      return { ...state.totals }
    },
    status: (archive) => statusOf(state, archive),
    stop: async () => {
      state.stopping.abort()
      state.waking.abort()
      await running
      state.bell.ring()
    },
  }
}

function statusOf(state: State, archive: string | undefined): RescueStatus {
  const { parts, waiting, active, pauses, asked, settled } = state
  const isOf = (file: RescueFile): boolean => archive === undefined || file.archive === archive
  const files = [...waiting.values()].filter(isOf)
  const pause = [DISK, archive, ...files.map((file) => file.sha256)]
    .map((key) => pauses.get(key ?? ''))
    .find((one) => one !== undefined && one.until > parts.clock.now())
  return {
    isLooking: settled < asked,
    files: files.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    active: [...active.values()].filter((one) => isOf(one.file)).length,
    problem: pause && { message: pause.problem.message, nextAt: pause.until },
  }
}

async function run(state: State): Promise<void> {
  const { parts, log, stopping } = state
  while (!stopping.signal.aborted) {
    const { asked } = state
    state.waking = new AbortController()
    let nextAt = parts.clock.now() + FIRST_PAUSE_MS
    try {
      const plan = await makePlan(state)
      nextAt = await fetchAll(state, plan, asked)
    } catch (error) {
      if (stopping.signal.aborted) return
      const { code, message } = toAppError(error)
      log.error({ code, problem: message }, 'rescue failed')
    }
    tellLost(state)
    if (state.asked !== asked) continue
    state.settled = asked
    state.bell.ring()
    const signal = AbortSignal.any([stopping.signal, state.waking.signal])
    await parts.clock.until(nextAt, { signal }).catch(() => undefined)
  }
}

/** Once for each file, and one line for many. */
function tellLost({ lost, log }: State): void {
  if (lost.length === 0) return
  const hint = 'sluice channel show names them; if another server has them: archive set --fallback'
  log.warn(
    { files: lost.length, problems: lost.slice(0, NAMED), hint },
    'superseded files are lost',
  )
  lost.length = 0
}

/** What is to be fetched, each with the time from which on it may be. */
async function makePlan(state: State): Promise<{ file: RescueFile; at: number }[]> {
  const { parts, log, waiting, active } = state
  const { retryLost } = state
  state.retryLost = false
  const { files, givenUp } = await listRescues(parts, state.stopping.signal).catch(
    (error: unknown) => {
      state.retryLost ||= retryLost
      throw error
    },
  )
  state.totals.givenUp += givenUp
  if (givenUp > 0) log.warn({ files: givenUp }, 'files are lost that nothing rescues')
  waiting.clear()
  for (const file of files) if (file.goneAt === undefined) waiting.set(file.sha256, file)
  return files.flatMap((file) => {
    if (active.has(file.sha256)) return []
    const lostUntil = retryLost || file.goneAt === undefined ? 0 : file.goneAt + LOST_PAUSE_MS
    return [{ file, at: lostUntil }]
  })
}

/** Fetches what is due, unless somebody asks anew meanwhile; the time at which something will be due again. */
async function fetchAll(
  state: State,
  plan: readonly { readonly file: RescueFile; readonly at: number }[],
  asked: number,
): Promise<number> {
  const { parts, active, stopping, pauses } = state
  const pausedUntil = ({ sha256, archive }: RescueFile): number =>
    Math.max(...[DISK, archive, sha256].map((key) => pauses.get(key)?.until ?? 0))
  for (const { file, at } of plan) {
    while (active.size >= (areClientsWaiting(state) ? 1 : AT_ONCE)) {
      await Promise.race([...active.values()].map((one) => one.done))
    }
    if (state.asked !== asked || stopping.signal.aborted) return 0
    if (Math.max(at, pausedUntil(file)) <= parts.clock.now()) begin(state, file)
  }
  await Promise.all([...active.values()].map((one) => one.done))
  const now = parts.clock.now()
  let nextAt = now + LOST_PAUSE_MS
  for (const { file, at } of plan) {
    const due = Math.max(at, pausedUntil(file))
    if (due > now) nextAt = Math.min(nextAt, due)
  }
  return nextAt
}

function areClientsWaiting({ parts, active }: State): boolean {
  return parts.downloads.active > active.size
}

function begin(state: State, file: RescueFile): void {
  const { active } = state
  const done = attempt(state, file).finally(() => active.delete(file.sha256))
  active.set(file.sha256, { file, done })
}

/** Fetches one file; never throws. */
async function attempt(state: State, file: RescueFile): Promise<void> {
  const { parts, log, stopping, pauses, totals, waiting } = state
  const { sha256, size, archive } = file
  try {
    const { wanted, source } = await locate(parts.db, sha256)
    await assertRoom(parts.blobs, size, `to rescue ${wanted.label}`)
    await parts.downloads.fetch(wanted, source, { signal: stopping.signal })
    crashPoint('rescue: file fetched')
    totals.files++
    totals.bytes += size
    waiting.delete(sha256)
    for (const key of [sha256, archive, DISK]) pauses.delete(key)
    log.info({ archive, file: wanted.label, sizeBytes: size }, 'superseded file rescued')
  } catch (error) {
    if (stopping.signal.aborted) return
    await noteFailure(state, file, toAppError(error)).catch((failure: unknown) => {
      log.error({ archive, sha256, error: failure }, 'rescue could not be noted')
    })
  }
}

async function noteFailure(state: State, file: RescueFile, error: AppError): Promise<void> {
  const { parts, log, pauses, totals, waiting, lost } = state
  const { sha256, archive } = file
  const now = parts.clock.now()
  if (isGone(error) || error.code === 'ERR_NOT_FOUND') {
    await noteGone(parts.db, sha256, now, error.message)
    crashPoint('rescue: found gone')
    waiting.delete(sha256)
    if (file.goneAt !== undefined) return
    totals.lost++
    lost.push(error.message)
    return
  }
  const key = keyOf(error, file)
  const { tries, until: before } = pauses.get(key) ?? { tries: 0, until: 0 }
  // One of several that were under way together.
  if (before > now) return
  const until = now + Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS)
  pauses.set(key, { tries: tries + 1, until, problem: error })
  if (tries > 0) return
  log.warn({ archive, sha256, code: error.code, problem: error.message }, 'rescue has to wait')
}

/** What has to wait after this error. */
function keyOf({ code }: AppError, { sha256, archive }: RescueFile): string {
  if (code === 'ERR_DISK_FULL') return DISK
  const isAway = code === 'ERR_UPSTREAM_UNREACHABLE' || code === 'ERR_UPSTREAM_TIMEOUT'
  return isAway ? archive : sha256
}
