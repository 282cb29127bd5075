/**
 * Replacing the key of a publication, while clients that are away for weeks go on.
 *
 *   start:   a next key is made; from then on both sign, so that a client with either is served, and gets the other one
 *   finish:  the old key is retired; whoever has not got the new one by then is refused
 * Each step is a row first and a re-signed generation after it: what a crash leaves between is signed at the next look
 * (re-sign.ts), or by the same command again.
 */
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import {
  insertPublicationKey,
  listPublicationKeys,
  liveKeys,
  type PublicationKey,
  setKeyState,
} from '../signing/publication-key-table.ts'
import { findPublication, type Publication } from '../signing/publication-table.ts'
import { writeAudit } from '../store/audit.ts'
import { inTransaction } from '../store/database.ts'
import type { ChannelParts, Reason } from './channel-parts.ts'
import { channelOf } from './ensure-publication.ts'
import type { Generation } from './generation-table.ts'
import { isSignedByLiveKeys, resign } from './re-sign.ts'

const DAY_MS = 24 * 3600_000

export interface RotateInput extends Reason {
  /** `channel:approved`, `class:web`. */
  readonly publication: string
}

export interface FinishInput extends RotateInput {
  /** Days that both keys must have signed. */
  readonly afterDays: number
  /** Finishes however short that was. */
  readonly force: boolean
}

export interface Rotated {
  /** The keys that sign now: the current one first. */
  readonly keys: readonly PublicationKey[]
  /** Absent where all was signed by them already, and where the publication serves nothing. */
  readonly generation?: Generation | undefined
}

/** `approved` and `channel:approved` are `channel:approved`; `class:web` and `class/web` are `class:web`. */
export function publicationName(text: string): string {
  if (/^(channel|class):/.test(text)) return text
  return text.startsWith('class/') ? text.replace('/', ':') : `channel:${text}`
}

/** The publication that this name means; `ERR_NOT_FOUND` if there is none. */
export async function getPublication(
  parts: Pick<ChannelParts, 'db'>,
  name: string,
): Promise<Publication> {
  const found = await findPublication(parts.db, name)
  if (found !== undefined) return found
  throw new AppError('ERR_NOT_FOUND', {
    message: `there is no publication ${name}`,
    hint: 'sluice key list',
  })
}

/** Makes the next key, and publishes what both have signed; where one was made already, the latter alone. */
export function startRotation(
  parts: ChannelParts,
  input: RotateInput,
  { signal }: Abortable = {},
): Promise<Rotated> {
  return parts.channelLock(channelOf(input.publication))(async () => {
    const publication = await getPublication(parts, input.publication)
    const keys = await liveKeys(parts.db, publication.id)
    if (!keys.some((key) => key.state === 'next'))
      await addNextKey(parts, publication, input, signal)
    crashPoint('rotate: next key written, not signed by it')
    return signByLiveKeys(parts, publication, input, signal)
  })
}

/** Retires the old key, and publishes what the new one alone has signed. `ERR_REFUSED` before the days are over. */
export function finishRotation(
  parts: ChannelParts,
  input: FinishInput,
  { signal }: Abortable = {},
): Promise<Rotated> {
  return parts.channelLock(channelOf(input.publication))(async () => {
    const publication = await getPublication(parts, input.publication)
    const keys = await liveKeys(parts.db, publication.id)
    const [old, next] = ['current', 'next'].map((state) => keys.find((key) => key.state === state))
    if (next !== undefined) {
      refuseEarly(input, next, parts.clock.now())
      await retire(parts, input, old, next)
    } else if (await isDone(parts, publication)) throw notRotating(input.publication)
    crashPoint('rotate: old key retired, not signed without it')
    return signByLiveKeys(parts, publication, input, signal)
  })
}

async function addNextKey(
  parts: ChannelParts,
  publication: Publication,
  { who, why }: Reason,
  signal: AbortSignal | undefined,
): Promise<void> {
  const known = (await listPublicationKeys(parts.db)).map((key) => key.fingerprint)
  const wanted = { publication: publication.name, at: nowSeconds(parts.clock), known }
  const { fingerprint, source, bytes } = await parts.signer.makeKey(wanted, { signal })
  crashPoint('rotate: next key made, not written')
  const at = parts.clock.now()
  await inTransaction(parts.db, async (trx) => {
    await insertPublicationKey(trx, {
      fingerprint,
      publicationId: publication.id,
      state: 'next',
      source,
      publicKey: bytes,
      madeAt: at,
      changedAt: at,
    })
    const object = publication.name
    await writeAudit(trx, { at, who, what: 'key rotate', object, why, detail: { fingerprint } })
  })
}

async function retire(
  parts: ChannelParts,
  { publication, who, why, force }: FinishInput,
  old: PublicationKey | undefined,
  next: PublicationKey,
): Promise<void> {
  const at = parts.clock.now()
  await inTransaction(parts.db, async (trx) => {
    if (old !== undefined) await setKeyState(trx, old.fingerprint, 'retired', at)
    await setKeyState(trx, next.fingerprint, 'current', at)
    await writeAudit(trx, {
      at,
      who,
      what: 'key retire',
      object: publication,
      why,
      detail: { fingerprint: old?.fingerprint, by: next.fingerprint, since: next.madeAt, force },
    })
  })
}

async function signByLiveKeys(
  parts: ChannelParts,
  publication: Publication,
  { who, why = 'key rotation' }: Reason,
  signal: AbortSignal | undefined,
): Promise<Rotated> {
  const done = await isDone(parts, publication)
  const channel = channelOf(publication.name)
  const generation = done ? undefined : await resign(parts, channel, { who, why }, { signal })
  return { keys: await liveKeys(parts.db, publication.id), generation }
}

async function isDone(parts: ChannelParts, { name }: Publication): Promise<boolean> {
  const head = parts.views.head(channelOf(name))
  return head === undefined || isSignedByLiveKeys(parts, head)
}

function refuseEarly(
  { afterDays, force, publication }: FinishInput,
  next: PublicationKey,
  now: number,
): void {
  const days = (now - next.madeAt) / DAY_MS
  if (force || days >= afterDays) return
  throw new AppError('ERR_REFUSED', {
    message: `both keys of ${publication} have signed for ${days.toFixed(1)} days, not for ${afterDays}: a machine that was away since has only the old one`,
    hint: 'wait, or if each machine is known to have the new key: --force',
    details: { since: next.madeAt },
  })
}

function notRotating(publication: string): AppError {
  return new AppError('ERR_CONFLICT', {
    message: `no key of ${publication} is being replaced`,
    hint: `sluice key rotate ${publication} begins it`,
  })
}
