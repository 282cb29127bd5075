/**
 * What the gate says of all that a policy lets go, before anything goes: those that would stay are told so, as a run does.
 */
import type { Abortable } from '../base/abortable.ts'
import { isAppError } from '../base/errors.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import type { LeftOut } from '../channels/plan.ts'
import { promote } from '../channels/promote.ts'
import type { GenerationView } from '../channels/views.ts'
import { candidateKey, refusalReason } from './judge-policy.ts'
import type { Policy } from './policy-table.ts'
import { selectionOf } from './promote-most.ts'
import type { Verdict } from './verdict.ts'

export interface TryInput {
  readonly policy: Policy
  /** The generation that was judged. */
  readonly from: GenerationView
  readonly verdicts: readonly Verdict[]
}

/** The verdicts, where what goes has been before the gate together; nothing is changed. */
export async function tryPromotion(
  parts: ChannelParts,
  { policy, from, verdicts }: TryInput,
  { signal }: Abortable = {},
): Promise<Verdict[]> {
  const stays = new Map(
    (await refusedOf(parts, { policy, from, verdicts }, { signal })).map(
      (one) => [candidateKey(one), one] as const,
    ),
  )
  return verdicts.map((verdict) => {
    const one = verdict.goes ? stays.get(candidateKey(verdict)) : undefined
    if (one === undefined) return verdict
    const { goesAt: _, ...rest } = verdict
    return { ...rest, goes: false, reasons: [refusalReason(one, { name: policy.to }, [])] }
  })
}

async function refusedOf(
  parts: ChannelParts,
  { policy, from, verdicts }: TryInput,
  { signal }: Abortable,
): Promise<readonly LeftOut[]> {
  const going = verdicts.filter(({ goes }) => goes)
  if (going.length === 0) return []
  const input = {
    from: `${from.channel}@${from.serial}`,
    to: policy.to,
    selection: selectionOf(going),
    dryRun: true,
    isBrief: true,
    who: `policy ${policy.name}`,
  }
  try {
    const { refusal } = await promote(parts, input, { signal })
    const named = refusal?.details?.leftOut
    return Array.isArray(named) ? named : []
  } catch (error) {
    // What else keeps it from going is the run's to tell.
    if (isAppError(error, 'ERR_REFUSED')) return []
    throw error
  }
}
