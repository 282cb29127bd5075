/**
 * What the API answers about generations: how they differ, where a package is and was, changelogs.
 */
import type {
  GenerationDifference,
  PackageDifference,
  SourceDifference,
} from '../channels/compare.ts'
import type { PackageRun } from '../channels/search.ts'
import type { SourceContents } from '../desk/diff-contents.ts'
import type { ChannelClient, ClientCount } from '../server/channel-clients.ts'
import type { GenerationName } from './api-types.ts'

export type { ChannelClient, ClientCount, PackageDifference, PackageRun, SourceDifference }

export interface DifferenceAnswer extends GenerationDifference {
  readonly from: GenerationName
  readonly to: GenerationName
}

/** What differs in the contents of packages. */
export interface ContentsAnswer {
  readonly from: GenerationName
  readonly to: GenerationName
  readonly architectures: readonly string[]
  readonly sources: readonly SourceContents[]
  /** Sources that were asked for and do not differ. */
  readonly same: readonly string[]
}

export interface ClientsAnswer {
  readonly channel: string
  readonly head: number
  readonly clients: readonly ChannelClient[]
}

export interface ChangelogAnswer {
  readonly from: GenerationName
  readonly archive: string
  readonly source: string
  readonly version: string
  readonly changelog: string
}
