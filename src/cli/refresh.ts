/**
 * Looking upstream, with progress: what each suite came to, and which channels moved.
 */
import { AppError, isErrorCode } from '../base/errors.ts'
import type {
  ArchiveAnswer,
  ChannelEntry,
  RefreshAnswer,
  RefreshEvent,
  RefreshTaskEvent,
  SuiteOutcome,
} from './api-types.ts'
import { outcomeDetails, outcomeLine, problemText } from './archive-report.ts'
import type { Client } from './client.ts'
import type { Context } from './context.ts'
import { rescuedLines } from './file-report.ts'
import { bar, createPace, type Pace } from './progress.ts'
import { formatChange, formatCount, formatSize, plural, printable } from './words.ts'

const SHOWN_CHANGES = 10

/** What the refresh is the end of: an archive that was just added. */
export interface RefreshAfter {
  readonly archive?: ArchiveAnswer
}

/** Refreshes these archives, or all; exit code 3 if some of it failed, an error if all did. */
export async function refresh(
  context: Context,
  names: readonly string[],
  after: RefreshAfter = {},
): Promise<void> {
  const client = await context.connect()
  const showEvent = createRefreshProgress((text) => context.out.progress(text))
  const startedAt = performance.now()
  const answer = await client.task<RefreshAnswer, RefreshTaskEvent>(
    '/archives/refresh',
    names.length === 0 ? {} : { archives: names },
    (event) => {
      if (event.kind !== 'outcome') showEvent(event)
      else if (event.outcome.kind !== 'failed')
        context.out.lines(outcomeLine(event.outcome), ...outcomeDetails(event.outcome))
    },
  )
  context.out.clear()
  context.out.result({ ...after, ...answer }, ({ outcomes, generations, rescue }) => {
    if (outcomes.length === 0) return ['there is no archive to look at: sluice archive add']
    const made = generations.flatMap((one) => generationLines(one, performance.now() - startedAt))
    return [...made, ...rescuedLines(rescue)]
  })
  await tellFailures(context, client, answer, after)
}

function generationLines(
  { channel, serial, changes, changed }: RefreshAnswer['generations'][number],
  durationMs: number,
): string[] {
  if (changes === undefined) return [`${channel} generation ${serial}: its first one`]
  const seconds = (durationMs / 1000).toFixed(1)
  const shown = changes
    .slice(0, SHOWN_CHANGES)
    .map((change) => `  ${printable(formatChange(change))}`)
  const more = changes.length - shown.length
  const count = changed === 0 ? '' : `${plural(changed, 'changed package')}, `
  return [
    `${count}${channel} generation ${serial}, ${seconds} s`,
    ...shown,
    ...(more > 0
      ? [`  and ${formatCount(more)} more: sluice channel diff ${channel}@${serial - 1} ${channel}`]
      : []),
  ]
}

async function tellFailures(
  context: Context,
  client: Client,
  { outcomes }: RefreshAnswer,
  after: RefreshAfter,
): Promise<void> {
  const failed = outcomes.filter((outcome) => outcome.kind === 'failed')
  const last = failed.at(-1)
  if (last === undefined) return
  const channels = await client.call<ChannelEntry[]>('GET', '/channels')
  const isPartly = after.archive !== undefined || failed.length < outcomes.length
  // With --json the outcomes are in the result; one that is all failure is an error beside it.
  for (const outcome of context.out.isJson ? [] : failed.slice(0, isPartly ? undefined : -1)) {
    const { message, hint } = describeFailure(outcome, channels)
    context.out.error(`sluice: error: ${message}`, `sluice: hint: ${hint}`)
  }
  if (isPartly) context.setExitCode(3)
  else throw describeFailure(last, channels)
}

function describeFailure(outcome: SuiteOutcome, channels: readonly ChannelEntry[]): AppError {
  const { archive, suite, problem, state } = outcome
  const following = channels.find(
    (channel) => channel.head > 0 && channel.follows.includes(archive),
  )
  const serving =
    following === undefined || state === undefined
      ? []
      : [`${following.name} goes on serving generation ${following.head}`]
  const code = problem !== undefined && isErrorCode(problem.code) ? problem.code : 'ERR_INTERNAL'
  return new AppError(code, {
    message: problemText(archive, suite, problem?.message ?? 'it could not be refreshed'),
    hint: [...serving, problem?.hint ?? `sluice archive show ${archive}`].map(printable).join('; '),
    details: { archive, suite, since: problem?.since },
  })
}

/** Draws a refresh as it goes: one bar for each index. */
export function createRefreshProgress(draw: (text: string) => void): (event: RefreshEvent) => void {
  let current = ''
  let pace: Pace = createPace()
  return (event) => {
    const name = printable(`${event.archive} ${event.suite}`)
    if (event.kind === 'suite') {
      draw(`fetch    ${name}`)
      return
    }
    const path = printable(event.path).replace(/\/binary-(.*)\/Packages$/, ' $1')
    const stage = `${event.kind} ${name} ${path}`
    if (current !== stage) pace = createPace()
    current = stage
    const [done, total] =
      event.kind === 'fetch' ? [event.doneBytes, event.sizeBytes] : [event.done, event.total]
    const count =
      event.kind === 'fetch'
        ? `${formatSize(done)} of ${formatSize(total)}`
        : `${formatSize(event.sizeBytes)}, ${formatCount(done)} of ${plural(total, 'package')}`
    const told = [count, pace.left(done, total)].filter(Boolean).join(', ')
    draw(`fetch    ${name} ${path}  ${bar(done / total)} ${told}`)
  }
}
