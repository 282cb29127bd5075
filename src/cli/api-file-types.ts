/**
 * What the API answers about files that channels name, about keys of archives, and about rescue.
 */
import type { FillReport, UnfilledFile } from '../keeping/fill.ts'
import type { ChannelFiles } from '../server/channel-files.ts'
import type { Rescued } from '../server/rescued.ts'

export type { ChannelFiles, FillReport, Rescued, UnfilledFile }

export interface RescueAnswer {
  readonly isOn: boolean
  readonly isLooking: boolean
  /** Still to be fetched. */
  readonly files: number
  readonly bytes: number
  readonly active: number
  /** Why it waits, and until when: epoch milliseconds. */
  readonly problem?: { readonly message: string; readonly nextAt: number }
}

export interface ArchiveKeyAnswer {
  readonly fingerprint: string
  readonly userIds: readonly string[]
  /** Epoch seconds. */
  readonly expiresAt?: number
  readonly state: 'good' | 'expires soon' | 'expired' | 'revoked'
  /** Suites whose Release it verifies. */
  readonly signs: readonly string[]
  /** What some verifiers have against it. */
  readonly warnings: readonly string[]
}

export interface RemovedAnswer {
  readonly removed: string
  /** Channel -> files of it that are lost now. */
  readonly lost: Readonly<Record<string, number>>
}

export interface KeyProblemAnswer {
  readonly message: string
  readonly hint: string
  readonly state: ArchiveKeyAnswer['state']
}
