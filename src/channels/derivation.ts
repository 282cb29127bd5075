/**
 * What is based on a channel follows it: derived channels and classes are brought up to their base after it was flipped, in
 * the background, one at a time. Whoever flips a channel only says so here, and does not wait.
 *
 * The nearest to the root comes first, so that what is based on a derived channel is made once, of its newest. Flips that
 * come while work is under way are taken together. All of it is looked through at the start too (`wakeAll`): a crash may
 * have come between the flip of a base and that of what is based on it. What fails is tried again after two minutes.
 */
import { createBell } from '../archives/bell.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { breathe } from '../base/mutex.ts'
import type { ChannelParts } from './channel-parts.ts'
import { type Channel, findChannelById, listChannels } from './channel-table.ts'
import type { DerivationQueue } from './derivation-queue.ts'
import { deriveChannel } from './derive.ts'

const RETRY_MS = 2 * 60_000

export interface DerivationWorker {
  /** Looks at all that is based on something; false if some of it could not be brought up to its base. */
  wakeAll(): Promise<boolean>
  /** Resolves when the channel that is being made is done, or given up. */
  stop(): Promise<void>
}

/** Starts the worker on what the queue of these parts is told. */
export function startDerivation(
  parts: ChannelParts & { readonly derivation: DerivationQueue },
  log: Log,
): DerivationWorker {
  const { derivation } = parts
  const stopping = new AbortController()
  const { signal } = stopping
  const idle = createBell()
  const due = new Set<number>()
  const retry = createRetry(parts, signal)
  let isIdle = true
  const round = async (): Promise<void> => {
    if (derivation.isEmpty() && due.size === 0) {
      isIdle = true
      idle.ring()
      await derivation.bell.wait(signal)
      isIdle = false
      // Whoever flipped the base answers first.
      return breathe()
    }
    const next = await chooseNext(parts, due)
    if (next !== undefined) await deriveOne(parts, next, { log, signal, retry })
  }
  const run = async (): Promise<void> => {
    let isComplete = true
    while (!signal.aborted) {
      try {
        if (!isComplete) for (const { id } of await listBased(parts)) derivation.wake(id)
        isComplete = true
        await round()
      } catch (error) {
        if (signal.aborted) return
        const { code, message } = toAppError(error)
        log.error({ code, problem: message }, 'derived channels could not be looked at')
        // What was due may be forgotten: all are looked at.
        isComplete = false
        await parts.clock.until(parts.clock.now() + RETRY_MS, { signal })
      }
    }
  }
  const running = run().catch(() => undefined)
  return {
    wakeAll: async () => {
      const all = await listBased(parts)
      if (all.length === 0) return true
      isIdle = false
      for (const { id } of all) derivation.wake(id)
      while (!isIdle && !signal.aborted) await idle.wait(signal)
      return all.every(({ id }) => derivation.problemOf(id) === undefined)
    },
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}

async function listBased({ db }: ChannelParts): Promise<Channel[]> {
  return (await listChannels(db)).filter((one) => one.baseId !== undefined)
}

/** Takes in what was told to the queue, and out what is due and nearest to the root. */
async function chooseNext(
  { db, derivation }: ChannelParts & { readonly derivation: DerivationQueue },
  due: Set<number>,
): Promise<Channel | undefined> {
  const { channels, bases } = derivation.take()
  const all = new Map((await listChannels(db)).map((one) => [one.id, one]))
  for (const { id, baseId } of all.values()) {
    if (baseId === undefined) continue
    if (channels.has(id) || bases.has(baseId)) due.add(id)
  }
  let next: Channel | undefined
  for (const id of due) {
    const one = all.get(id)
    if (one === undefined) due.delete(id)
    else if (next === undefined || depthOf(all, one) < depthOf(all, next)) next = one
  }
  if (next !== undefined) due.delete(next.id)
  return next
}

/** How many channels stand between this one and one that is based on none. */
export function depthOf(all: ReadonlyMap<number, Channel>, channel: Channel): number {
  let depth = 0
  let at: Channel | undefined = channel
  while (at?.baseId !== undefined && depth <= all.size) {
    at = all.get(at.baseId)
    depth++
  }
  return depth
}

async function deriveOne(
  parts: ChannelParts & { readonly derivation: DerivationQueue },
  channel: Channel,
  { log, signal, retry }: { log: Log; signal: AbortSignal; retry: (channelId: number) => void },
): Promise<void> {
  try {
    const generation = await deriveChannel(
      parts,
      { channel: channel.name, who: 'system' },
      { signal },
    )
    if (generation === undefined) return
    log.info({ channel: channel.name, serial: generation.serial }, 'followed its base')
  } catch (error) {
    if (signal.aborted) return
    const now = await findChannelById(parts.db, channel.id)
    if (now === undefined) return
    if (now.name !== channel.name) {
      // It was renamed in between.
      parts.derivation.wake(channel.id)
      return
    }
    const { code, message } = toAppError(error)
    const since = parts.derivation.problemOf(channel.id)?.since ?? parts.clock.now()
    parts.derivation.noteProblem(channel.id, { message, since })
    log.error({ channel: channel.name, code, problem: message }, 'could not follow its base')
    retry(channel.id)
  }
}

/** What wakes a channel after a while that could not be brought up to its base, unless it was meanwhile. */
function createRetry(
  { clock, derivation }: ChannelParts & { readonly derivation: DerivationQueue },
  signal: AbortSignal,
): (channelId: number) => void {
  const waiting = new Set<number>()
  return (id) => {
    if (waiting.has(id)) return
    waiting.add(id)
    const wake = (): void => {
      waiting.delete(id)
      if (derivation.problemOf(id) !== undefined) derivation.wake(id)
    }
    clock.until(clock.now() + RETRY_MS, { signal }).then(wake, () => undefined)
  }
}
