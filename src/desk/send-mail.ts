/**
 * Digests as mail: text and HTML, over SMTP (nodemailer).
 *
 * `smtp` takes TLS where the server offers it, unverified as mail servers do among themselves: who stands between could
 * take the offer away too. With user and password TLS must be there and verified, as always with `smtps`. These are read
 * anew for each mail, from a file, and stand in no message. What the mail server refuses for good (5yz) is
 * `ERR_DELIVERY_REFUSED`, all else `ERR_DELIVERY`: it may go later.
 */
import { withTimeout } from '../base/abortable.ts'
import type { Config } from '../base/config.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { redactText } from '../base/log.ts'
import { printable } from '../base/words.ts'
import { type Delivery, late } from './delivery.ts'
import { readSecretLines } from './secret-file.ts'

const CONNECT_MS = 30_000
const SILENCE_MS = 60_000
const WHOLE_MS = 180_000
/** Characters of what a mail server says that are told. */
const MOST_SAID = 300

export interface DigestMail {
  /** With angle brackets: the same whenever the same digest is sent for the same time. */
  readonly messageId: string
  readonly name: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly recipients: readonly string[]
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** The setting without which no mail can be sent, if it is not told. */
export function missingSetting({ mailServer, mailFrom }: Config): string | undefined {
  if (mailServer === undefined) return 'mail-server'
  return mailFrom === undefined ? 'mail-from' : undefined
}

/** Sends it; the recipients that the mail server did not take, where it took others. */
export async function sendMail(
  { mailServer, mailFrom, mailLoginFile }: Config,
  mail: DigestMail,
  { signal, withinMs = WHOLE_MS }: Delivery = {},
): Promise<readonly string[]> {
  if (mailServer === undefined || mailFrom === undefined) {
    throw new AppError('ERR_DELIVERY_REFUSED', {
      message: `the server is not told ${mailServer === undefined ? 'a mail server' : 'the address that mails come from'}`,
      hint: 'mail-server = "smtp://mail.example:587" and mail-from = "sluice@example.org" in sluice.toml',
    })
  }
  const [user, pass] =
    mailLoginFile === undefined ? [] : await readSecretLines('mail-login-file', mailLoginFile, 2)
  const isSecure = mailServer.scheme === 'smtps'
  // Only who sends mail has it in memory.
  const { createTransport } = await import('nodemailer')
  const transport = createTransport({
    host: mailServer.host,
    port: mailServer.port,
    secure: isSecure,
    requireTLS: !isSecure && user !== undefined,
    opportunisticTLS: user === undefined,
    tls: { rejectUnauthorized: isSecure || user !== undefined },
    ...(user === undefined ? {} : { auth: { user, pass } }),
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    socketTimeout: SILENCE_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const whole = withTimeout(signal, withinMs)
  try {
    const sent = await transport.sendMail({
      from: { name: 'Sluice', address: mailFrom },
      to: [...mail.recipients],
      subject: mail.subject,
      text: mail.text,
      html: mail.html,
      date: new Date(mail.at),
      messageId: mail.messageId,
      headers: { 'Auto-Submitted': 'auto-generated', 'X-Sluice-Digest': mail.name },
      xMailer: false,
      signal: whole,
    })
    return sent.rejected
  } catch (error) {
    signal?.throwIfAborted()
    const server = `${mailServer.host}:${mailServer.port}`
    if (whole.aborted) throw late(`the mail server ${server}`, withinMs)
    throw translate(error, server, [user, pass])
  } finally {
    transport.close()
  }
}

function translate(
  error: unknown,
  server: string,
  secrets: readonly (string | undefined)[],
): AppError {
  const status: unknown = error instanceof Error ? Reflect.get(error, 'responseCode') : undefined
  const isRefused = typeof status === 'number' && status >= 500
  const code = typeof status === 'number' ? String(status) : (systemCode(error) ?? 'no answer')
  // No cause: the library's errors carry what was said on the line.
  return new AppError(isRefused ? 'ERR_DELIVERY_REFUSED' : 'ERR_DELIVERY', {
    message: `the mail server ${server} did not take the digest: ${textOf(error, secrets)}`,
    hint: isRefused
      ? 'what it says tells what to change: recipients, mail-from, or mail-login-file'
      : 'it is tried again; look at mail-server in sluice.toml',
    details: { code },
  })
}

/** What went wrong; of a login that was refused only the numbers: a server may say again what it was given. */
function textOf(error: unknown, secrets: readonly (string | undefined)[]): string {
  const said = error instanceof Error ? error.message : String(error)
  if (systemCode(error) === 'EAUTH') {
    const numbers = /\b[245]\d\d(?:[ -]\d\.\d{1,3}\.\d{1,3})?(?!\d)/.exec(said)?.[0]
    return numbers === undefined ? 'there is no way to log in' : `login refused, ${numbers}`
  }
  let text = redactText(printable(said))
  for (const secret of secrets) if (secret) text = text.replaceAll(secret, '[redacted]')
  return text.slice(0, MOST_SAID)
}
