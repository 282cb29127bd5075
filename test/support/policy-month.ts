/**
 * Life under policies, step by step by a clock that is steered: what was uploaded, held and promoted is kept in books, and
 * each run that is met is compared with what the books say it had to do (policy-oracle.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Books,
  type Expected,
  expectAt,
  type OraclePolicy,
  slotFrom,
} from './policy-oracle.ts'
import type { PolicyWorld } from './policy-world.ts'

/** A run, as the API tells it. */
export interface Run {
  readonly id: number
  readonly dueAt?: number
  readonly startedAt: number
  readonly endedAt?: number
  readonly who: string
  readonly problem?: string
  readonly went: readonly Entry[]
  readonly stayed: readonly Entry[]
  readonly generations: readonly number[]
}

/** What a run or a generation did with one candidate. */
export interface Entry {
  readonly suite: string
  readonly source: string
  readonly new: readonly string[]
  readonly words: string
}

export interface Month {
  readonly world: PolicyWorld
  readonly policies: readonly OraclePolicy[]
  /** Channels, by name. */
  readonly books: ReadonlyMap<string, Books>
  /** Sources that a channel holds, by its name, and until when. */
  readonly held: ReadonlyMap<string, Map<string, number>>
  /** The furthest that the clock ever was: what was signed by then must not be signed with an earlier Date. */
  peak: number
  /** The earliest that the clock was since runs were last met. */
  earliest: number
  /** Of each policy: the newest run that was met, and up to when its schedule is done. */
  readonly met: Map<string, { id: number; doneUntil: number; hasFailed: boolean }>
  /** What went, as `policy suite source version`. */
  readonly went: string[]
  readonly counts: Map<string, number>
  /** What is not as it should be, in words. */
  readonly wrong: string[]
}

/** Counts one more. */
export function count({ counts }: Month, what: string, by = 1): void {
  counts.set(what, (counts.get(what) ?? 0) + by)
}

/** Sets the clock. */
export async function goTo(month: Month, at: number): Promise<void> {
  month.peak = Math.max(month.peak, month.world.now())
  month.earliest = Math.min(month.earliest, at)
  await month.world.goTo(at)
  month.peak = Math.max(month.peak, at)
}

/** Whether a channel can be published: the clock is not behind what was signed. Near it, nobody can tell. */
export function canPublish({ world, peak }: Month): boolean {
  return world.now() > peak - 4 * 60_000
}

/** Resolves when all that is due is done; false if the server died over it. */
export async function isSettled({ world, policies }: Month): Promise<boolean> {
  try {
    for (;;) {
      const all = await Promise.all(
        policies.map(({ name }) => world.api('GET', `/policies/${name}`)),
      )
      const isOpen = all.some(({ nextAt, last }) => {
        return nextAt <= world.now() || (last !== undefined && last.endedAt === undefined)
      })
      if (!isOpen) return true
      await sleep(10)
    }
  } catch {
    return false
  }
}

/** Compares all runs since the last look with what had to be. */
export async function meetRuns(month: Month, label: string): Promise<void> {
  for (const policy of month.policies) {
    const met = month.met.get(policy.name)
    if (met === undefined) continue
    const now = month.world.now()
    const runs = await runsAfter(month, policy, met.id)
    const due = slotFrom(policy, met.doneUntil + 1) <= now ? 1 : 0
    const isRetried = met.hasFailed || runs.some(({ problem }) => problem !== undefined)
    if (runs.length !== due && !isRetried)
      month.wrong.push(`${label}: ${policy.name} ran ${runs.length} times, not ${due}`)
    for (const run of runs) {
      const where = `${label}: run ${run.id} of ${policy.name}`
      if (run.startedAt < month.earliest || run.startedAt > now)
        month.wrong.push(`${where} began at ${run.startedAt}, when the clock never showed that`)
      meet(month, policy, run, where)
      met.id = run.id
      met.doneUntil = run.startedAt
      met.hasFailed = run.problem !== undefined
    }
  }
  month.earliest = month.world.now()
}

async function runsAfter({ world }: Month, { name }: OraclePolicy, id: number): Promise<Run[]> {
  const runs: Run[] = await world.api('GET', `/policies/${name}/runs?limit=20`)
  return runs.filter((run) => run.id > id).reverse()
}

