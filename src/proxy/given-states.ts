/**
 * Which state of a learned suite a client was given last: indexes that it asks for by names are of that one. Told by its
 * connection, else by its address, which several may share.
 */
import type { Abortable } from '../base/abortable.ts'
import { createLru } from '../base/lru.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { LearnedSuite } from './learned-table.ts'

const REMEMBERED = 20_000

/** Who asks, and how long. */
export interface Asking extends Abortable {
  readonly address: string
  /** The connection, where it is one client's. */
  readonly reader?: object | undefined
}

export interface GivenStates {
  note(asking: Asking, suite: LearnedSuite, key: Sha256): void
  of(asking: Asking, suite: LearnedSuite): Sha256 | undefined
}

/** Nobody was given anything yet. */
export function createGivenStates(): GivenStates {
  const byReader = new WeakMap<object, Map<number, Sha256>>()
  const byAddress = createLru<string, Sha256>(REMEMBERED)
  return {
    note: ({ reader, address }, { id }, key) => {
      byAddress.set(`${address} ${id}`, key)
      if (reader === undefined) return
      const given = byReader.get(reader) ?? new Map<number, Sha256>()
      byReader.set(reader, given.set(id, key))
    },
    of: ({ reader, address }, { id }) =>
      (reader && byReader.get(reader)?.get(id)) ?? byAddress.get(`${address} ${id}`),
  }
}
