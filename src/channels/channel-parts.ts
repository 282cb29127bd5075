/**
 * What the use cases of channels work with.
 */
import type { ArchiveParts } from '../archives/archive-parts.ts'
import type { Bell } from '../archives/bell.ts'
import type { Mutex } from '../base/mutex.ts'
import type { Gate } from '../gate/gate.ts'
import type { SigningParts } from '../signing/signing-parts.ts'
import type { Derivation } from './derivation-queue.ts'
import type { FileLedger } from './file-ledger.ts'
import type { KeyringWork } from './keyring-work.ts'
import type { PdiffMaker } from './pdiffs.ts'
import type { KnownPlans } from './plan-digest.ts'
import type { OwnAddress } from './release-urls.ts'
import type { Views } from './views.ts'

export interface ChannelParts extends ArchiveParts, SigningParts {
  readonly keyring: KeyringWork
  readonly views: Views
  readonly ledger: FileLedger
  readonly pdiffs: PdiffMaker
  /** Plans of promotions that were told lately. */
  readonly plans: KnownPlans
  /** Says what a promotion would make uninstallable. */
  readonly gate: Gate
  /** Told of each flip, so that what is based on the channel follows. */
  readonly derivation: Derivation
  /** Rung when a hold is given an end. */
  readonly holdEnds: Bell
  readonly address: OwnAddress
  /** One change of a channel at a time. */
  readonly channelLock: (channel: string) => Mutex
}

/** Who asks for a change, and why: for the audit. */
export interface Reason {
  readonly who: string
  readonly why?: string | undefined
}
