/**
 * A digest as it is shown: channels by name, times as they come, and of a webhook's URL what is no secret.
 */
import type { Config } from '../base/config.ts'
import { findChannelById } from '../channels/channel-table.ts'
import type { Db } from '../store/database.ts'
import type { Digest, DigestTrouble } from './digest-table.ts'
import { redactWebhook } from './judge-digest.ts'
import { missingSetting } from './send-mail.ts'
import { nextTime } from './timetable.ts'

/** The plain form of a digest. */
export interface PlainDigest {
  readonly name: string
  /** Absent where the channel is deleted. */
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** Either these addresses, or the webhook's URL with `…` for what may be a secret of it. */
  readonly recipients?: readonly string[] | undefined
  readonly webhook?: string | undefined
  readonly schedule: string
  readonly timeZone: string
  readonly always: boolean
  readonly enabled: boolean
}

export interface DescribedDigest extends PlainDigest {
  /** Epoch milliseconds: when it is sent, or tried again. */
  readonly nextAt?: number | undefined
  readonly sentAt?: number | undefined
  /** Why the last one was not sent, or not to all. */
  readonly trouble?: DigestTrouble | undefined
  /** The setting without which no mail goes. */
  readonly lacks?: string | undefined
}

/** The plain form. */
export async function plainDigest(db: Db, digest: Digest): Promise<PlainDigest> {
  const { name, fromId, toId, target, schedule, timeZone, isAlways, isEnabled } = digest
  return {
    name,
    from: (await findChannelById(db, fromId))?.name,
    to: (await findChannelById(db, toId))?.name,
    ...(target.kind === 'mail'
      ? { recipients: target.recipients }
      : { webhook: redactWebhook(target.url) }),
    schedule,
    timeZone,
    always: isAlways,
    enabled: isEnabled,
  }
}

/** The same, with how it goes. */
export async function describeDigest(
  { db, config }: { readonly db: Db; readonly config: Config },
  digest: Digest,
): Promise<DescribedDigest> {
  const { isEnabled, sentAt, trouble, target } = digest
  return {
    ...(await plainDigest(db, digest)),
    nextAt: isEnabled ? nextDigestTime(digest) : undefined,
    sentAt,
    trouble,
    lacks: target.kind === 'mail' ? missingSetting(config) : undefined,
  }
}

/** When there is something to do for it: the next due time, or when the one that failed is tried again. */
export function nextDigestTime(digest: Digest): number | undefined {
  return digest.trouble?.retryAt ?? nextTime(digest, digest.doneUntil)
}
