/**
 * Addresses of mail, as far as settings and digests take them: `name@domain` in ASCII, without a name for people beside
 * it. Nothing of what they may hold means anything in a header or in SMTP (RFC 5321), so that none can smuggle a line in.
 */

const address = /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?$/i

/** Whether `text` is one. */
export function isMailAddress(text: string): boolean {
  return address.test(text) && text.length <= 254
}
