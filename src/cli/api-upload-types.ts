/**
 * What the API answers about uploads, as far as commands show it.
 */
import type { ChangesOutcome } from '../archives/take-changes.ts'
import type { TakenDeb } from '../archives/take-deb.ts'
import type { UploadRow } from '../archives/upload-table.ts'
import type { UploadWarning } from '../channels/upload-warnings.ts'
import type { Followed } from '../server/upload-follow.ts'

export type { ChangesOutcome, TakenDeb }

/** How much is there of a file of an upload of several. */
export interface PartAnswer {
  readonly isWhole: boolean
  readonly size: number
  /** Where to go on with one that is not whole. */
  readonly offset: number
}

export interface PackageAnswer {
  /** Where these bytes are published. */
  readonly published: readonly UploadRow[]
  /** How many of them are here of an upload that did not come to its end. */
  readonly offset: number
}

export interface FollowAnswer {
  readonly generations: readonly Followed[]
}

/** A package that is in a local archive. */
export interface UploadedPackage extends UploadRow {
  /** Epoch milliseconds: when it is taken out by itself. */
  readonly endsAt?: number
}

export interface UnpublishAnswer extends FollowAnswer {
  readonly removed: readonly UploadRow[]
  /** Channels that offered it, and whether they go on to. */
  readonly channels: readonly { readonly channel: string; readonly keeps: boolean }[]
}

export interface WarningsAnswer {
  /** By what channels have that follow the archive. */
  readonly warnings: readonly UploadWarning[]
}

/** What `sluice publish --json` prints. */
export interface PublishAnswer extends FollowAnswer, WarningsAnswer {
  readonly packages: readonly PublishedFile[]
  /** Epoch milliseconds: when all of it is taken out by itself, if that was told. */
  readonly endsAt?: number | undefined
}

export interface PublishedFile {
  readonly file: string
  readonly packages: readonly Pick<
    TakenDeb['published'],
    'name' | 'version' | 'architecture' | 'suite' | 'component' | 'sha256' | 'size' | 'outcome'
  >[]
  readonly warnings: readonly { readonly reason: string; readonly message: string }[]
  /** Why it was not published. */
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly hint?: string | undefined
  }
}
