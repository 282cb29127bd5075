/**
 * Bringing a server to what a configuration file says.
 *
 * The whole file is judged first, and one fault is enough that nothing is done. Then the steps are made one by one, each by
 * the use case that a command would take, with its own row in the audit. All of them together are no transaction: where
 * one fails, what needs it is left out, the rest goes on, and applying the file again goes on from there. What is as the
 * file says is not touched, so that applying twice changes nothing.
 */
import { listArchives } from '../archives/archive-table.ts'
import type { Abortable } from '../base/abortable.ts'
import { AppError, type ErrorCode, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { readToml } from '../base/toml.ts'
import type { Reason } from '../channels/channel-parts.ts'
import { listChannels } from '../channels/channel-table.ts'
import { type ConfigFault, createFaults, readRoot } from './config-reader.ts'
import type { ApplyParts, Round, Step, StepAction, StepChange } from './config-section.ts'
import { sections } from './config-sections.ts'

export interface ApplyInput extends Reason {
  readonly text: string
  /** What the file is called, for messages and the audit. */
  readonly file: string
  /** Removes what the file does not name. */
  readonly prune?: boolean | undefined
  readonly dryRun?: boolean | undefined
}

/** What became of a step. */
export interface StepOutcome {
  readonly action: StepAction
  readonly object: string
  readonly changes: readonly StepChange[]
  /** `left out`: what it needs went wrong. `planned`: a dry run. */
  readonly outcome: 'done' | 'failed' | 'left out' | 'planned'
  readonly told: readonly string[]
  readonly error?: {
    readonly code: ErrorCode
    readonly message: string
    readonly hint?: string | undefined
  }
}

export interface Applied {
  readonly steps: readonly StepOutcome[]
  /** What is on the server and not in the file. */
  readonly left: readonly string[]
}

/** How far it is: the step that begins. */
export interface ApplyEvent {
  readonly nth: number
  readonly total: number
  readonly action: StepAction
  readonly object: string
}

/** Applies a file; `ERR_USAGE` with all faults in `details.faults` (as `ConfigFault`s) if it is broken. */
export function applyConfig(
  parts: ApplyParts,
  input: ApplyInput,
  { signal, onEvent }: Abortable & { readonly onEvent?: (event: ApplyEvent) => void },
): Promise<Applied> {
  // No channel's name has a blank: this is nobody else's lock.
  return parts.channelLock('an apply')(async () => {
    const { steps, left } = await planConfig(parts, input)
    if (input.dryRun === true) {
      const planned = steps.map((step) => outcomeOf(step, 'planned'))
      return { steps: planned, left }
    }
    const { who, why = `apply ${input.file}` } = input
    const outcomes: StepOutcome[] = []
    const broken = new Set<string>()
    for (const [at, step] of steps.entries()) {
      signal?.throwIfAborted()
      const { action, object } = step
      const missing = step.needs.filter((one) => broken.has(one))
      if (missing.length > 0) {
        broken.add(object)
        outcomes.push(outcomeOf(step, 'left out', [`it needs ${missing.join(', ')}`]))
        continue
      }
      onEvent?.({ nth: at + 1, total: steps.length, action, object })
      const outcome = await take(step, { who, why }, { signal })
      if (outcome.outcome === 'failed') broken.add(object)
      outcomes.push(outcome)
      crashPoint('apply: step done')
    }
    return { steps: outcomes, left }
  })
}

async function take(step: Step, reason: Reason, { signal }: Abortable): Promise<StepOutcome> {
  try {
    return outcomeOf(step, 'done', (await step.run(reason, { signal })) ?? [])
  } catch (thrown) {
    signal?.throwIfAborted()
    const { code, message, hint } = toAppError(thrown)
    return { ...outcomeOf(step, 'failed'), error: { code, message, hint } }
  }
}

async function planConfig(
  parts: ApplyParts,
  { text, file, prune = false }: ApplyInput,
): Promise<{ steps: Step[]; left: string[] }> {
  const read = readToml(text)
  if ('faults' in read)
    throw broken(
      file,
      read.faults.map((one) => ({ ...one, path: '' })),
    )
  const faults = createFaults(read.lineOf)
  const root = readRoot(read.root, faults)
  const [archives, channels] = [await listArchives(parts.db), await listChannels(parts.db)]
  const then = { archives: new Set<string>(), channels: new Map(), fetched: new Set<string>() }
  const round: Round = { parts, root, faults, isPruning: prune, now: { archives, channels }, then }
  const steps: Step[] = []
  const removals: Step[] = []
  const left: string[] = []
  for (const section of sections) {
    const plan = await section.plan(round)
    steps.push(...plan.steps)
    removals.unshift(...plan.removals)
    left.push(...plan.left)
  }
  root.done()
  if (faults.list.length > 0) throw broken(file, faults.list)
  return { steps: [...steps, ...removals], left }
}

function outcomeOf(
  { action, object, changes }: Step,
  outcome: StepOutcome['outcome'],
  told: readonly string[] = [],
): StepOutcome {
  return { action, object, changes, outcome, told }
}

/** Who has more faults than this has another file. */
const TOLD = 1000

function broken(file: string, list: readonly ConfigFault[]): AppError {
  const faults = [...list].sort((a, b) => a.line - b.line).slice(0, TOLD)
  const [first] = faults
  const rest = list.length > 1 ? `, and ${list.length - 1} more` : ''
  const where = first === undefined ? '' : `line ${first.line}: ${first.message}${rest}`
  return new AppError('ERR_USAGE', {
    message: `${file} cannot be applied: ${where}`,
    hint: 'nothing was changed; sluice export writes a file as it has to be',
    details: { faults },
  })
}
