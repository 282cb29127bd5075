/**
 * What a starting server tells, as lines for people: a word for what was done, then to what.
 *
 * A first start tells each step; a later one has one line, when it is ready.
 */
import { relative } from 'node:path'
import type { ClientSetup } from '../server/client-setup.ts'
import type { StartEvent } from '../server/start-event.ts'
import type { SuiteOutcome } from './api-types.ts'
import { problemText } from './archive-report.ts'
import type { Output } from './output.ts'
import { createRefreshProgress } from './refresh.ts'
import { renderTable } from './table.ts'
import {
  formatAgo,
  formatDuration,
  formatSize,
  formatSpan,
  plural,
  printable,
  shortFingerprint,
  someOf,
} from './words.ts'

type Told<Kind extends StartEvent['kind']> = Extract<StartEvent, { kind: Kind }>

/** What is known of a suite from the events before its outcome. */
interface SuiteNotes {
  signers: readonly string[]
  date: number | undefined
  readonly sizes: Map<string, number>
}

const MARGIN = ' '.repeat(9)

/** Prints events as they come. */
export function createServeReport(out: Output): (event: StartEvent) => void {
  let opened: Told<'opened'> | undefined
  const notes = new Map<string, SuiteNotes>()
  const showProgress = createRefreshProgress((text) => out.progress(text))
  const onRefresh = ({ event }: Told<'refresh'>): void => {
    const key = `${event.archive} ${event.suite}`
    const known = notes.get(key) ?? { signers: [], date: undefined, sizes: new Map() }
    notes.set(key, known)
    if (event.kind === 'index') known.sizes.set(event.path, event.sizeBytes)
    if (event.kind === 'suite') Object.assign(known, { signers: event.signers, date: event.date })
    showProgress(event)
  }
  return (event) => {
    const isNew = opened?.isNew === true
    if (event.kind === 'opened') {
      opened = event
      if (event.isNew) out.lines(openedLine(event))
    } else if (event.kind === 'refresh') onRefresh(event)
    else if (event.kind === 'outcome') {
      const { archive, suite } = event.outcome
      out.lines(...outcomeLines(event.outcome, notes.get(`${archive} ${suite}`)))
    } else if (event.kind === 'imported') out.lines(...importedLines(event))
    else if (event.kind === 'warning') {
      const hint = event.hint === undefined ? [] : [`${MARGIN}hint: ${printable(event.hint)}`]
      out.lines(`warning  ${printable(event.message)}`, ...hint)
    } else if (event.kind === 'ready') out.lines(...readyLines(event, opened))
    else if (isNew) out.lines(...madeLines(event))
  }
}

function openedLine({ version, dataDir, node }: Told<'opened'>): string {
  return `sluice ${version}, data in ${dataDir} (new), Node ${node}`
}

function madeLines(event: Told<'key'> | Told<'token'> | Told<'channel'>): string[] {
  if (event.kind === 'key') {
    const name = event.publication.replace(/^channel:/, '')
    const key = `ed25519 ${shortFingerprint(event.fingerprint)}`
    return [
      `made     signing key    ${name.padEnd(9)} ${key}   ${near(event.path)}, 0600: back it up, clients trust it`,
    ]
  }
  if (event.kind === 'token') {
    return [
      `made     admin token    ${near(event.path)}, 0600: commands run in this folder find it by themselves`,
    ]
  }
  const { name, serial, channelKind, follows } = event
  const what =
    channelKind === 'following'
      ? `follows ${follows.join(', ')}`
      : 'a copy of testing; from now on it changes ONLY when you promote, security fixes too'
  const generation = serial === 0 ? 'empty yet' : `generation ${serial}`
  return [`channel  ${name.padEnd(9)} ${generation.padEnd(15)} ${what}`]
}

/** A path as one would type it here. */
function near(path: string): string {
  const here = relative('.', path)
  return here.startsWith('..') ? path : here
}

function importedLines({ files, archives, leftOut }: Told<'imported'>): string[] {
  if (archives.length === 0 && leftOut.length === 0) {
    return [
      'read     no apt sources on this machine that could be imported: sluice archive add adds one',
    ]
  }
  const table = renderTable(
    [
      { title: '', value: (one) => one.name },
      { title: '', value: (one) => one.url },
      { title: '', value: (one) => one.suites.join(' ') },
      { title: '', value: (one) => one.components.join(' ') },
      {
        title: '',
        value: ({ architectures, hasSources }) =>
          [...architectures, ...(hasSources ? ['source'] : [])].join(' '),
      },
    ],
    archives,
    undefined,
  )
  return [
    `read     ${files.join(', ') || 'no apt source of this machine can be imported: sluice archive add adds one'}`,
    // The first line would be the heading.
    ...table.slice(1).map((line) => `${MARGIN}  ${line}`),
    ...leftOut.map(({ what, reason }) => `${MARGIN}left out: ${printable(`${what} (${reason})`)}`),
  ]
}

function outcomeLines(outcome: SuiteOutcome, notes: SuiteNotes | undefined): string[] {
  const { archive, suite, problem, packages, sources = 0, skipped, durationMs } = outcome
  if (problem !== undefined) {
    const hint = problem.hint === undefined ? [] : [`${MARGIN}hint: ${printable(problem.hint)}`]
    return [`failed   ${problemText(archive, suite, problem.message)}`, ...hint]
  }
  const size = [...(notes?.sizes.values() ?? [])].reduce((sum, one) => sum + one, 0)
  const age = notes?.date === undefined ? '' : formatAgo(Date.now() - notes.date * 1000)
  const signers = (notes?.signers ?? []).map((name) => `"${printable(name.replace(/ <.*>$/, ''))}"`)
  const parts = [
    ...(signers.length > 0 ? [`signed by ${someOf(signers, 1)} ${age}`] : []),
    ...(packages === undefined ? [] : [plural(packages, 'package')]),
    ...(sources > 0 ? [plural(sources, 'source')] : []),
    ...(size === 0 ? [] : [formatSize(size)]),
    ...(skipped.length > 0 ? [`${plural(skipped.length, 'stanza')} left out`] : []),
    formatDuration(durationMs),
  ]
  return [`fetch    ${printable(`${archive} ${suite}`).padEnd(34)}  ${parts.join(', ')}`]
}

function readyLines(ready: Told<'ready'>, opened: Told<'opened'> | undefined): string[] {
  const at = ready.nextRefreshAt
  const next = at === undefined ? 'offline' : `next look upstream in ${formatSpan(at - Date.now())}`
  const clients = `clients from ${ready.clients}`
  const after = formatDuration(ready.afterMs)
  const place = [ready.publicUrl, ready.secureUrl].filter(Boolean).join(' and ')
  if (opened === undefined || opened.isNew) {
    return [`ready    ${place}  after ${after}, ${clients}; ${next}; stop with Ctrl-C`]
  }
  const { version, dataDir, archives, channels } = opened
  const holds = `${plural(archives, 'archive')}, ${plural(channels, 'channel')}`
  return [
    `sluice ${version}, data in ${dataDir}: ${holds}, ready after ${after}`,
    `${place}, ${clients}; ${next}; stop with Ctrl-C`,
  ]
}

/** Where the lines for a machine are: for a start that is not the first. */
export function placeLines({ channel, scriptUrl }: ClientSetup): string[] {
  return [`lines for a machine: sluice channel show ${channel}, or the script ${scriptUrl}`]
}
