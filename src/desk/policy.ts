/**
 * What a policy is, and its plain form: of texts, numbers and lists alone, as the API, `sluice policy show --json` and a
 * file of settings carry it.
 *
 *   name = "night"                      rules = ["linux* never", "security after 1 day", "after 7 days"]
 *   from = "testing"                    freezes = ["2026-12-20 to 2027-01-06 except security: holidays"]
 *   to = "approved"                     timeZone = "Europe/Berlin"    (UTC unless told)
 *   schedule = "0 6 * * *"              enabled = false               (true unless told)
 *
 * Rules: policy-rules.ts; freezes: freeze.ts; schedules: timetable.ts.
 */
import { AppError, isAppError } from '../base/errors.ts'
import { isChannelName } from '../channels/channel-table.ts'
import { type Freeze, parseFreeze } from './freeze.ts'
import { parseRule, type Rule } from './policy-rules.ts'
import { assertTimetable, assertTimeZone, type Timetable } from './timetable.ts'

const MOST_RULES = 200
const MOST_FREEZES = 50
const LONGEST = 500

/** How a policy promotes. */
export interface PolicySettings extends Timetable {
  /** Names of channels. */
  readonly from: string
  readonly to: string
  /** The first that matches decides. */
  readonly rules: readonly Rule[]
  readonly freezes: readonly Freeze[]
  /** Whether its schedule counts. */
  readonly enabled: boolean
}

/** A policy by its name. */
export interface NamedPolicy extends PolicySettings {
  readonly name: string
}

/** The plain form. */
export interface PlainPolicy {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly schedule: string
  readonly timeZone: string
  readonly enabled: boolean
  readonly rules: readonly string[]
  readonly freezes: readonly string[]
}

/** A policy in its plain form; `parsePolicy` of it is the policy. */
export function describePolicy(policy: NamedPolicy): PlainPolicy {
  const { name, from, to, schedule, timeZone, enabled, rules, freezes } = policy
  return {
    name,
    from,
    to,
    schedule,
    timeZone,
    enabled,
    rules: rules.map(({ text }) => text),
    freezes: freezes.map(({ text }) => text),
  }
}

/** One fault of a plain form. */
export interface PolicyProblem {
  /** `schedule`, `rules[1]`. */
  readonly key: string
  readonly message: string
  readonly hint?: string | undefined
}

/**
 * Reads a plain form, whatever it is. `ERR_USAGE` has all its faults in `details.problems`, as `PolicyProblem`s. Whether the
 * channels exist is not looked at.
 */
export function parsePolicy(raw: unknown): NamedPolicy {
  const problems: PolicyProblem[] = []
  const take = <T>(key: string, read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!isAppError(error, 'ERR_USAGE')) throw error
      problems.push({ key, message: error.message, hint: error.hint })
      return undefined
    }
  }
  const fields = take('', () => fieldsOf(raw)) ?? {}
  const name = take('name', () => nameOf(fields, 'name', isPolicyName))
  const from = take('from', () => nameOf(fields, 'from', isChannelName))
  const to = take('to', () => nameOf(fields, 'to', isChannelName))
  if (from !== undefined && from === to) {
    problems.push({ key: 'to', message: 'a channel takes nothing from itself' })
  }
  const timeZone = take('timeZone', () => zoneOf(fields)) ?? 'UTC'
  const schedule = take('schedule', () => scheduleOf(fields, timeZone))
  const enabled = take('enabled', () => flagOf(fields, 'enabled', true)) ?? true
  const texts = (key: string, most: number): readonly string[] =>
    take(key, () => listOf(fields, key, most)) ?? []
  const rules = texts('rules', MOST_RULES).map((text, at) =>
    take(`rules[${at}]`, () => parseRule(text)),
  )
  const freezes = texts('freezes', MOST_FREEZES).map((text, at) =>
    take(`freezes[${at}]`, () => parseFreeze(text)),
  )
  const [first] = problems
  if (first !== undefined || name === undefined || from === undefined || to === undefined) {
    throw new AppError('ERR_USAGE', {
      message: problems.map((one) => one.message).join('; '),
      hint: first?.hint,
      details: { problems },
    })
  }
  return {
    name,
    from,
    to,
    schedule: schedule ?? '',
    timeZone,
    enabled,
    rules: rules.filter((one) => one !== undefined),
    freezes: freezes.filter((one) => one !== undefined),
  }
}

/** Whether a policy may be called so. */
export function isPolicyName(name: string): boolean {
  return /^[a-z0-9][a-z0-9.+-]{0,62}$/.test(name)
}

const known = ['name', 'from', 'to', 'schedule', 'timeZone', 'enabled', 'rules', 'freezes']

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(raw: unknown): Fields {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw wrong('a policy is a table of its settings')
  }
  const other = Object.keys(raw).filter((key) => !known.includes(key))
  if (other.length > 0) throw wrong(`a policy has no ${other.join(', ')}: ${known.join(', ')}`)
  return { ...raw }
}

function nameOf(fields: Fields, key: string, isName: (text: string) => boolean): string {
  const value = textOf(fields, key)
  if (isName(value)) return value
  throw wrong(`${key}: ${JSON.stringify(value)} is no name: lower-case letters, digits, . + -`)
}

function zoneOf(fields: Fields): string {
  const timeZone = textOf(fields, 'timeZone', 'UTC')
  assertTimeZone(timeZone)
  return timeZone
}

function scheduleOf(fields: Fields, timeZone: string): string {
  const schedule = textOf(fields, 'schedule')
  assertTimetable({ schedule, timeZone })
  return schedule
}

function textOf(fields: Fields, key: string, fallback?: string): string {
  const value = fields[key] ?? fallback
  if (value === undefined) throw wrong(`a policy needs ${key}`)
  if (typeof value === 'string' && value.length <= LONGEST) return value
  throw wrong(`${key} is a text of at most ${LONGEST} characters`)
}

function flagOf(fields: Fields, key: string, fallback: boolean): boolean {
  const value = fields[key] ?? fallback
  if (typeof value === 'boolean') return value
  throw wrong(`${key} is true or false`)
}

function listOf(fields: Fields, key: string, most: number): string[] {
  const value = fields[key] ?? []
  const isList = Array.isArray(value) && value.length <= most
  const texts: unknown[] = isList ? value : []
  const good = texts.filter((one) => typeof one === 'string' && one.length <= LONGEST)
  if (isList && good.length === texts.length) return good.map(String)
  throw wrong(`${key} is a list of at most ${most} texts`)
}

function wrong(message: string): AppError {
  return new AppError('ERR_USAGE', { message })
}
