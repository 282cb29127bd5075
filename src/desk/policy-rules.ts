/**
 * The rules of a policy, as people write them: which sources are meant, and when they may go. The first that matches a
 * candidate decides; what none matches stays.
 *
 *   linux* never
 *   security after 1 day
 *   suite *-updates archive debian after 36 hours
 *   source python3* not security after 7 days
 *   after 7 days
 *
 * Before `after` or `never` stand conditions, which must all hold: a pattern of source packages (`*` for any characters;
 * several are alternatives; with `source` before it where it is one of these words), `archive`, `suite` (its name or a
 * pattern), `security`, `not security`. None means all.
 */
import { AppError } from '../base/errors.ts'

const MINUTE_MS = 60_000
const units: Readonly<Record<string, number>> = {
  min: MINUTE_MS,
  minute: MINUTE_MS,
  h: 60 * MINUTE_MS,
  hour: 60 * MINUTE_MS,
  d: 1440 * MINUTE_MS,
  day: 1440 * MINUTE_MS,
  week: 7 * 1440 * MINUTE_MS,
}
const keywords = new Set(['source', 'archive', 'suite', 'security', 'not', 'after', 'never'])
const LONGEST_MS = 1000 * 1440 * MINUTE_MS

/** One rule. */
export interface Rule {
  /** As it is written, in its plainest form. */
  readonly text: string
  /** Patterns of source packages; empty for all. */
  readonly sources: readonly string[]
  readonly archive?: string | undefined
  /** A name or a pattern. */
  readonly suite?: string | undefined
  readonly isSecurity?: boolean | undefined
  /** Age in the first channel from which on it goes; absent for `never`. */
  readonly afterMs?: number | undefined
}

/** What rules look at. */
export interface RuleSubject {
  readonly archive: string
  readonly suite: string
  readonly source: string
  readonly isSecurity: boolean
}

/** Reads a rule; `ERR_USAGE` says what of it is not understood. */
export function parseRule(text: string): Rule {
  const words = text.trim().split(/\s+/)
  const end = words.findIndex((word, at) => isEnd(word) && !takesValue(words[at - 1]))
  const [verb, ...rest] = end === -1 ? [] : words.slice(end)
  if (verb === undefined) throw wrong(text, 'it says neither "after" nor "never"')
  const found = readConditions(text, words.slice(0, end))
  if (verb === 'never') {
    if (rest.length > 0) throw wrong(text, `nothing stands behind "never"`)
    return withText(found)
  }
  return withText({ ...found, afterMs: readAge(text, rest.join(' ')) })
}

/** The first rule that matches. */
export function findRule(rules: readonly Rule[], subject: RuleSubject): Rule | undefined {
  return rules.find((rule) => matches(rule, subject))
}

/** An age as rules are written: `7 days`, `36 hours`. */
export function formatAge(ageMs: number): string {
  const forms = [
    ['day', 1440],
    ['hour', 60],
    ['minute', 1],
  ] as const
  for (const [word, minutes] of forms) {
    const count = ageMs / (minutes * MINUTE_MS)
    if (count >= 1 && Number.isInteger(count)) return `${count} ${word}${count === 1 ? '' : 's'}`
  }
  return '0 days'
}

function isEnd(word: string): boolean {
  return word === 'after' || word === 'never'
}

function takesValue(word: string | undefined): boolean {
  return word === 'source' || word === 'archive' || word === 'suite'
}

type Conditions = Omit<Rule, 'text' | 'afterMs'>

function readConditions(text: string, words: readonly string[]): Conditions {
  const sources: string[] = []
  let found: Omit<Conditions, 'sources'> = {}
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    const next = words[at + 1]
    if (takesValue(word)) {
      at++
      if (next === undefined) throw wrong(text, `behind "${word}" stands a name`)
      if (word === 'source') sources.push(patternOf(text, next))
      else if (word === 'archive') found = { ...found, archive: next }
      else found = { ...found, suite: next }
    } else if (word === 'not') {
      at++
      if (next !== 'security') throw wrong(text, '"not" stands before "security" alone')
      found = { ...found, isSecurity: false }
    } else if (word === 'security') found = { ...found, isSecurity: true }
    else sources.push(patternOf(text, word))
  }
  return { sources, ...found }
}

/** Names of source packages are of lower-case letters; a pattern of two words would be two patterns. */
function patternOf(text: string, word: string): string {
  if (/^[a-z0-9*][a-z0-9+.*-]{0,199}$/.test(word)) return word
  throw wrong(text, `${JSON.stringify(word)} is no pattern of source packages`)
}

function readAge(text: string, age: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6}) ?([a-z]+?)s?$/.exec(age) ?? []
  const ageMs = Number(count) * (units[unit] ?? Number.NaN)
  if (Number.isFinite(ageMs) && count !== '' && ageMs <= LONGEST_MS) return ageMs
  throw wrong(text, `behind "after" stands an age such as "7 days", not ${JSON.stringify(age)}`)
}

function withText(rule: Omit<Rule, 'text'>): Rule {
  const { sources, archive, suite, isSecurity, afterMs } = rule
  const words = [
    ...sources.map((one) => (keywords.has(one) ? `source ${one}` : one)),
    ...(archive === undefined ? [] : [`archive ${archive}`]),
    ...(suite === undefined ? [] : [`suite ${suite}`]),
    ...(isSecurity === undefined ? [] : [isSecurity ? 'security' : 'not security']),
    afterMs === undefined ? 'never' : `after ${formatAge(afterMs)}`,
  ]
  return { text: words.join(' '), ...rule }
}

function matches(rule: Rule, { archive, suite, source, isSecurity }: RuleSubject): boolean {
  const { sources } = rule
  return (
    (sources.length === 0 || sources.some((pattern) => fits(pattern, source))) &&
    (rule.archive === undefined || rule.archive === archive) &&
    (rule.suite === undefined || fits(rule.suite, suite)) &&
    (rule.isSecurity === undefined || rule.isSecurity === isSecurity)
  )
}

/**
 * Whether `*` of the pattern can stand for what the text has more: from the left, each piece where it first occurs, so that
 * no pattern takes long.
 */
function fits(pattern: string, text: string): boolean {
  const [first = '', ...pieces] = pattern.split('*')
  if (!text.startsWith(first)) return false
  const last = pieces.pop()
  if (last === undefined) return text === pattern
  let at = first.length
  for (const piece of pieces) {
    const found = text.indexOf(piece, at)
    if (found === -1) return false
    at = found + piece.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}

function wrong(text: string, what: string): AppError {
  return new AppError('ERR_USAGE', {
    message: `the rule ${JSON.stringify(text)}: ${what}`,
    hint: 'such as "linux* never", "security after 1 day", "suite *-updates after 3 days", "after 7 days"',
  })
}
