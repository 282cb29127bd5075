/**
 * What the API answers about generations: how they differ, where a package is and was, changelogs.
 */
import type {
  GenerationDifference,
  PackageDifference,
  SourceDifference,
} from '../channels/compare.ts'
import type { PackageRun } from '../channels/search.ts'
import type { ChannelClient, ClientCount } from '../server/channel-clients.ts'
import type { GenerationName } from './api-types.ts'

export type { ChannelClient, ClientCount, PackageDifference, PackageRun, SourceDifference }

export interface DifferenceAnswer extends GenerationDifference {
  readonly from: GenerationName
  readonly to: GenerationName
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
