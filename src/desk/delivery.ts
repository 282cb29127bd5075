/**
 * What ways of sending digests share: how long they wait, and what is said when that was too long.
 */
import type { Abortable } from '../base/abortable.ts'
import { AppError } from '../base/errors.ts'

/** The signal ends it for good; after `withinMs` it may be tried again. */
export interface Delivery extends Abortable {
  readonly withinMs?: number | undefined
}

/** That `whom` (`the webhook at http://…`) did not answer in time. */
export function late(whom: string, withinMs: number): AppError {
  return new AppError('ERR_DELIVERY', {
    message: `${whom} did not take the digest within ${Math.ceil(withinMs / 1000)} s`,
    hint: 'it is tried again; look at what runs there',
  })
}
