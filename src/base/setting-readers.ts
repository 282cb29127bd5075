/**
 * Readers of single settings: from text (a flag, a variable) or from a value of the settings file to the typed value,
 * or to what is wrong with it, in words.
 */
import { isIP } from 'node:net'
import { hostKey } from './host-key.ts'
import { isMailAddress } from './mail-address.ts'

/** The value, or what is wrong: `"x" is not …`. */
export type Read<T> = { readonly value: T } | { readonly problem: string }
export type Reader<T> = (raw: unknown) => Read<T>

/** Where to listen. */
export interface Listen {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
}

/** A mail server: `smtp` uses TLS where it is offered, `smtps` from the start. */
export interface MailServer {
  readonly scheme: 'smtp' | 'smtps'
  readonly host: string
  readonly port: number
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Loopback, the private ranges of RFC 1918 and RFC 4193, link-local, and the shared one of RFC 6598. */
export const privateNetworks: readonly string[] = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
]

/** `HOST:PORT`, `[V6]:PORT`, `:PORT` or `PORT`; without a host (or with `*`) on all addresses, of IPv6 and IPv4. */
export function readListen(raw: unknown): Read<Listen> {
  const text = String(raw)
  const parts = /^(?:(?:\[([0-9a-f:.]+)\]|([^:\s[\]]*)):)?(\d{1,5})$/i.exec(text)
  const port = Number(parts?.[3])
  if (parts === null || port > 65535) {
    return wrong(raw, 'HOST:PORT, :PORT or PORT')
  }
  const host = parts[1] ?? parts[2] ?? ''
  return { value: { host: host === '' || host === '*' ? '::' : host, port } }
}

/** An http or https URL; slashes at its end are dropped. */
export function readUrl(raw: unknown): Read<string> {
  const url = typeof raw === 'string' ? URL.parse(raw) : null
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:'
  if (url === null || !isWeb || url.search !== '' || url.hash !== '' || url.username !== '') {
    return wrong(raw, 'a URL like http://sluice.example:3142')
  }
  return { value: url.href.replace(/\/+$/, '') }
}

/** `smtp://HOST[:PORT]` (25) or `smtps://HOST[:PORT]` (465); user and password have a file of their own. */
export function readMailServer(raw: unknown): Read<MailServer> {
  const parts = /^(smtps?):\/\/(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::(\d{1,5}))?\/?$/i.exec(
    typeof raw === 'string' ? raw : '',
  )
  const scheme = parts?.[1]?.toLowerCase() === 'smtps' ? 'smtps' : 'smtp'
  const port = Number(parts?.[4] ?? (scheme === 'smtps' ? 465 : 25))
  if (parts !== null && port > 0 && port <= 65_535) {
    return { value: { scheme, host: parts[2] ?? parts[3] ?? '', port } }
  }
  // What was said may have a password in it.
  return { problem: 'this is not a mail server like smtp://mail.example:587, without user' }
}

/** An address of mail. */
export function readAddress(raw: unknown): Read<string> {
  const isAddress = typeof raw === 'string' && isMailAddress(raw)
  return isAddress ? { value: raw } : wrong(raw, 'an address like sluice@example.org')
}

/** The whole path of a file. */
export function readPath(raw: unknown): Read<string> {
  const isPath = typeof raw === 'string' && raw.startsWith('/') && !raw.includes('\0')
  return isPath ? { value: raw } : wrong(raw, 'the whole path of a file')
}

/** A file for one host, which is as `hostKey` writes it. */
export interface HostFile {
  readonly host: string
  readonly path: string
}

/** A list, or text with commas, of `HOST=/PATH`. */
export function readHostFiles(raw: unknown): Read<readonly HostFile[]> {
  const texts = Array.isArray(raw) ? raw.map(String) : String(raw).split(/,\s*/)
  const files: HostFile[] = []
  for (const text of texts.filter((one) => one !== '')) {
    const [, host = '', path = ''] = /^([^=/@\s]+)=(\/[^\0]+)$/.exec(text) ?? []
    const url = host === '' ? null : URL.parse(`https://${host}`)
    if (url === null) return wrong(text, 'a host and a file like archive.example=/etc/client.pem')
    files.push({ host: hostKey(url), path })
  }
  return { value: files }
}

/** `http://[USER:PASSWORD@]HOST:PORT` or the same with https. */
export function readProxy(raw: unknown): Read<string> {
  const url = typeof raw === 'string' ? URL.parse(raw) : null
  const isProxy = url !== null && /^https?:$/.test(url.protocol) && /^\/?$/.test(url.pathname)
  if (isProxy && url.search === '' && url.hash === '') return { value: url.href.replace(/\/$/, '') }
  // What was said may have a password in it.
  return { problem: 'this is not a proxy like http://proxy.example:3128' }
}

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
}

