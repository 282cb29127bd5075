/**
 * What the use cases of archives work with.
 */
import type { Clock } from '../base/clock.ts'
import type { Leases } from '../base/leases.ts'
import type { Mutex } from '../base/mutex.ts'
import type { Downloads } from './download.ts'
import type { IndexParts } from './index-parts.ts'
import type { Revocations } from './revocations.ts'
import type { Upstream } from './upstream.ts'

export interface ArchiveParts extends IndexParts {
  readonly upstream: Upstream
  readonly downloads: Downloads
  readonly clock: Clock
  /** Who is at work, so that nothing is deleted under it: the locks take leases by themselves. */
  readonly leases: Leases
  /** What no channel offers any more, for good. */
  readonly revocations: Revocations
  /** One refresh of an archive at a time. */
  readonly archiveLock: (archive: string) => Mutex
}
