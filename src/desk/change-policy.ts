/**
 * Making, changing and removing policies. One that is made or gets another schedule begins with the next scheduled time: what
 * would have been due before is not made up for.
 */
import { AppError } from '../base/errors.ts'
import type { ChannelParts, Reason } from '../channels/channel-parts.ts'
import { type Channel, findChannelById, getPlainChannel } from '../channels/channel-table.ts'
import { assertTakesPromotions } from '../channels/promotion-target.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import { describePolicy, type NamedPolicy, parsePolicy } from './policy.ts'
import { dropRuns } from './policy-runs.ts'
import { deletePolicyRow, findPolicy, getPolicy, type Policy, savePolicy } from './policy-table.ts'

export interface PolicyInput extends Reason {
  /** The plain form: see policy.ts. */
  readonly policy: unknown
}

export interface PolicyChangeInput extends Reason {
  readonly name: string
  /** What of the plain form is another from then on. */
  readonly changes: Readonly<Record<string, unknown>>
}

/** Adds a policy; `ERR_CONFLICT` if there is one of its name. */
export async function createPolicy(parts: ChannelParts, input: PolicyInput): Promise<Policy> {
  const wanted = parsePolicy(input.policy)
  return write(parts, wanted, input, undefined)
}

/** Changes a policy; what it is already leaves no trace. */
export async function setPolicy(parts: ChannelParts, input: PolicyChangeInput): Promise<Policy> {
  const { name, changes } = input
  const before = await getPolicy(parts.db, name)
  const given = Object.entries(changes).filter(([, value]) => value !== undefined)
  if (given.some(([key]) => key === 'name')) {
    throw new AppError('ERR_USAGE', { message: 'a policy keeps its name' })
  }
  const wanted = parsePolicy({ ...describePolicy(before), ...Object.fromEntries(given) })
  if (isSame(wanted, before) && (await hasItsChannels(parts, before))) return before
  return write(parts, wanted, input, before)
}

/** Removes a policy and what its runs did; the audit and the channel's history keep their own. */
export function deletePolicy(
  parts: ChannelParts,
  { name, who, why }: Reason & { readonly name: string },
): Promise<void> {
  return inTransaction(parts.db, async (trx) => {
    const { id, ...policy } = await getPolicy(trx, name)
    await dropRuns(trx, id)
    await deletePolicyRow(trx, id)
    const object = `policy ${name}`
    const detail = { ...describePolicy(policy) }
    await writeAudit(trx, {
      at: parts.clock.now(),
      who,
      what: 'policy delete',
      object,
      why,
      detail,
    })
  })
}

function write(
  parts: ChannelParts,
  wanted: NamedPolicy,
  { who, why }: Reason,
  before: Policy | undefined,
): Promise<Policy> {
  return inTransaction(parts.db, async (trx) => {
    const { name } = wanted
    const now = await findPolicy(trx, name)
    if (now?.id !== before?.id) throw changed(name, now)
    const from = await getPlainChannel(trx, wanted.from)
    const to = await getPlainChannel(trx, wanted.to)
    assertTakesPromotions(to)
    const at = parts.clock.now()
    const ids = { fromId: from.id, toId: to.id }
    await savePolicy(trx, { ...wanted, ...ids, doneUntil: doneUntil(wanted, ids, now, at) })
    await writeAudit(trx, {
      at,
      who,
      what: before === undefined ? 'policy create' : 'policy set',
      object: `policy ${name}`,
      why,
      detail: before === undefined ? { ...describePolicy(wanted) } : differences(before, wanted),
    })
    return getPolicy(trx, name)
  })
}

/** With the same timetable what is due stays due; with another one nothing is. */
function doneUntil(
  wanted: NamedPolicy,
  { fromId, toId }: { readonly fromId: Channel['id']; readonly toId: Channel['id'] },
  now: Policy | undefined,
  at: number,
): number {
  const isKept =
    now?.enabled === true &&
    now.schedule === wanted.schedule &&
    now.timeZone === wanted.timeZone &&
    now.fromId === fromId &&
    now.toId === toId
  return isKept ? now.doneUntil : at
}

/** One that was deleted and made anew has to be named again. */
async function hasItsChannels({ db }: ChannelParts, policy: Policy): Promise<boolean> {
  const [from, to] = [
    await findChannelById(db, policy.fromId),
    await findChannelById(db, policy.toId),
  ]
  return from !== undefined && to !== undefined
}

function isSame(a: NamedPolicy, b: NamedPolicy): boolean {
  return JSON.stringify(describePolicy(a)) === JSON.stringify(describePolicy(b))
}

/** What is another, before and after. */
function differences(before: NamedPolicy, after: NamedPolicy): Record<string, unknown> {
  const [was, is] = [describePolicy(before), describePolicy(after)]
  const keys = (Object.keys(is) as (keyof typeof is)[]).filter(
    (key) => JSON.stringify(was[key]) !== JSON.stringify(is[key]),
  )
  return Object.fromEntries(keys.map((key) => [key, { before: was[key], after: is[key] }]))
}

function changed(name: string, now: Policy | undefined): AppError {
  return now === undefined
    ? new AppError('ERR_NOT_FOUND', {
        message: `there is no policy ${name}`,
        hint: 'sluice policy list',
      })
    : new AppError('ERR_CONFLICT', {
        message: `there is a policy ${name} already`,
        hint: `sluice policy set ${name}`,
      })
}
