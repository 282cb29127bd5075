/**
 * Keys of archives that come to their end: told at the start, once a day in the log, and in the metrics.
 */
import { listArchives, listSuites } from '../archives/archive-table.ts'
import { describeEnd, isEnding, type SigningEnd, signingEnds } from '../archives/key-health.ts'
import { nowSeconds } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { ServerParts } from './parts.ts'
import type { StartEvent } from './start-event.ts'

interface ArchiveEnd {
  readonly archive: string
  readonly end: SigningEnd
}

async function listEnds(parts: ServerParts): Promise<ArchiveEnd[]> {
  const ends: ArchiveEnd[] = []
  for (const archive of await listArchives(parts.db)) {
    const suites = await listSuites(parts.db, archive)
    for (const end of await signingEnds(archive, suites, nowSeconds(parts.clock))) {
      ends.push({ archive: archive.name, end })
    }
  }
  return ends
}

/** A warning for each key that expires soon, or is good no more. */
export async function tellKeyEnds(
  parts: ServerParts,
  onEvent: (event: StartEvent) => void,
): Promise<void> {
  for (const { archive, end } of await listEnds(parts)) {
    if (isEnding(end)) onEvent({ kind: 'warning', ...describeEnd(archive, end) })
  }
}

/** The same for the log. */
export async function logKeyEnds(parts: ServerParts, log: Log): Promise<void> {
  for (const { archive, end } of await listEnds(parts)) {
    if (!isEnding(end)) continue
    const { fingerprint, suites, state, expiresAt } = end
    const { hint } = describeEnd(archive, end)
    log.warn(
      { archive, key: fingerprint, suites, state, expiresAt, hint },
      'key of an archive ends',
    )
  }
}

/** Adds to the metrics when keys expire: 0 for a revoked one; nothing of those that never do. */
export function addKeyGauge(parts: ServerParts): void {
  parts.metrics.addGauge({
    name: 'archive_key_expires_timestamp_seconds',
    help: 'When the key expires that an archive is signed with: 0 if it is revoked',
    label: ['archive', 'key'],
    read: async () =>
      (await listEnds(parts)).flatMap(({ archive, end }) => {
        const at = end.isRevoked ? 0 : end.expiresAt
        return at === undefined ? [] : [[[archive, end.fingerprint], at] as const]
      }),
  })
}
