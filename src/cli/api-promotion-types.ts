/**
 * What the API answers of promotions. Sizes are bytes.
 */
import type { PlannedChange } from '../channels/plan-details.ts'
import type { LeftOut } from './api-based-types.ts'
import type { SourceChange } from './api-types.ts'

export type { PlannedChange }

/** Why packages would not be installable any more: the package at fault, and what is wrong with it. */
export interface BreakageAnswer {
  readonly release: string
  readonly architecture: string
  readonly package: string
  readonly version: string
  readonly relation: string
  readonly words: string
  /** Names of the packages that break by it, and how many there are. */
  readonly breaks: readonly string[]
  readonly count: number
}

export interface PromotionAnswer {
  readonly from: string
  readonly to: string
  /** Serial of what was promoted from. */
  readonly fromSerial: number
  /** Serial of the target before. */
  readonly before: number
  /** Told of a dry run: more than packages would come. */
  readonly hasMore?: boolean
  /** Of the plan: given back as `plan`, it is what happens, or nothing. */
  readonly digest: string
  /** Of a dry run each with what it costs. */
  readonly changes: readonly (SourceChange & Partial<PlannedChange>)[]
  /** What goes besides what was asked for, since it has to. */
  readonly companions?: readonly SourceChange[]
  /** What it breaks, one entry for each cause: by force, or where it would be refused. */
  readonly broken?: readonly BreakageAnswer[]
  /** Of a dry run: why it would not be done. */
  readonly refusal?: { readonly message: string; readonly hint?: string }
  readonly keptBack: readonly SourceChange[]
  readonly leftOut: readonly LeftOut[]
  readonly files: {
    readonly count: number
    readonly bytes: number
    readonly missing: number
    readonly missingBytes: number
    /** Told of a dry run: those of them that are lost. */
    readonly lost?: number
  }
  readonly packages: readonly { readonly package: string; readonly architecture: string }[]
  readonly generation?: { readonly serial: number }
  readonly publishMs?: number
}
