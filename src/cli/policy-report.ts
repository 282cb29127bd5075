/**
 * How policies, their runs and their verdicts are shown.
 */
import type {
  ExplainAnswer,
  ExplainedSource,
  PolicyAnswer,
  PolicyRunAnswer,
  PolicyTryAnswer,
  RunEntryAnswer,
  VerdictAnswer,
} from './api-policy-types.ts'
import type { SourceChange } from './api-types.ts'
import { type Column, renderPairs, renderTable } from './table.ts'
import { formatChange, formatTime, plural, printable } from './words.ts'

type Width = number | undefined

/** All policies, a line for each. */
export function policyTable(policies: readonly PolicyAnswer[], width: Width): string[] {
  if (policies.length === 0) return ['there is no policy: sluice policy create NAME']
  const columns: Column<PolicyAnswer>[] = [
    { title: 'POLICY', value: (one) => one.name, isWhole: true },
    { title: 'FROM', value: (one) => one.from },
    { title: 'TO', value: (one) => one.to },
    { title: 'NEXT', value: nextText, isWhole: true },
    { title: 'LAST', value: ({ last }) => (last === undefined ? '' : formatTime(last.startedAt)) },
    { title: 'WENT', value: lastText },
    { title: 'RULES', value: (one) => one.rules.join(', ') },
  ]
  return renderTable(columns, policies, width)
}

/** All of one policy. */
export function policyLines(policy: PolicyAnswer): string[] {
  const { last, rules, freezes, schedule, timeZone } = policy
  const each = (title: string, texts: readonly string[]): [string, string][] =>
    texts.map((text, at) => [at === 0 ? title : '', text])
  return renderPairs([
    ['policy', policy.name],
    ['promotes', `${policy.from} -> ${policy.to}`],
    ['schedule', `${schedule} (${timeZone})`],
    ['next', nextText(policy)],
    ...each('rules', rules.length === 0 ? ['none: nothing goes'] : rules),
    ...each('freezes', freezes),
    ...(last === undefined
      ? []
      : [['last', `${formatTime(last.startedAt)}, ${lastText(policy)}`] as const]),
  ])
}

/** Runs, newest first: what went with each by which rule, and how many stayed. */
export function runTable(runs: readonly PolicyRunAnswer[], width: Width): string[] {
  if (runs.length === 0) return ['it has not run yet']
  const columns: Column<PolicyRunAnswer>[] = [
    { title: 'RUN', value: (run) => String(run.id), align: 'right' },
    { title: 'AT', value: (run) => formatTime(run.startedAt), isWhole: true },
    { title: 'BY', value: (run) => (run.dueAt === undefined ? run.who : 'schedule') },
    { title: 'WENT', value: (run) => String(run.wentCount), align: 'right' },
    { title: 'STAYED', value: (run) => String(run.stayedCount), align: 'right' },
    { title: 'GENERATION', value: (run) => run.generations.join(' ') },
    { title: 'WHAT', value: whatWent },
  ]
  return renderTable(columns, runs, width)
}

/** One run with all that is known of it. */
export function runLines(run: PolicyRunAnswer, width: Width): string[] {
  const { went, stayed, wentCount, stayedCount, generations, problem } = run
  const made = generations.length === 0 ? '' : `, generation ${generations.join(', ')}`
  const head = `${plural(wentCount, 'source')} went${made}; ${stayedCount} stayed`
  const rows = [...went, ...stayed]
  return [
    head,
    ...(problem === undefined ? [] : [printable(`problem: ${problem}`)]),
    ...(rows.length === 0 ? [] : entryTable(rows, width)),
  ]
}

/** What a run would do now. */
export function tryLines({ verdicts }: PolicyTryAnswer, width: Width): string[] {
  const count = verdicts.filter(({ goes }) => goes).length
  const head = `${plural(count, 'source')} would go, ${verdicts.length - count} would stay`
  const sorted = [...verdicts].sort((a, b) => Number(b.goes) - Number(a.goes))
  return [head, ...(verdicts.length === 0 ? [] : entryTable(sorted, width))]
}