function meet(month: Month, policy: OraclePolicy, run: Run, where: string): void {
  const { wrong } = month
  const expected = expectedOf(month, policy, run.startedAt)
  const went = new Map(run.went.map((one) => [keyOf(one), one.words]))
  const stayed = new Map(run.stayed.map((one) => [keyOf(one), one.words]))
  for (const [key, { kinds, rule }] of expected) {
    const goes = went.get(key)
    const stays = stayed.get(key)
    const shall = kinds.length === 0
    if (goes !== undefined && !shall) wrong.push(`${where}: ${key} went, though ${kinds}`)
    if (goes !== undefined && goes !== `goes: ${rule}`) wrong.push(`${where}: ${key}: ${goes}`)
    if (goes === undefined && stays === undefined) wrong.push(`${where}: ${key} is not told of`)
    if (stays !== undefined && shall && !isClockProblem(month, run))
      wrong.push(`${where}: ${key} stayed: ${stays}`)
    if (stays !== undefined && !shall && !isToldSo(stays, kinds, rule))
      wrong.push(`${where}: ${key}, ${kinds}, is told to be ${stays}`)
    went.delete(key)
    stayed.delete(key)
  }
  for (const key of [...went.keys(), ...stayed.keys()]) wrong.push(`${where}: what is ${key}?`)
  if (run.went.length > 0 !== run.generations.length > 0)
    wrong.push(`${where}: ${run.went.length} went by generations ${run.generations}`)
  count(month, 'runs')
  if (run.problem !== undefined) count(month, 'runs with a problem')
  count(month, 'promoted', run.went.length)
  count(month, 'verdicts to stay', run.stayed.length)
  bookGone(month, policy, run)
}

function bookGone({ books, went }: Month, { name, to }: OraclePolicy, run: Run): void {
  for (const { suite, source, new: versions } of run.went) {
    const [version = ''] = versions
    const since = run.endedAt ?? run.startedAt
    books.get(to)?.set(`${suite} ${source}`, { version, since })
    went.push(`${name} ${suite} ${source} ${version}`)
  }
}

/** What has to be said of each candidate of a policy at a time. */
export function expectedOf(
  { books, held, peak }: Month,
  policy: OraclePolicy,
  at: number,
): Map<string, Expected> {
  const [from, to] = [books.get(policy.from), books.get(policy.to)]
  if (from === undefined || to === undefined) throw new Error(policy.name)
  // One that is over stays so, wherever the clock goes.
  const holds = [...(held.get(policy.to) ?? [])].filter(([, until]) => peak < until)
  return expectAt(policy, [from, to], { at, held: new Map(holds) })
}

/** A clock behind what was signed keeps all from going, and says so. */
function isClockProblem({ peak }: Month, { problem = '', startedAt }: Run): boolean {
  return startedAt < peak - 4 * 60_000 && /^the clock of this machine is behind/.test(problem)
}

/** Whether the words name all kinds, in their order. */
function isToldSo(words: string, kinds: readonly string[], rule: string | undefined): boolean {
  const starts: Readonly<Record<string, string>> = {
    held: 'held by admin since ',
    never: `rule ${rule}`,
    'no rule': 'no rule matches it',
    frozen: 'frozen to the end of ',
    'too young': 'too young',
  }
  let at = 0
  for (const kind of kinds) {
    const found = words.indexOf(starts[kind] ?? kind, at)
    if (found === -1 || (at === 0 && found !== 0)) return false
    at = found + 1
  }
  const others = Object.keys(starts).filter((kind) => !kinds.includes(kind))
  return others.every((kind) => !words.includes(starts[kind] ?? kind))
}

/** Asks `explain` about each candidate, and compares what it says with the books. */
export async function askWhy(month: Month, label: string): Promise<void> {
  const { world, policies, wrong } = month
  const told = await explainAll(month)
  const now = world.now()
  for (const policy of policies) {
    const expected = expectedOf(month, policy, now)
    const verdicts = told.filter((one) => one.policy === policy.name)
    for (const { key, kinds, goesAt } of verdicts) {
      const right = expected.get(key)
      if (right === undefined) wrong.push(`${label}: explain knows ${key}`)
      else if (`${kinds}` !== `${right.kinds}` || goesAt !== right.goesAt)
        wrong.push(
          `${label}: of ${key} explain says ${kinds} ${goesAt}, not ${right.kinds} ${right.goesAt}`,
        )
    }
    if (verdicts.length !== expected.size)
      wrong.push(`${label}: explain tells of ${verdicts.length}, not ${expected.size}`)
  }
  count(month, 'explained', told.length)
}

interface Told {
  readonly policy: string
  readonly key: string
  readonly kinds: readonly string[]
  readonly goesAt?: number
}

async function explainAll({ world, books }: Month): Promise<Told[]> {
  const sources = new Set([...(books.get('testing') ?? [])].map(([key]) => key.split(' ')[1]))
  const told: Told[] = []
  for (const source of sources) {
    for (const { waiting } of await world.api('GET', `/explain?source=${source}`)) {
      for (const one of waiting) {
        for (const { policy, reasons, goesAt } of one.verdicts) {
          const kinds = reasons.map(({ kind }: { kind: string }) => kind)
          told.push({ policy, key: keyOf(one), kinds, goesAt })
        }
      }
    }
  }
  return told
}

function keyOf(one: Pick<Entry, 'suite' | 'source' | 'new'>): string {
  return `${one.suite} ${one.source} ${one.new[0]}`
}
