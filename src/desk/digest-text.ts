/**
 * A digest in words: the subject, and plain text of 76 columns for people who read mail in a terminal.
 */
import { formatChange, formatCount, formatSpan, plural, printable } from '../base/words.ts'
import type { DigestContent, WentGeneration } from './digest-content.ts'
import type { WaitingSource } from './digest-waiting.ts'

const COLUMNS = 76
/** So much of each list is written out. */
const MOST_WAITING = 60
const MOST_GENERATIONS = 20
const MOST_CHANGES = 15

/** A part of a digest: what it is about, its items with what belongs to each, and what to do about it. */
export interface DigestSection {
  readonly title: string
  readonly items: readonly { readonly head: string; readonly lines: readonly string[] }[]
  readonly more?: string | undefined
  readonly hint?: string | undefined
}

/** `Sluice: 12 wait for approved, 3 for security`; without names of packages: it stands in lists and on locked screens. */
export function subjectOf({ waits, went, attention, to }: DigestContent): string {
  const parts = [
    waits.sources === 0
      ? `nothing waits for ${to.channel}`
      : `${formatCount(waits.sources)} ${waits.sources === 1 ? 'waits' : 'wait'} for ${to.channel}`,
    ...(waits.security > 0 ? [`${formatCount(waits.security)} for security`] : []),
    ...(waits.sources === 0 && went.sources > 0 ? [`${formatCount(went.sources)} went`] : []),
    ...(attention.length > 0 ? [`${plural(attention.length, 'problem')}`] : []),
  ]
  return `Sluice: ${parts.join(', ')}`
}

/** The whole text, with a line feed at its end. */
export function renderText(content: DigestContent): string {
  const lines = [
    ...wrap(`${headlineOf(content)}.`, ''),
    ...sectionsOf(content).flatMap((section) => ['', ...sectionLines(section)]),
    '',
    '-- ',
    ...wrap(footerOf(content), ''),
  ]
  return `${lines.join('\n')}\n`
}

/** The first sentence. */
export function headlineOf({ waits, from, to }: DigestContent): string {
  const kept = [
    ...(waits.held > 0 ? [`${formatCount(waits.held)} held`] : []),
    ...(waits.declined > 0 ? [`${formatCount(waits.declined)} declined`] : []),
  ]
  const rest = kept.length === 0 ? '' : `; ${kept.join(', ')}`
  if (waits.sources === 0) return `Nothing waits from ${from.channel} for ${to.channel}${rest}`
  const verb = waits.sources === 1 ? 'waits' : 'wait'
  const security =
    waits.security > 0 ? `${formatCount(waits.security)} of them for security` : 'none for security'
  const what = `${plural(waits.sources, 'source')} ${verb} from ${from.channel} for ${to.channel}`
  return `${what}, ${security}${rest}`
}

/** Which server says so, and who to ask for less. */
export function footerOf({ name, server, until, timeZone }: DigestContent): string {
  return `Sluice at ${server}, digest ${name}, ${formatWhen(until, timeZone)}`
}

/** All parts that have something in them. */
export function sectionsOf(content: DigestContent): DigestSection[] {
  const sections = [attentionSection(content), ...waitingSections(content), wentSection(content)]
  return sections.filter(({ items }) => items.length > 0)
}

function attentionSection({ attention }: DigestContent): DigestSection {
  const items = attention.map(({ message, hint }) => ({
    head: printable(message),
    lines: [printable(hint)],
  }))
  return { title: 'Needs attention', items }
}

function waitingSections(content: DigestContent): DigestSection[] {
  const { waits, from, to, until } = content
  const of = (isSecurity: boolean): readonly WaitingSource[] =>
    waits.entries.filter((one) => one.isSecurity === isSecurity)
  const section = (title: string, total: number, some: readonly WaitingSource[]): DigestSection => {
    const shown = some.slice(0, MOST_WAITING)
    return {
      title,
      items: shown.map((one) => ({ head: waitingLine(one, until), lines: cveLines(one) })),
      more: moreLine(total - shown.length),
      hint: `sluice pending --from ${from.channel} --to ${to.channel}`,
    }
  }
  const { security, sources } = waits
  return [
    section(`Waits for ${to.channel}, for security`, security, of(true)),
    section(`Waits for ${to.channel}`, sources - security, of(false)),
  ]
}

function waitingLine(one: WaitingSource, at: number): string {
  return printable(`${formatChange(one)} (${one.suite}, ${formatSpan(at - one.since)})`)
}

function cveLines({ cves }: WaitingSource): string[] {
  return cves.length === 0 ? [] : [printable(cves.join(' '))]
}

function wentSection({ went, to, since, timeZone }: DigestContent): DigestSection {
  const shown = went.entries.slice(0, MOST_GENERATIONS)
  return {
    title: `Went to ${to.channel} since ${formatWhen(since, timeZone)}`,
    items: shown.map((one) => ({ head: wentLine(one, timeZone), lines: changeLines(one) })),
    more: moreLine(went.generations - shown.length),
    hint: `sluice channel history ${to.channel}`,
  }
}

function wentLine({ serial, madeAt, kind, who, why }: WentGeneration, timeZone: string): string {
  const reason = why === undefined ? '' : `: ${why}`
  return printable(
    `generation ${serial}, ${formatWhen(madeAt, timeZone)}, ${kind} by ${who}${reason}`,
  )
}

function changeLines({ changes, changed }: WentGeneration): string[] {
  const shown = changes.slice(0, MOST_CHANGES)
  const more = moreLine(changed - shown.length)
  return [
    ...shown.map((one) => printable(`${formatChange(one)} (${one.suite})`)),
    ...(more === undefined ? [] : [more]),
  ]
}

function moreLine(count: number): string | undefined {
  return count > 0 ? `and ${formatCount(count)} more` : undefined
}

/** `2026-11-21 07:00`, in the time zone of the digest. */
function formatWhen(at: number, timeZone: string): string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'short',
  })
  return format.format(at)
}

function sectionLines({ title, items, more, hint }: DigestSection): string[] {
  return [
    title,
    '-'.repeat(title.length),
    ...items.flatMap(({ head, lines }) => [
      ...wrap(head, '  '),
      ...lines.flatMap((line) => wrap(line, '      ')),
    ]),
    ...(more === undefined ? [] : [`  ${more}`]),
    ...(hint === undefined ? [] : wrap(`Look: ${hint}`, '')),
  ]
}

/** Lines of at most 76 columns, those after the first four further in; a word that is longer is cut in two. */
function wrap(text: string, indent: string): string[] {
  const lines: string[] = []
  let line = indent
  const inner = indent === '' ? '' : `${indent}  `
  for (const word of text.split(' ').flatMap(pieces)) {
    const isFirst = line.trim() === ''
    if (!isFirst && line.length + 1 + word.length > COLUMNS) {
      lines.push(line)
      line = `${inner}${word}`
    } else {
      line += isFirst ? word : ` ${word}`
    }
  }
  return [...lines, line]
}

function pieces(word: string): string[] {
  const most = COLUMNS - 12
  return word.length <= most ? [word] : (word.match(new RegExp(`.{1,${most}}`, 'gu')) ?? [])
}