/** Why a source did or did not go. */
export function explainLines(
  source: string,
  pairs: readonly ExplainAnswer[],
  now: number,
): string[] {
  return pairs.flatMap(({ from, to, waiting, went }) => [
    printable(`${source}, ${from} -> ${to}`),
    ...waiting.flatMap((one) => waitingLines(one, { from, to, now })),
    ...(waiting.length === 0
      ? [`  nothing waits: what ${from} has of it, ${to} has too; sluice search ${source}`]
      : []),
    ...went.map(({ policy, at, generations, entry }) => {
      const where = generations.length === 0 ? '' : `, generation ${generations.join(', ')}`
      const what = `${formatChange(entry)} (${entry.archive} ${entry.suite})`
      return printable(`  went ${formatTime(at)} by policy ${policy}${where}: ${what}`)
    }),
  ])
}

function waitingLines(
  one: ExplainedSource,
  { from, to, now }: { from: string; to: string; now: number },
): string[] {
  const { verdicts, refusal, since, isSecurity } = one
  const security = isSecurity ? ', security' : ''
  // What keeps it from going at all is what the policies are kept by too.
  const told = verdicts.flatMap(({ reasons }) => reasons.map(({ hint }) => hint))
  const hints = new Set(refusal?.hint === undefined ? told : [refusal.hint])
  const promote = `to promote it now: sluice promote ${one.source} --from ${from} --to ${to}`
  return [
    `  ${formatChange(one)}, ${one.archive} ${one.suite}${security}, in ${from} since ${formatTime(since)}`,
    ...verdicts.map((verdict) => `    ${verdictLine(verdict, now)}`),
    ...(verdicts.length === 0 ? [`    no policy promotes from ${from} to ${to}`] : []),
    ...(refusal === undefined ? [`    ${promote}`] : [`    refused by itself: ${refusal.message}`]),
    ...[...hints].filter((hint) => hint !== undefined).map((hint) => `    hint: ${hint}`),
  ].map(printable)
}

function verdictLine(verdict: ExplainedSource['verdicts'][number], now: number): string {
  const { policy, enabled, words, rule, goes, goesAt } = verdict
  const by = goes || rule === undefined || words.includes(rule) ? '' : ` (rule: ${rule})`
  const off = enabled ? '' : ', which is switched off'
  const when = goesAt === undefined || goesAt < now ? '' : `; it would go ${formatTime(goesAt)}`
  return `policy ${policy}${off}: ${words}${by}${when}`
}

function entryTable(
  rows: readonly (SourceChange & (RunEntryAnswer | VerdictAnswer))[],
  width: Width,
): string[] {
  const columns: Column<(typeof rows)[number]>[] = [
    { title: 'SOURCE', value: (one) => one.source, isWhole: true },
    { title: 'OLD', value: (one) => one.old.join(' ') || '(none)' },
    { title: 'NEW', value: (one) => one.new.join(' ') || '(none)' },
    { title: 'SUITE', value: (one) => `${one.archive} ${one.suite}` },
    { title: 'VERDICT', value: (one) => one.words },
  ]
  return renderTable(columns, rows, width)
}

function nextText({ enabled, nextAt }: PolicyAnswer): string {
  if (!enabled) return 'switched off'
  return nextAt === undefined ? 'never' : formatTime(nextAt)
}

function lastText({ last }: PolicyAnswer): string {
  if (last === undefined) return ''
  if (last.endedAt === undefined) return 'under way'
  return last.problem === undefined
    ? `${last.wentCount} went, ${last.stayedCount} stayed`
    : `FAILED: ${last.problem}`
}

function whatWent({ went, problem, endedAt }: PolicyRunAnswer): string {
  if (problem !== undefined) return `FAILED: ${problem}`
  if (endedAt === undefined) return 'under way'
  return went.map((one) => `${one.source} ${one.new.join(' ')}`).join(', ')
}
