/**
 * What the API answers about uploads, as far as commands show it.
 */
import type { TakenDeb } from '../archives/take-deb.ts'
import type { UploadRow } from '../archives/upload-table.ts'
import type { Followed } from '../server/upload-follow.ts'

export type { TakenDeb }

export interface PackageAnswer {
  /** Where these bytes are published. */
  readonly published: readonly UploadRow[]
  /** How many of them are here of an upload that did not come to its end. */
  readonly offset: number
}

export interface FollowAnswer {
  readonly generations: readonly Followed[]
}

/** What `sluice publish --json` prints. */
export interface PublishAnswer extends FollowAnswer {
  readonly packages: readonly PublishedFile[]
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
