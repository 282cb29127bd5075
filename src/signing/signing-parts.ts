/**
 * What signing works with.
 */
import type { Clock } from '../base/clock.ts'
import type { Db } from '../store/database.ts'
import type { Judges } from './judges.ts'
import type { Signer } from './signer.ts'

export interface SigningParts {
  readonly db: Db
  readonly clock: Clock
  readonly signer: Signer
  readonly judges: Judges
}
