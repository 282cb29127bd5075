/**
 * What waits to be brought up to its base, and what is known of that: in memory, since all is looked through at the start.
 */
import { type Bell, createBell } from '../archives/bell.ts'

/** Why a channel could not be brought up to its base. */
export interface DerivationProblem {
  readonly message: string
  /** Epoch milliseconds. */
  readonly since: number
}

export interface Derivation {
  /** Says that a channel was flipped, or that what it is made of changed: what is based on it has to follow. */
  wakeDependents(channelId: number): void
  /** Says that a channel itself has to be looked at. */
  wake(channelId: number): void
  /** Remembers that a channel is now what its base was at `serial`. */
  noteDone(channelId: number, serial: number): void
  /** The generation of its base that the channel is made of; undefined before it was looked at since the start. */
  madeOf(channelId: number): number | undefined
  problemOf(channelId: number): DerivationProblem | undefined
}

/** The same with what only the worker needs. */
export interface DerivationQueue extends Derivation {
  readonly bell: Bell
  isEmpty(): boolean
  /** Channels that were woken, and those whose dependents were; forgotten by the call. */
  take(): { readonly channels: ReadonlySet<number>; readonly bases: ReadonlySet<number> }
  noteProblem(channelId: number, problem: DerivationProblem): void
}

/** A queue in which nothing waits. */
export function createDerivationQueue(): DerivationQueue {
  const bell = createBell()
  const serials = new Map<number, number>()
  const problems = new Map<number, DerivationProblem>()
  let channels = new Set<number>()
  let bases = new Set<number>()
  return {
    bell,
    isEmpty: () => channels.size + bases.size === 0,
    wakeDependents: (id) => {
      bases.add(id)
      bell.ring()
    },
    wake: (id) => {
      channels.add(id)
      bell.ring()
    },
    noteDone: (id, serial) => {
      serials.set(id, serial)
      problems.delete(id)
    },
    madeOf: (id) => serials.get(id),
    problemOf: (id) => problems.get(id),
    noteProblem: (id, problem) => {
      problems.set(id, problem)
    },
    take: () => {
      const taken = { channels, bases }
      channels = new Set()
      bases = new Set()
      return taken
    },
  }
}
