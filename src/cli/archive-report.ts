/**
 * How archives are shown: in a list, one in full, and what came of looking upstream.
 */
import type { ArchiveKeyAnswer, RescueAnswer } from './api-file-types.ts'
import type { ArchiveAnswer, ArchiveSuiteAnswer, ProblemAnswer, SuiteOutcome } from './api-types.ts'
import { type Column, countColumn, renderPairs, renderTable } from './table.ts'
import {
  formatAgo,
  formatCount,
  formatDuration,
  formatSize,
  formatSpan,
  formatTime,
  longFingerprint,
  plural,
  printable,
} from './words.ts'

const SHOWN_SKIPPED = 5

/** A line for each archive. */
export function archiveTable(
  archives: readonly ArchiveAnswer[],
  width: number | undefined,
): string[] {
  if (archives.length === 0) {
    return ['no archives yet: sluice archive add NAME URL --suite SUITE --keyring FILE']
  }
  const now = Date.now()
  const columns: Column<ArchiveAnswer>[] = [
    { title: 'ARCHIVE', value: (one) => one.name, isWhole: true },
    { title: 'URL', value: (one) => urlText(one) },
    { title: 'SUITES', value: (one) => one.suites.map(({ suite }) => suite).join(' ') },
    { title: 'ARCH', value: (one) => one.architectures.join(' ') },
    {
      title: 'PACKAGES',
      value: (one) => formatCount(packagesOf(one)),
      align: 'right',
      isWhole: true,
    },
    { title: 'CHECKED', value: (one) => checkedText(one, now), isWhole: true },
    { title: 'STATE', value: (one) => archiveState(one, now) },
  ]
  return renderTable(columns, archives, width)
}

/** All of an archive, suite by suite. */
export function describeArchive(archive: ArchiveAnswer, width: number | undefined): string[] {
  const now = Date.now()
  const next = archive.nextRefreshAt
  const isLocal = archive.kind === 'local'
  const lines = renderPairs([
    ['archive', archive.name],
    ...archive.urls.map((url, at) => [at === 0 ? 'url' : 'mirror', plainUrl(url)] as const),
    ...archive.fallbacks.map((url) => ['fallback', plainUrl(url)] as const),
    ['components', archive.components.join(' ')],
    ['architectures', archive.architectures.join(' ')],
    ...(isLocal ? localPairs(archive) : takenPairs(archive)),
    ...(archive.keepVersions === undefined || archive.keepVersions === 0
      ? []
      : [['keeps', `the newest ${archive.keepVersions} versions of each package`] as const]),
    ...archive.uploaders.map((rule) => ['uploader', rule] as const),
    ...(archive.proxy === undefined ? [] : [['proxy', archive.proxy] as const]),
    ...(archive.allowExpired ? [['takes', 'a Release past its Valid-Until'] as const] : []),
    ...(archive.allowOtherSuite ? [['takes', 'a Release of another suite'] as const] : []),
    ...archive.keys.map((key) => ['key', keyText(archive, key, now)] as const),
    ...rescuePairs(archive.rescue, now),
    ...(next === undefined || isLocal
      ? []
      : [['next look', `in ${formatSpan(next - now)}`] as const]),
    ...(archive.isOffline === true && !isLocal
      ? [['next look', 'never: the server is offline'] as const]
      : []),
  ])
  const columns: Column<ArchiveSuiteAnswer>[] = [
    { title: 'SUITE', value: suiteText, isWhole: true },
    { title: 'RELEASE', value: (one) => seconds(one.releaseDate) },
    { title: 'VALID UNTIL', value: (one) => seconds(one.validUntil) },
    { title: 'CHECKED', value: (one) => ago(one.checkedAt, now) },
    { title: 'CHANGED', value: (one) => ago(one.changedAt, now) },
    { title: 'PACKAGES', value: (one) => formatCount(one.packages ?? 0), align: 'right' },
    ...countColumn('SOURCES', archive.suites, (one) => one.sources ?? 0),
    { title: 'STATE', value: (one) => suiteState(one, now), isWhole: true },
  ]
  const problems = archive.suites.flatMap((suite) => describeProblem(archive.name, suite))
  const files = archive.fileProblems.flatMap((problem) =>
    problemLines(problem.message, problem, 'machines that ask for it are told to try again'),
  )
  const keys = archive.keyProblems.flatMap(({ message, hint }) => [
    '',
    `wrong: ${printable(message)}`,
    `  hint: ${printable(hint)}`,
  ])
  const weak = archive.keys.flatMap(({ warnings }) => warnings.map(warningLine))
  const table = renderTable(columns, archive.suites, width)
  const wrong = [...problems, ...keys, ...files]
  return [...lines, '', ...table, ...(weak.length > 0 ? ['', ...weak] : []), ...wrong]
}

/** A flat one with its folder. */
function suiteText({ suite, written }: ArchiveSuiteAnswer): string {
  return written === suite ? suite : `${suite} (${written})`
}

function localPairs({ extras }: ArchiveAnswer): (readonly [name: string, text: string])[] {
  return [
    ['filled', 'by uploads: sluice publish'],
    ...extras.map((extra) => ['makes', extra] as const),
  ]
}

/** What is taken besides packages and their descriptions in English. */
function takenPairs({
  sources,
  languages,
  extras,
}: ArchiveAnswer): (readonly [name: string, text: string])[] {
  const texts = [
    ...(sources ? ['source packages'] : []),
    ...(languages.length === 0 ? ['no descriptions'] : []),
    ...(languages.length > 0 && languages.join() !== 'en'
      ? [`descriptions in ${languages.join(', ')}`]
      : []),
    ...extras,
  ]
  return texts.map((text) => ['takes', text] as const)
}

