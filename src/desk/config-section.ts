/**
 * What a section of the configuration is: archives, channels, classes, holds and what else is configured each say how they
 * are written down, and by which steps a server comes to what a file says. config-sections.ts has the list.
 *
 * Sections are planned in the order of the list, and each may look at what those before it found there to be in the end.
 */
import type { Archive } from '../archives/archive-table.ts'
import type { SuiteOutcome } from '../archives/refresh.ts'
import type { Abortable } from '../base/abortable.ts'
import type { ChannelParts, Reason } from '../channels/channel-parts.ts'
import type { Channel } from '../channels/channel-table.ts'
import type { Faults, TableReader } from './config-reader.ts'

/** What the server does besides, when something was changed: its routes do the same. */
export interface ServerSide {
  archiveChanged(archive: Archive): void
  archiveRemoved(): void
  /** Looks upstream, and lets channels follow. */
  refresh(archive: string, abortable: Abortable): Promise<readonly SuiteOutcome[]>
  channelRenamed(before: string, after: string): Promise<void>
  channelDeleted(name: string): Promise<void>
  policiesChanged(): void
}

export interface ApplyParts extends ChannelParts {
  readonly serverSide: ServerSide
}

/** One thing that a step changes. */
export interface StepChange {
  readonly what: string
  /** Absent where there was nothing. */
  readonly before?: string | undefined
  /** Absent where there shall be nothing. */
  readonly after?: string | undefined
}

export type StepAction = 'add' | 'change' | 'rename' | 'fetch' | 'remove'

/** One step on the way to what the file says. */
export interface Step {
  readonly action: StepAction
  /** `archive debian`, `channel web`, `hold of linux in approved`. */
  readonly object: string
  readonly changes: readonly StepChange[]
  /** Objects of other steps that must have gone well before. */
  readonly needs: readonly string[]
  /** Does it; what there is to tell besides. */
  run(reason: Reason, abortable: Abortable): Promise<readonly string[] | undefined>
}

/** What a section found. */
export interface SectionPlan {
  readonly steps: readonly Step[]
  /** Of what is here and not in the file; done after all steps, of the last section first. */
  readonly removals: readonly Step[]
  /** What is here and not in the file, and stays. */
  readonly left: readonly string[]
}

/** One look at a server, and at a file that is to be applied. */
export interface Round {
  readonly parts: ApplyParts
  /** The root table of the file. */
  readonly root: TableReader
  readonly faults: Faults
  /** Whether what the file does not name goes. */
  readonly isPruning: boolean
  readonly now: {
    readonly archives: readonly Archive[]
    /** Classes too. */
    readonly channels: readonly Channel[]
  }
  /** What there will be, by name: filled in by the sections. */
  readonly then: {
    readonly archives: Set<string>
    readonly channels: Map<string, ChannelThen>
    /** Archives that are looked at upstream on the way. */
    readonly fetched: Set<string>
  }
}

/** A channel as it will be. */
export interface ChannelThen {
  readonly kind: Channel['kind']
  readonly base?: string | undefined
  /** What a new one is first copied from. */
  readonly from?: string | undefined
  /** As it is: under its old name, where the file renames it. Absent where the file makes it. */
  readonly now?: Channel | undefined
}

export interface Section {
  /** Its table in the file. */
  readonly key: string
  /** Its lines of the file, heading and all; `note` tells what could not be written. */
  describe(parts: ChannelParts, note: (text: string) => void): Promise<readonly string[]>
  /** Judges its part of the file, and plans. */
  plan(round: Round): Promise<SectionPlan>
}

/** The plan of a section that the file does not have: all that is here stays, unsaid. */
export const nothingPlanned: SectionPlan = { steps: [], removals: [], left: [] }

/** How a list stands in a table of changes. */
export function listText(values: readonly string[]): string {
  return values.length === 0 ? 'none' : values.join(' ')
}

/** The change of one value, if it is one. */
export function changeOf(
  what: string,
  before: string | undefined,
  after: string | undefined,
): StepChange[] {
  return before === after ? [] : [{ what, before, after }]
}
