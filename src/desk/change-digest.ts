/**
 * Making, changing and deleting digests. What one is told to do from a change on counts from then: a time that passed
 * before it was made, changed or switched on is not made up for.
 */
import { AppError } from '../base/errors.ts'
import type { ChannelParts, Reason } from '../channels/channel-parts.ts'
import { getPlainChannel, isChannelName } from '../channels/channel-table.ts'
import { writeAudit } from '../store/audit.ts'
import { type Db, inTransaction } from '../store/database.ts'
import {
  type Digest,
  type DigestSettings,
  deleteDigestRow,
  findDigest,
  getDigest,
  insertDigest,
  updateDigest,
} from './digest-table.ts'
import { assertDigestTimes, isWhole, readTarget, redactWebhook } from './judge-digest.ts'
import { lastTime } from './timetable.ts'

const DAY_MS = 24 * 3600_000

/** Each morning, unless told. */
export const usualSchedule = '0 7 * * *'

/** What may be said of a digest; `recipients` and `webhook` exclude each other. */
export interface DigestWishes {
  /** Names of channels. */
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly recipients?: readonly string[] | undefined
  readonly webhook?: string | undefined
  readonly schedule?: string | undefined
  /** The machine's, unless told. */
  readonly timeZone?: string | undefined
  readonly always?: boolean | undefined
  readonly enabled?: boolean | undefined
}

export interface DigestInput extends DigestWishes, Reason {
  readonly name: string
}

/** Makes a digest of what waits from `testing` for `approved`, each morning at seven, unless told otherwise. */
export async function createDigest(parts: ChannelParts, input: DigestInput): Promise<Digest> {
  const { name, from = 'testing', to = 'approved', schedule = usualSchedule } = input
  if (!isChannelName(name)) {
    throw new AppError('ERR_USAGE', {
      message: `a digest cannot be called ${JSON.stringify(name)}`,
      hint: 'small letters, digits and + . - ; the first a letter or digit',
    })
  }
  const target = readTarget(input)
  if (target === undefined) {
    throw new AppError('ERR_USAGE', {
      message: 'a digest needs somebody to go to',
      hint: `sluice digest create ${name} --mail ADDRESS, or --webhook URL`,
    })
  }
  const { timeZone = ownTimeZone() } = input
  const settings: DigestSettings = {
    name,
    fromId: await idOf(parts.db, from),
    toId: await idOf(parts.db, to),
    target,
    schedule,
    timeZone,
    isAlways: input.always ?? false,
    isEnabled: input.enabled ?? true,
  }
  assertSettings(settings, parts.clock.now())
  return inTransaction(parts.db, async (trx) => {
    if ((await findDigest(trx, name)) !== undefined) {
      throw new AppError('ERR_CONFLICT', {
        message: `there is a digest ${name} already`,
        hint: `sluice digest show ${name}`,
      })
    }
    const madeAt = parts.clock.now()
    // The first one tells what went since the one before it would have come.
    const toldUntil = lastTime(settings, madeAt) ?? madeAt - DAY_MS
    await insertDigest(trx, settings, { madeAt, doneUntil: madeAt, toldUntil })
    await audit(trx, { ...input, what: 'digest create', at: madeAt, settings, from, to })
    return getDigest(trx, name)
  })
}

/** Changes what is said of it; the rest stays. */
export async function setDigest(parts: ChannelParts, input: DigestInput): Promise<Digest> {
  const { name } = input
  const before = await getDigest(parts.db, name)
  const { from, to } = input
  const settings: DigestSettings = {
    name,
    fromId: from === undefined ? before.fromId : await idOf(parts.db, from),
    toId: to === undefined ? before.toId : await idOf(parts.db, to),
    target: readTarget(input) ?? before.target,
    schedule: input.schedule ?? before.schedule,
    timeZone: input.timeZone ?? before.timeZone,
    isAlways: input.always ?? before.isAlways,
    isEnabled: input.enabled ?? before.isEnabled,
  }
  const at = parts.clock.now()
  assertSettings(settings, at)
  const isSameTime =
    settings.schedule === before.schedule &&
    settings.timeZone === before.timeZone &&
    settings.isEnabled === before.isEnabled
  return inTransaction(parts.db, async (trx) => {
    const { doneUntil } = await getDigest(trx, name)
    await updateDigest(trx, before.id, settings, isSameTime ? doneUntil : at)
    await audit(trx, { ...input, what: 'digest set', at, settings })
    return getDigest(trx, name)
  })
}

/** Ends it; `ERR_NOT_FOUND` if there is none. */
export async function deleteDigest(
  parts: ChannelParts,
  { name, who, why }: Reason & { readonly name: string },
): Promise<void> {
  await inTransaction(parts.db, async (trx) => {
    const { id } = await getDigest(trx, name)
    await deleteDigestRow(trx, id)
    const at = parts.clock.now()
    await writeAudit(trx, { at, who, what: 'digest delete', object: `digest ${name}`, why })
  })
}

/** The machine's. */
export function ownTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone
}

async function idOf(db: Db, channel: string): Promise<number> {
  return (await getPlainChannel(db, channel)).id
}

function assertSettings(settings: DigestSettings, at: number): void {
  if (settings.fromId === settings.toId) {
    throw new AppError('ERR_USAGE', {
      message: 'nothing waits from a channel for itself',
      hint: 'sluice channel list',
    })
  }
  if (settings.isEnabled && !isWhole(settings.target)) {
    throw new AppError('ERR_USAGE', {
      message: 'of this webhook only the server is told',
      hint: `sluice digest set ${settings.name} --webhook URL --enable`,
    })
  }
  assertDigestTimes(settings, at)
}

interface DigestChange extends Reason, DigestWishes {
  readonly what: string
  readonly at: number
  readonly settings: DigestSettings
}

async function audit(trx: Db, change: DigestChange): Promise<void> {
  const { what, at, who, why, from, to, settings } = change
  const { name, target, schedule, timeZone, isAlways, isEnabled } = settings
  const where =
    target.kind === 'mail'
      ? { recipients: target.recipients }
      : { webhook: redactWebhook(target.url) }
  const detail = { from, to, ...where, schedule, timeZone, isAlways, isEnabled }
  await writeAudit(trx, { at, who, what, object: `digest ${name}`, why, detail })
}
