/**
 * What is based on a channel follows it: derived channels and classes are brought up to their base after it was flipped, in
 * the background, one at a time. Whoever flips a channel only says so here, and does not wait.
 *
 * The nearest to the root comes first, so that what is based on a derived channel is made once, of its newest. Flips that
 * come while work is under way are taken together. All of it is looked through at the start too (`wakeAll`): a crash may
 * have come between the flip of a base and that of what is based on it.
 */
import { createBell } from '../archives/bell.ts'
import { toAppError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { breathe } from '../base/mutex.ts'
import type { ChannelParts } from './channel-parts.ts'
import { type Channel, findChannelById, listChannels } from './channel-table.ts'
import type { DerivationQueue } from './derivation-queue.ts'
import { deriveChannel } from './derive.ts'

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
  let isIdle = true
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      if (derivation.isEmpty() && due.size === 0) {
        isIdle = true
        idle.ring()
        await derivation.bell.wait(signal)
        isIdle = false
        // Whoever flipped the base answers first.
        await breathe()
        continue
      }
      const next = await chooseNext(parts, due)
      if (next !== undefined) await deriveOne(parts, next, log, signal)
    }
  }
  const running = run().catch((error: unknown) => {
    const { code, message } = toAppError(error)
    log.error({ code, problem: message }, 'derived channels are not followed any more')
    stopping.abort()
    idle.ring()
  })
  return {
    wakeAll: async () => {
      const all = (await listChannels(parts.db)).filter((one) => one.baseId !== undefined)
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
  log: Log,
  signal: AbortSignal,
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
  }
}
