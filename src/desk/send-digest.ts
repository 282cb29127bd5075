/**
 * Sending a digest: once by hand, which counts for nothing, or when it is due.
 *
 * A due one is sent at least once: the row is written after it was taken, so that a crash between sends it again, under
 * the same Message-ID (for a webhook: the same `id`), by which the second can be told. What cannot be sent is tried again,
 * at first after a minute, then ever later, for six hours; then the next due time tells what went since the last one that
 * was taken. Of due times that were missed, by a server that stood or a clock that jumped, one is made up for.
 */
import { offlineError } from '../archives/guarded-upstream.ts'
import type { Abortable } from '../base/abortable.ts'
import type { Config } from '../base/config.ts'
import { toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { Log } from '../base/log.ts'
import type { Reason } from '../channels/channel-parts.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import { callWebhook } from './call-webhook.ts'
import { type DigestContent, isNothing, readDigest } from './digest-content.ts'
import { renderHtml } from './digest-html.ts'
import {
  type Digest,
  type DigestTrouble,
  getDigest,
  listDigests,
  noteProgress,
} from './digest-table.ts'
import { renderText, subjectOf } from './digest-text.ts'
import { assertIsWhole } from './judge-digest.ts'
import type { DeskParts } from './pending-details.ts'
import { sendMail } from './send-mail.ts'
import { lastTime } from './timetable.ts'

const MINUTE_MS = 60_000
const LONGEST_PAUSE_MS = 30 * MINUTE_MS
const TRIED_FOR_MS = 6 * 60 * MINUTE_MS
/** A due time that lies further ahead was written by a clock that was wrong. */
const WRONG_CLOCK_MS = 24 * 60 * MINUTE_MS

export interface DigestParts extends DeskParts {
  readonly config: Config
  /** Until a mail server or webhook is given up for now; 30 s for a webhook and 180 for a mail, unless told. */
  readonly deliverWithinMs?: number | undefined
}

/** A digest as it was, or would be, sent. */
export interface SentDigest {
  /** False: there was nothing to tell, or it was a dry run. */
  readonly isSent: boolean
  readonly subject: string
  readonly text: string
  readonly content: DigestContent
  /** Recipients that the mail server did not take. */
  readonly rejected: readonly string[]
}

/** Sends one now, or shows it; the schedule goes on as if it had not been. */
export async function sendDigest(
  parts: DigestParts,
  input: Reason & { readonly name: string; readonly always?: boolean; readonly dryRun?: boolean },
  { signal }: Abortable = {},
): Promise<SentDigest> {
  const digest = await getDigest(parts.db, input.name)
  const until = parts.clock.now()
  const content = await readDigest(parts, digest, { since: digest.toldUntil, until }, { signal })
  const shown = { subject: subjectOf(content), text: renderText(content), content }
  const isWanted = input.always === true || digest.isAlways || !isNothing(content)
  if (input.dryRun === true || !isWanted) return { ...shown, isSent: false, rejected: [] }
  const rejected = await deliver(parts, digest, content, { signal })
  const { who, why } = input
  const object = `digest ${digest.name}`
  const at = parts.clock.now()
  await inTransaction(parts.db, (trx) =>
    writeAudit(trx, { at, who, what: 'digest send', object, why }),
  )
  return { ...shown, isSent: true, rejected }
}

/** Sends all that are due; one that cannot be sent keeps no other from it. */
export async function sendDueDigests(
  parts: DigestParts,
  log: Log,
  { signal }: Abortable = {},
): Promise<void> {
  // They wait; the last due time is made up for when the server is started without.
  if (parts.config.offline) return
  for (const digest of await listDigests(parts.db)) {
    const due = await dueTime(parts, digest)
    if (due !== undefined) await sendDue(parts, log, { digest, due }, { signal })
  }
}

async function dueTime(parts: DigestParts, digest: Digest): Promise<number | undefined> {
  const now = parts.clock.now()
  const { id, isEnabled, doneUntil, trouble } = digest
  if (!isEnabled) return undefined
  const due = lastTime(digest, now)
  if (due === undefined) return undefined
  if (doneUntil > now + WRONG_CLOCK_MS) {
    await noteProgress(parts.db, id, { doneUntil: due, toldUntil: due, trouble })
    return undefined
  }
  if (due <= doneUntil) return undefined
  const retryAt = trouble?.due === due ? (trouble.retryAt ?? 0) : 0
  return retryAt > now && retryAt <= now + LONGEST_PAUSE_MS ? undefined : due
}

async function sendDue(
  parts: DigestParts,
  log: Log,
  { digest, due }: { readonly digest: Digest; readonly due: number },
  { signal }: Abortable,
): Promise<void> {
  const since = Math.min(digest.toldUntil, due)
  try {
    const content = await readDigest(parts, digest, { since, until: due }, { signal })
    if (!digest.isAlways && isNothing(content)) {
      await noteProgress(parts.db, digest.id, { doneUntil: due, toldUntil: due })
      return
    }
    // Where nothing can be written, it would be sent again and again.
    await noteProgress(parts.db, digest.id, { trouble: digest.trouble })
    const rejected = await deliver(parts, digest, content, { signal })
    crashPoint('digest: taken, not noted')
    const now = parts.clock.now()
    const trouble = rejected.length === 0 ? undefined : partTrouble(rejected, { due, now })
    const done = { doneUntil: due, toldUntil: due, sentAt: now, trouble }
    await noteProgress(parts.db, digest.id, done)
    if (trouble !== undefined)
      log.warn({ digest: digest.name, rejected }, 'digest not taken for all')
    log.info({ digest: digest.name, due: new Date(due).toISOString() }, 'digest sent')
  } catch (error) {
    if (signal?.aborted === true) throw error
    const trouble = troubleOf(digest, { due, now: parts.clock.now() }, error)
    const isOver = trouble.retryAt === undefined
    await noteProgress(parts.db, digest.id, { trouble, ...(isOver ? { doneUntil: due } : {}) })
    const { code, message, tries } = trouble
    const told = { digest: digest.name, code, problem: message, tries }
    if (isOver) log.error(told, 'digest not sent')
    else if (tries === 1) log.warn(told, 'digest not sent yet')
  }
}

function troubleOf(
  { trouble: before }: Digest,
  { due, now }: { readonly due: number; readonly now: number },
  error: unknown,
): DigestTrouble {
  const { code, message, hint } = toAppError(error)
  const isSame = before?.due === due
  const tries = isSame ? before.tries + 1 : 1
  const since = isSame ? before.since : now
  const pauseMs = Math.min(LONGEST_PAUSE_MS, MINUTE_MS * 2 ** Math.min(tries - 1, 10))
  const isForGood = code === 'ERR_DELIVERY_REFUSED' || code === 'ERR_NOT_FOUND'
  const isOver = isForGood || now + pauseMs > since + TRIED_FOR_MS
  return { code, message, hint, since, due, tries, ...(isOver ? {} : { retryAt: now + pauseMs }) }
}

function partTrouble(
  rejected: readonly string[],
  { due, now }: { readonly due: number; readonly now: number },
): DigestTrouble {
  return {
    code: 'ERR_DELIVERY_REFUSED',
    message: `the mail server did not take it for ${rejected.join(', ')}`,
    hint: 'look whether they are right: sluice digest set NAME --mail ADDRESS…',
    since: now,
    due,
    tries: 1,
    isPartly: true,
  }
}

async function deliver(
  parts: DigestParts,
  digest: Digest,
  content: DigestContent,
  { signal }: Abortable,
): Promise<readonly string[]> {
  const { id, madeAt, name, target } = digest
  const key = `sluice.${id}-${madeAt.toString(36)}.${content.until.toString(36)}`
  assertIsWhole(target, name)
  if (parts.config.offline) throw offlineError(`digest ${name}`, 'not sent')
  const limits = { signal, withinMs: parts.deliverWithinMs }
  const [subject, text] = [subjectOf(content), renderText(content)]
  if (target.kind === 'webhook') {
    const body = { event: 'digest', id: key, subject, text, ...content }
    await callWebhook(parts.config, { url: target.url, id: key, body }, limits)
    return []
  }
  const domain = parts.config.mailFrom?.split('@')[1] ?? 'sluice.invalid'
  const mail = { messageId: `<${key}@${domain}>`, name, at: parts.clock.now(), subject, text }
  const { recipients } = target
  return sendMail(parts.config, { ...mail, recipients, html: renderHtml(content) }, limits)
}
