/**
 * Digests as JSON to a webhook: one POST, no redirect followed, nothing of the answer read but its status.
 *
 * With a secret (`webhook-secret-file`) the header `X-Sluice-Signature` is `sha256=` and the HMAC-SHA256 of the body in
 * hex, keyed with the first line of that file; who receives it compares in constant time. The URL may itself be a secret:
 * messages name its server alone.
 */
import { createHmac } from 'node:crypto'
import { withTimeout } from '../base/abortable.ts'
import type { Config } from '../base/config.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { version } from '../base/version.ts'
import { type Delivery, late } from './delivery.ts'
import { readSecretLines } from './secret-file.ts'

const WHOLE_MS = 30_000

export interface WebhookCall {
  readonly url: string
  /** The same whenever the same digest is sent for the same time. */
  readonly id: string
  readonly body: Readonly<Record<string, unknown>>
}

/** Makes the call. A 4xx answer other than 408 and 429, or a redirect, is `ERR_DELIVERY_REFUSED`; all else `ERR_DELIVERY`. */
export async function callWebhook(
  { webhookSecretFile }: Config,
  { url, id, body }: WebhookCall,
  { signal, withinMs = WHOLE_MS }: Delivery = {},
): Promise<void> {
  const text = JSON.stringify(body)
  const [secret] =
    webhookSecretFile === undefined
      ? []
      : await readSecretLines('webhook-secret-file', webhookSecretFile, 1)
  const signature = secret && createHmac('sha256', secret).update(text).digest('hex')
  const headers = {
    'Content-Type': 'application/json',
    'User-Agent': `sluice/${version}`,
    'X-Sluice-Delivery': id,
    ...(signature === undefined ? {} : { 'X-Sluice-Signature': `sha256=${signature}` }),
  }
  const server = new URL(url).origin
  const whole = withTimeout(signal, withinMs)
  let status: number
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers,
      body: text,
      redirect: 'manual',
      signal: whole,
    })
    await answer.body?.cancel()
    status = answer.status
  } catch (error) {
    signal?.throwIfAborted()
    if (whole.aborted) throw late(`the webhook at ${server}`, withinMs)
    const cause = error instanceof Error ? (error.cause ?? error) : error
    // No cause: it may name the whole URL.
    throw new AppError('ERR_DELIVERY', {
      message: `the webhook at ${server} does not answer: ${systemCode(cause) ?? 'it cannot be called'}`,
      hint: 'it is tried again; look at what runs there',
    })
  }
  if (status >= 200 && status < 300) return
  const isRefused = status >= 300 && status < 500 && status !== 408 && status !== 429
  throw new AppError(isRefused ? 'ERR_DELIVERY_REFUSED' : 'ERR_DELIVERY', {
    message: `the webhook at ${server} answered ${status}`,
    hint: isRefused ? 'sluice digest set NAME --webhook URL' : 'it is tried again',
  })
}
