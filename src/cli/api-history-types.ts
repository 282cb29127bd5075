/**
 * What the API answers about generations: how they differ, where a package is and was, changelogs.
 */
import type {
  GenerationDifference,
  PackageDifference,
  SourceDifference,
} from '../channels/compare.ts'
import type { PackageRun } from '../channels/search.ts'
import type { NewChangelog, WholeChangelog } from '../desk/changelog-between.ts'
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

/** Of one channel, or what came since the version of another one. */
export type ChangelogAnswer = WholeChangelogAnswer | NewChangelogAnswer

export interface WholeChangelogAnswer extends Omit<WholeChangelog, 'from'> {
  readonly from: GenerationName
}

export interface NewChangelogAnswer extends Omit<NewChangelog, 'from' | 'to'> {
  readonly from: GenerationName
  readonly to: GenerationName
}