/** What came of one suite, as a line. */
export function outcomeLine(outcome: SuiteOutcome): string {
  const { kind, packages, sources = 0, durationMs, skipped } = outcome
  const binary = packages === undefined ? '' : `, ${plural(packages, 'package')}`
  const count = sources > 0 ? `${binary}, ${plural(sources, 'source')}` : binary
  const left = skipped.length > 0 ? `, ${plural(skipped.length, 'stanza')} left out` : ''
  const name = printable(`${outcome.archive} ${outcome.suite}`)
  return `${name.padEnd(28)}  ${kind}${count}${left}, ${formatDuration(durationMs)}`
}

/** Below the line of a suite: what is weak of who signed it, and of what was left out the first, with reasons. */
export function outcomeDetails({ warnings = [], skipped }: SuiteOutcome): string[] {
  const shown = skipped.slice(0, SHOWN_SKIPPED)
  const more = skipped.length - shown.length
  return [
    ...warnings.map(warningLine),
    ...shown.map((one) => `  left out: ${printable(one.reason)}`),
    ...(more > 0 ? [`  and ${formatCount(more)} more`] : []),
  ]
}

function warningLine(warning: string): string {
  return `warning: ${printable(warning)}`
}

/** A suite's problem as error text: `debian bookworm: …`, with what goes on being served. */
export function problemText(archive: string, suite: string, message: string): string {
  const prefix = `${suite}: `
  const text = message.startsWith(prefix) ? message.slice(prefix.length) : message
  return printable(`${archive} ${suite}: ${text}`)
}

function describeProblem(archive: string, { suite, problem, state }: ArchiveSuiteAnswer): string[] {
  if (problem === undefined) return []
  const serving =
    state === undefined
      ? 'nothing of it was ever had'
      : 'channels go on serving the state before that'
  return problemLines(problemText(archive, suite, problem.message), problem, serving)
}

function problemLines(text: string, problem: ProblemAnswer, effect: string): string[] {
  const since = `since ${formatTime(problem.since)} (${formatAgo(Date.now() - problem.since)})`
  return [
    '',
    `wrong: ${printable(text)}`,
    `  ${since}; ${effect}`,
    ...(problem.hint === undefined ? [] : [`  hint: ${printable(problem.hint)}`]),
  ]
}

function urlText({ kind, urls }: ArchiveAnswer): string {
  return kind === 'local' ? 'local' : urls.map(plainUrl).join(' ')
}

function plainUrl(url: string): string {
  return url.replace(/\/+$/, '')
}

function packagesOf(archive: ArchiveAnswer): number {
  return archive.suites.reduce((sum, { packages }) => sum + (packages ?? 0), 0)
}

function checkedText(archive: ArchiveAnswer, now: number): string {
  const times = archive.suites.map(({ checkedAt }) => checkedAt ?? 0)
  return times.includes(0) ? 'never' : ago(Math.min(...times), now)
}

function archiveState(archive: ArchiveAnswer, now: number): string {
  const state = lastState(archive, now)
  if (archive.isOffline !== true || archive.kind === 'local') return state
  return state === 'ok' ? 'offline' : `offline; ${state}`
}

function lastState(archive: ArchiveAnswer, now: number): string {
  const bad = archive.suites.find(({ problem }) => problem !== undefined)
  if (bad?.problem !== undefined) return `${bad.suite}: ${suiteState(bad, now)}`
  const ending = archive.keys.find((key) => key.signs.length > 0 && key.state !== 'good')
  return ending === undefined ? 'ok' : keyState(ending, now)
}

function suiteState({ problem, state }: ArchiveSuiteAnswer, now: number): string {
  if (problem !== undefined) {
    const what = problem.code.replace(/^ERR_/, '').toLowerCase().replaceAll('_', ' ')
    return `${what} for ${formatSpan(now - problem.since)}`
  }
  return state === undefined ? 'not looked at yet' : 'ok'
}

function keyText({ kind }: ArchiveAnswer, key: ArchiveKeyAnswer, now: number): string {
  const until = key.expiresAt === undefined ? '' : `, until ${seconds(key.expiresAt)}`
  const state = key.state === 'good' ? '' : `: ${keyState(key, now)}`
  const signs = key.signs.length === 0 && kind === 'remote' ? ', signs nothing now' : ''
  return `${longFingerprint(key.fingerprint)}  ${key.userIds[0] ?? 'no name'}${until}${signs}${state}`
}

/** `key expires in 12 d`, `key EXPIRED 3 days ago`, `key REVOKED`. */
function keyState({ state, expiresAt = 0 }: ArchiveKeyAnswer, now: number): string {
  if (state === 'revoked') return 'key REVOKED'
  const leftMs = expiresAt * 1000 - now
  return leftMs > 0 ? `key expires in ${formatSpan(leftMs)}` : `key EXPIRED ${formatAgo(-leftMs)}`
}

/** What is still to be rescued, and whether it is at all. */
function rescuePairs(rescue: RescueAnswer, now: number): (readonly [string, string])[] {
  const { isOn, files, bytes, active, problem } = rescue
  if (!isOn) return [['rescue', 'off: files that upstream replaces are not fetched by themselves']]
  if (files === 0) return []
  const what = `${plural(files, 'superseded file')} to be fetched, ${formatSize(bytes)}`
  const how =
    problem === undefined
      ? `${formatCount(active)} under way`
      : `next try in ${formatSpan(problem.nextAt - now)}: ${problem.message}`
  return [['rescue', `${what}; ${how}`]]
}

function seconds(epochSeconds: number | undefined): string {
  return epochSeconds === undefined ? '–' : formatTime(epochSeconds * 1000)
}

function ago(epochMs: number | undefined, now: number): string {
  return epochMs === undefined ? 'never' : formatAgo(now - epochMs)
}
