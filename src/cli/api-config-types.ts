/**
 * What the API answers of the configuration as a whole.
 */
import type { RefreshTaskEvent } from './api-types.ts'

export interface ExportAnswer {
  /** TOML. */
  readonly text: string
  /** What is left out of it. */
  readonly notes: readonly string[]
}

export interface StepChangeAnswer {
  readonly what: string
  readonly before?: string
  readonly after?: string
}

export interface StepAnswer {
  readonly action: 'add' | 'change' | 'rename' | 'fetch' | 'remove'
  readonly object: string
  readonly changes: readonly StepChangeAnswer[]
  readonly outcome: 'done' | 'failed' | 'left out' | 'planned'
  readonly told: readonly string[]
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
}

export interface ApplyAnswer {
  readonly steps: readonly StepAnswer[]
  /** What is on the server, not in the file, and stays. */
  readonly left: readonly string[]
}

/** In the `details.faults` of an error: one thing that is wrong in the file. */
export interface FaultAnswer {
  readonly line: number
  /** `archive.debian.urls`; empty where the text is no TOML. */
  readonly path: string
  readonly message: string
}

export type ApplyEvent =
  | {
      readonly kind: 'step'
      readonly nth: number
      readonly total: number
      readonly action: StepAnswer['action']
      readonly object: string
    }
  | { readonly kind: 'refresh'; readonly event: RefreshTaskEvent }