/** Bytes, with a unit: `500 MB`, `20G`, `1.5 TiB`. */
export function readSize(raw: unknown): Read<number> {
  const [, digits, unit = ''] =
    /^(\d{1,12}(?:\.\d{1,3})?)\s*([kmgt]i?)?b?$/i.exec(String(raw).trim()) ?? []
  const bytes = Math.round(Number(digits) * (sizeUnits[unit.toLowerCase()] ?? 1))
  return digits !== undefined && bytes > 0 && bytes <= 2 ** 50
    ? { value: bytes }
    : wrong(raw, 'a size like 500 MB, 20G or 1.5 TiB')
}

/** True and false, in the words that people use for them. */
export function readBoolean(raw: unknown): Read<boolean> {
  const text = String(raw).toLowerCase()
  if (['true', 'yes', 'on', '1'].includes(text)) return { value: true }
  if (['false', 'no', 'off', '0'].includes(text)) return { value: false }
  return wrong(raw, 'true or false')
}

/** True for where avahi-daemon has its service files, or that directory. */
export function readAvahi(raw: unknown): Read<string | undefined> {
  const said = readBoolean(raw)
  if ('value' in said) return { value: said.value ? '/etc/avahi/services' : undefined }
  return 'value' in readPath(raw) ? readPath(raw) : wrong(raw, 'true, false, or a directory')
}

/** Minutes between looks upstream: 1 to 10080 (a week), fractions allowed. */
export function readMinutes(raw: unknown): Read<number> {
  const minutes = typeof raw === 'boolean' || raw === '' ? Number.NaN : Number(raw)
  return minutes >= 1 && minutes <= 10_080
    ? { value: minutes }
    : wrong(raw, 'minutes from 1 to 10080')
}

/** Whole numbers in this range. */
export function readWhole(least: number, most: number): Reader<number> {
  return (raw) => {
    const value = typeof raw === 'boolean' || raw === '' ? Number.NaN : Number(raw)
    return Number.isInteger(value) && value >= least && value <= most
      ? { value }
      : wrong(raw, `a whole number from ${least} to ${most}`)
  }
}

/** A list, or text with commas, of networks; `private` and `any` stand for several. */
export function readNetworks(raw: unknown): Read<readonly string[]> {
  const names = Array.isArray(raw) ? raw.map(String) : String(raw).split(/[\s,]+/)
  const networks: string[] = []
  for (const name of names.filter((text) => text !== '')) {
    if (name === 'private') networks.push(...privateNetworks)
    else if (name === 'any') networks.push('0.0.0.0/0', '::/0')
    else {
      const network = readNetwork(name)
      if (network === undefined) return wrong(name, 'a network like 192.0.2.0/24, private, or any')
      networks.push(network)
    }
  }
  if (networks.length === 0) return wrong(raw, 'a list of networks: nobody would be served')
  return { value: [...new Set(networks)] }
}

/** Networks as `readNetworks`; nothing is no network. */
export function readNoNetworks(raw: unknown): Read<readonly string[]> {
  const isNone = Array.isArray(raw) ? raw.length === 0 : /^[\s,]*$/.test(String(raw))
  return isNone ? { value: [] } : readNetworks(raw)
}

/** The path of a URL, with a slash at its begin and its end: `/_blob/`. */
export function readPrefix(raw: unknown): Read<string> {
  const isPrefix = typeof raw === 'string' && /^(\/[\w.-]+)+\/$/.test(raw)
  return isPrefix ? { value: raw } : wrong(raw, 'a path like /_blob/, with slashes around')
}

function readNetwork(text: string): string | undefined {
  const [address = '', length, more] = text.split('/')
  const bits = { 4: 32, 6: 128 }[isIP(address)]
  if (bits === undefined || more !== undefined) return undefined
  if (length === undefined) return `${address}/${bits}`
  return /^\d{1,3}$/.test(length) && Number(length) <= bits ? text : undefined
}

/** A list of words, or text with blanks between them: a program and what stands before its other arguments. No shell. */
export function readCommand(raw: unknown): Read<readonly string[]> {
  const words = Array.isArray(raw) ? raw : String(raw).split(/\s+/).filter(Boolean)
  const isCommand = words.every((word) => typeof word === 'string' && !word.includes('\0'))
  if (isCommand && String(words[0]).startsWith('/')) return { value: words.map(String) }
  return wrong(raw, 'a program with its arguments, as ["/usr/local/bin/sign", "--slot", "1"]')
}

/** One of pino's levels. */
export function readLogLevel(raw: unknown): Read<LogLevel> {
  const level = logLevels.find((name) => name === raw)
  return level === undefined ? wrong(raw, `one of ${logLevels.join(', ')}`) : { value: level }
}

function wrong(raw: unknown, wanted: string): { problem: string } {
  return { problem: `${JSON.stringify(raw)} is not ${wanted}` }
}
