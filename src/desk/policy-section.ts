/**
 * The policies of the configuration: `[policy.NAME]`, the plain form of policy.ts with its keys in lower case.
 */
import { isAppError } from '../base/errors.ts'
import { tomlHeader, tomlLines } from '../base/toml.ts'
import { createPolicy, deletePolicy, setPolicy } from './change-policy.ts'
import type { TableReader } from './config-reader.ts'
import {
  type ApplyParts,
  changeOf,
  listText,
  nothingPlanned,
  type Round,
  type Section,
  type SectionPlan,
  type Step,
} from './config-section.ts'
import { describePolicy, type PlainPolicy, type PolicyProblem, parsePolicy } from './policy.ts'
import { listPolicies } from './policy-table.ts'

/** The section. */
export const policySection: Section = {
  key: 'policy',
  describe: async ({ db }) => {
    const lines = [
      '# Promotions by rule, on a schedule; the first rule that fits decides.',
      '[policy]',
    ]
    for (const policy of await listPolicies(db)) {
      const { name, from, to, schedule, timeZone, enabled, rules, freezes } = describePolicy(policy)
      lines.push('', tomlHeader(['policy', name]))
      lines.push(...tomlLines('from', from), ...tomlLines('to', to))
      lines.push(...tomlLines('schedule', schedule))
      if (timeZone !== 'UTC') lines.push(...tomlLines('time-zone', timeZone))
      if (!enabled) lines.push('enabled = false')
      lines.push(...tomlLines('rules', rules))
      if (freezes.length > 0) lines.push(...tomlLines('freezes', freezes))
    }
    return lines
  },
  plan: planPolicies,
}

async function planPolicies(round: Round): Promise<SectionPlan> {
  const { root, parts, isPruning } = round
  const section = root.table('policy')
  if (section === undefined) return nothingPlanned
  const all = (await listPolicies(parts.db)).map(describePolicy)
  const steps = section.tables().flatMap((table) => {
    const now = all.find(({ name }) => name === table.name)
    return planPolicy(round, table, now)
  })
  const others = all.filter(({ name }) => !section.has(name))
  if (!isPruning) return { steps, removals: [], left: others.map(objectOf) }
  return { steps, removals: others.map((one) => removal(parts, one)), left: [] }
}

function planPolicy(round: Round, table: TableReader, now: PlainPolicy | undefined): Step[] {
  const { parts, then, isPruning } = round
  const raw = readPolicy(table)
  table.done()
  for (const key of ['from', 'to'] as const) {
    const channel = raw[key]
    const known = channel === undefined ? undefined : then.channels.get(channel)
    if (channel === undefined) continue
    if (known === undefined)
      table.fault(key, `there is no channel ${channel}${isPruning ? ', in the file' : ''}`)
    else if (key === 'to' && known.kind === 'following')
      table.fault(key, `channel ${channel} follows its archives: nothing is promoted to it`)
  }
  const wanted = judge(table, raw)
  if (wanted === undefined) return []
  const [before, after] = [now && textsOf(now), textsOf(wanted)]
  const changes = Object.entries(after).flatMap(([key, text]) =>
    changeOf(key, before?.[key] ?? (defaults[key] === text ? text : undefined), text),
  )
  if (changes.length === 0) return []
  const { name, ...settings } = wanted
  return [
    {
      action: now === undefined ? 'add' : 'change',
      object: objectOf(wanted),
      changes,
      needs: [`channel ${wanted.from}`, `channel ${wanted.to}`],
      run: async (reason) => {
        if (now === undefined) await createPolicy(parts, { ...reason, policy: wanted })
        else await setPolicy(parts, { ...reason, name, changes: settings })
        parts.serverSide.policiesChanged()
        return undefined
      },
    },
  ]
}

/** What a table has of the plain form. */
function readPolicy(table: TableReader): Partial<PlainPolicy> & { readonly name: string } {
  const all = {
    from: table.text('from'),
    to: table.text('to'),
    schedule: table.text('schedule'),
    timeZone: table.text('time-zone'),
    enabled: table.boolean('enabled'),
    rules: table.texts('rules'),
    freezes: table.texts('freezes'),
  }
  const told = Object.entries(all).filter(([, value]) => value !== undefined)
  return { name: table.name, ...Object.fromEntries(told) }
}

function judge(table: TableReader, raw: Partial<PlainPolicy>): PlainPolicy | undefined {
  try {
    return describePolicy(parsePolicy(raw))
  } catch (error) {
    if (!isAppError(error, 'ERR_USAGE')) throw error
    const problems = error.details?.problems as readonly PolicyProblem[]
    for (const { key, message } of problems) {
      const [, name = '', at] = /^(\w*)(?:\[(\d+)\])?$/.exec(key) ?? []
      const own = name === 'timeZone' ? 'time-zone' : name
      if (!table.has(own)) table.fault(undefined, message)
      // What is of the wrong type was told already.
      else if (at !== undefined) table.fault([own, Number(at)], message)
      else if (Reflect.has(raw, name)) table.fault(own, message)
    }
    return undefined
  }
}

const defaults: Readonly<Record<string, string>> = {
  'time-zone': 'UTC',
  enabled: 'true',
  rules: 'none',
  freezes: 'none',
}

/** Each setting as one text. */
function textsOf(policy: PlainPolicy): Record<string, string> {
  const { from, to, schedule, timeZone, enabled, rules, freezes } = policy
  const list = (texts: readonly string[]): string => listText(texts.map((one) => `“${one}”`))
  return {
    from,
    to,
    schedule,
    'time-zone': timeZone,
    enabled: String(enabled),
    rules: list(rules),
    freezes: list(freezes),
  }
}

function removal(parts: ApplyParts, policy: PlainPolicy): Step {
  const { name } = policy
  return {
    action: 'remove',
    object: objectOf(policy),
    changes: [],
    needs: [],
    run: async (reason) => {
      await deletePolicy(parts, { ...reason, name })
      parts.serverSide.policiesChanged()
      return undefined
    },
  }
}

function objectOf({ name }: PlainPolicy): string {
  return `policy ${name}`
}
