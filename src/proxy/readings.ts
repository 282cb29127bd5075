/**
 * Which state of a suite each connection reads. Where upstream has no by-hash, a client asks for indexes by names, and only
 * those that belong to the Release it was given fit: it gets these on the same connection, also when the suite has changed
 * since (F1). A connection that is shared by many clients, as that of a web server in front, is no reader.
 *
 * Answers that belong to a reading are for that connection, and are not to be remembered for others.
 */
import type { Archive, ArchiveSuite } from '../archives/archive-table.ts'
import type { Clock } from '../base/clock.ts'

/** apt asks for indexes right after the Release; on a slow line for one after the other. */
const READ_MS = 600_000

export interface Readings {
  /** Notes that this connection was given the suite's Release. */
  begin(reader: object, archive: Archive, suite: ArchiveSuite): void
  /** The suite as it was then. */
  of(reader: object, archive: Archive, suite: string): ArchiveSuite | undefined
}

/** Nobody reads anything yet. */
export function createReadings(clock: Clock): Readings {
  const byReader = new WeakMap<object, Map<string, { suite: ArchiveSuite; until: number }>>()
  const keyOf = ({ id }: Archive, suite: string): string => `${id} ${suite}`
  return {
    begin: (reader, archive, suite) => {
      const all = byReader.get(reader) ?? new Map()
      byReader.set(reader, all)
      all.set(keyOf(archive, suite.suite), { suite, until: clock.now() + READ_MS })
    },
    of: (reader, archive, suite) => {
      const found = byReader.get(reader)?.get(keyOf(archive, suite))
      return found !== undefined && clock.now() < found.until ? found.suite : undefined
    },
  }
}
