/**
 * Making, changing and deleting digests. What one is told to do from a change on counts from then: a time that passed
 * before it was made, changed or switched on is not made up for.
 */
import { AppError } from '../base/errors.ts'
import { isMailAddress } from '../base/mail-address.ts'
import type { ChannelParts, Reason } from '../channels/channel-parts.ts'
import { getPlainChannel, isChannelName } from '../channels/channel-table.ts'
import { writeAudit } from '../store/audit.ts'
import { type Db, inTransaction } from '../store/database.ts'
import {
  type Digest,
  type DigestSettings,
  type DigestTarget,
  deleteDigestRow,
  findDigest,
  getDigest,
  insertDigest,
  updateDigest,
} from './digest-table.ts'
import { assertTimetable, lastTime, nextTime } from './timetable.ts'

/** A digest is read by people: more often it would not be. */
const LEAST_MS = 3600_000
const DAY_MS = 24 * 3600_000
const TRIED_TIMES = 50

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
  const { name, from = 'testing', to = 'approved', schedule = '0 7 * * *' } = input
  if (!isChannelName(name)) {
    throw new AppError('ERR_USAGE', {
      message: `a digest cannot be called ${JSON.stringify(name)}`,
      hint: 'small letters, digits and + . - ; the first a letter or digit',
    })
  }
  const target = targetOf(input)
  if (target === undefined) {
    throw new AppError('ERR_USAGE', {
      message: 'a digest needs somebody to go to',
      hint: `sluice digest create ${name} --mail ADDRESS, or --webhook URL`,
    })
  }
  const timeZone = input.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone
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
    target: targetOf(input) ?? before.target,
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

/** A webhook's URL without what may be a secret of it: all but the server. */
export function redactWebhook(url: string): string {
  const { origin, pathname, search } = new URL(url)
  return pathname === '/' && search === '' ? origin : `${origin}/…`
}

async function idOf(db: Db, channel: string): Promise<number> {
  return (await getPlainChannel(db, channel)).id
}

function targetOf({ recipients, webhook }: DigestWishes): DigestTarget | undefined {
  if (recipients !== undefined && webhook !== undefined) {
    throw new AppError('ERR_USAGE', {
      message: 'a digest goes by mail or to a webhook, not both',
      hint: 'make two of them',
    })
  }
  if (webhook !== undefined) return { kind: 'webhook', url: readWebhook(webhook) }
  if (recipients === undefined) return undefined
  const wrong = recipients.find((one) => !isMailAddress(one))
  if (wrong !== undefined || recipients.length === 0) {
    throw new AppError('ERR_USAGE', {
      message: `${JSON.stringify(wrong ?? '')} is no address of mail`,
      hint: 'such as admins@example.org, without a name beside it',
    })
  }
  return { kind: 'mail', recipients: [...new Set(recipients)] }
}

/** What is wrong is not said again: it may have a password in it. */
function readWebhook(text: string): string {
  const url = URL.parse(text)
  const isWeb = url !== null && ['http:', 'https:'].includes(url.protocol)
  if (isWeb && url.username === '' && url.password === '' && url.hash === '') return url.href
  throw new AppError('ERR_USAGE', {
    message: 'a webhook is an http or https URL without user and fragment',
    hint: 'such as https://chat.example/hooks/updates',
  })
}

function assertSettings(settings: DigestSettings, at: number): void {
  if (settings.fromId === settings.toId) {
    throw new AppError('ERR_USAGE', {
      message: 'nothing waits from a channel for itself',
      hint: 'sluice channel list',
    })
  }
  assertTimetable(settings)
  for (let tried = 0, after = at; tried < TRIED_TIMES; tried++) {
    const next = nextTime(settings, after)
    if (next === undefined) return
    if (tried > 0 && next - after < LEAST_MS) {
      throw new AppError('ERR_USAGE', {
        message: `${JSON.stringify(settings.schedule)} comes more than once an hour`,
        hint: 'each morning at seven: 0 7 * * *',
      })
    }
    after = next
  }
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
