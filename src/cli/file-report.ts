/**
 * How it is shown which files of channels are held, reachable and lost, and what was fetched to keep them.
 */
import type { ChannelFiles, FillReport, Rescued, UnfilledFile } from './api-file-types.ts'
import { type Column, renderTable } from './table.ts'
import { formatCount, formatSize, formatTime, plural, printable } from './words.ts'

type Amount = ChannelFiles['files']['held']
type LostFile = ChannelFiles['lostFiles'][number]

const SHOWN_LOST = 50

/** The counts of a channel, as pairs of a name and what there is to say. */
export function filePairs({ files, keptFiles }: ChannelFiles): [string, string][] {
  const hasMore = keptFiles.generations > 1
  const all = countsText(keptFiles)
  return [
    ['files', countsText(files)],
    ...(hasMore && all !== countsText(files)
      ? [[`in all ${formatCount(keptFiles.generations)}`, all] as [string, string]]
      : []),
  ]
}

function countsText({ held, reachable, rescuing, lost }: ChannelFiles['files']): string {
  const text = ({ files, bytes }: Amount): string =>
    `${formatCount(files)}${files === 0 ? '' : ` (${formatSize(bytes)})`}`
  const rescue =
    rescuing.files === 0 ? '' : `, of these ${formatCount(rescuing.files)} being rescued`
  return `${text(held)} held, ${text(reachable)} reachable${rescue}, ${text(lost)} ${lost.files > 0 ? 'LOST' : 'lost'}`
}

/** The lost files, and what can be done; nothing where there are none. */
export function lostLines(answer: ChannelFiles, width: number | undefined): string[] {
  const { lostFiles, keptFiles } = answer
  if (lostFiles.length === 0) return []
  const columns: Column<LostFile>[] = [
    { title: 'LOST', value: (one) => one.package, isWhole: true },
    { title: 'VERSION', value: (one) => one.version, isWhole: true },
    { title: 'ARCH', value: (one) => one.architecture },
    { title: 'SIZE', value: (one) => formatSize(one.size), align: 'right', isWhole: true },
    { title: 'GENERATIONS', value: (one) => rangesOf(one.generations) },
    { title: 'SINCE', value: (one) => (one.since === undefined ? '–' : formatTime(one.since)) },
    { title: 'WHY', value: (one) => one.said ?? 'no archive lists it any more; not tried' },
  ]
  const shown = lostFiles.slice(0, SHOWN_LOST)
  const more = keptFiles.lost.files - shown.length
  return [
    '',
    ...renderTable(columns, shown, width),
    ...(more > 0 ? [`and ${formatCount(more)} more: --json names ${lostFiles.length}`] : []),
    'machines that ask for them get 404; if another server has them: sluice archive set ARCHIVE --fallback URL',
  ]
}

/** `1-3, 7`. */
function rangesOf(serials: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const serial of serials) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === serial - 1) last[1] = serial
    else ranges.push([serial, serial])
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ')
}

/** That files of a generation that was just made are lost; nothing where none are. */
export function lostNote(channel: string, lost: number | undefined): string[] {
  if (lost === undefined || lost === 0) return []
  return [`${plural(lost, 'file')} of it ${isOrAre(lost)} lost: sluice channel show ${channel}`]
}

/** What a refresh rescued, and what is left to the background. */
export function rescuedLines(rescued: Rescued): string[] {
  const { files, bytes, lost, givenUp, leftFiles, leftBytes, problem } = rescued
  const why = problem === undefined ? 'in the background' : `later: ${printable(problem)}`
  return [
    ...(files > 0 ? [`${plural(files, 'superseded file')} rescued, ${formatSize(bytes)}`] : []),
    ...(leftFiles > 0
      ? [`${plural(leftFiles, 'superseded file')} (${formatSize(leftBytes)}) to be rescued ${why}`]
      : []),
    ...(lost > 0
      ? [
          `${plural(lost, 'superseded file')} ${isOrAre(lost)} LOST: sluice channel list tells where`,
        ]
      : []),
    ...(givenUp > 0
      ? [
          `${plural(givenUp, 'superseded file')} ${isOrAre(givenUp)} not rescued (too many at once, rescue off, or no longer taken): sluice channel fill tries`,
        ]
      : []),
  ]
}

/** What channels lost with an archive that was removed. */
export function removedLines(lost: Readonly<Record<string, number>>): string[] {
  return Object.entries(lost).map(
    ([channel, files]) =>
      `${plural(files, 'file')} of ${channel} ${isOrAre(files)} lost: they were never fetched, and no other archive has them`,
  )
}

/** What a fill did, or would do. */
export function fillLines(
  channel: string,
  report: FillReport,
  { isDryRun }: { readonly isDryRun: boolean },
): string[] {
  const { serial, named, held, fetched, freeBytes, reserveBytes } = report
  const name = `${channel} generation ${serial}`
  const all = `${plural(named.files, 'file')} (${formatSize(named.bytes)})`
  const left = { files: named.files - held.files, bytes: named.bytes - held.bytes }
  if (left.files === 0) return [`${name} is full: ${all}`]
  if (isDryRun) {
    const room = `${formatSize(freeBytes)} are free, ${formatSize(reserveBytes)} stay so`
    return [
      `would fetch ${plural(left.files, 'file')} (${formatSize(left.bytes)}) of ${all} of ${name}`,
      `${room}: ${freeBytes - left.bytes >= reserveBytes ? 'there is room' : 'that is NOT enough room'}`,
    ]
  }
  return [
    `${plural(fetched.files, 'file')} (${formatSize(fetched.bytes)}) fetched and checked; ${name} has ${all}`,
    ...unfilledLines(report),
  ]
}

function unfilledLines(report: FillReport): string[] {
  const { unfilled, unfilledFiles, lostFiles, isCutShort } = report
  if (unfilledFiles === 0) return []
  const lost = lostFiles === 0 ? '' : `, ${formatCount(lostFiles)} of them lost`
  return [
    `${plural(unfilledFiles, 'file')} ${isOrAre(unfilledFiles)} not here${lost}:`,
    ...unfilled.map((one) => `  ${unfilledText(one)}`),
    ...(isCutShort ? ['given up: too much failed; the same command goes on from here'] : []),
  ]
}

function unfilledText({ isLost, message, ...one }: UnfilledFile): string {
  const name = `${one.package} ${one.version} ${one.architecture}`
  return printable(`${name}: ${isLost ? 'LOST, ' : ''}${message}`)
}

function isOrAre(count: number): string {
  return count === 1 ? 'is' : 'are'
}
