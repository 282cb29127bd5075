/**
 * Where a package listens, as far as its files say so plainly: socket units (systemd.socket(5)), command lines of
 * services, xinetd(5), and lines like `Listen 80` or `Port 22` of configuration files.
 *
 * What a program opens by itself is not seen here; what is told is what the text says, not what a machine does.
 */
import type { PlaceKind } from './admin-places.ts'

/** Something that is listened at: `tcp 8080`, `udp 127.0.0.1:53`, `/run/foo.sock`. */
export interface Listener {
  readonly what: string
  /** Path of the file that says so. */
  readonly where: string
}

const MAX_LISTENERS = 200
const MAX_LINE = 2000

const socketTypes: Readonly<Record<string, string>> = {
  ListenStream: 'tcp',
  ListenDatagram: 'udp',
  ListenSequentialPacket: 'seqpacket',
  ListenFIFO: 'fifo',
  ListenNetlink: 'netlink',
  ListenUSBFunction: 'usb',
}

/** The listeners that this file tells; `kind` is what it is, undefined for a configuration file of any program. */
export function listenersOf(where: string, kind: PlaceKind | undefined, text: string): Listener[] {
  const lines = joinedLines(text)
  const said = new Set(saidBy(where, kind, lines))
  return [...said].slice(0, MAX_LISTENERS).map((what) => ({ what, where }))
}

function saidBy(where: string, kind: PlaceKind | undefined, lines: readonly string[]): string[] {
  if (/\.socket(\.d\/.+\.conf)?$/.test(where)) return ofSocket(lines)
  if (kind === 'unit') return lines.flatMap(ofCommand)
  if (kind === 'inetd') return ofInetd(lines)
  return kind === undefined && where.startsWith('etc/') ? lines.flatMap(ofDirective) : []
}

/** Lines without comments; one that ends in a backslash goes on in the next. */
function joinedLines(text: string): string[] {
  const lines: string[] = []
  let open = ''
  for (const raw of text.split('\n')) {
    const line = raw.slice(0, MAX_LINE).trim()
    if (/^[#;]/.test(line)) continue
    if (line.endsWith('\\') && open.length < 16 * MAX_LINE) {
      open += `${line.slice(0, -1)} `
      continue
    }
    lines.push(open + line)
    open = ''
  }
  if (open !== '') lines.push(open)
  return lines.filter((line) => line !== '')
}

/** An empty assignment takes back what was said before. */
function ofSocket(lines: readonly string[]): string[] {
  let found: string[] = []
  for (const line of lines) {
    const [, key = '', value = ''] = /^(Listen\w+)\s*=\s*(.*)$/.exec(line) ?? []
    const type = socketTypes[key]
    if (type === undefined) continue
    if (value === '') found = []
    else if (/^[/@]/.test(value)) found.push(value)
    else found.push(`${type} ${value}`)
  }
  return found
}

const address = String.raw`(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]*\]|\*|localhost)`
const addressed = new RegExp(String.raw`(?:^|[\s=/"'])(${address}?:\d{1,5})(?=$|[\s/,"'])`, 'g')
const portOption = /(?:^|\s)--?[\w-]*port[\w-]*[= ]"?(\d{1,5})(?=$|[\s,"])/gi
const listenOption = /(?:^|\s)--?[\w-]*(?:listen|bind)[\w-]*[= ]"?(\d{1,5})(?=$|[\s,"])/gi

/** Ports on the command line of a service. */
function ofCommand(line: string): string[] {
  const command = /^ExecStart(?:Pre|Post)?\s*=\s*(.*)$/.exec(line)?.[1]
  if (command === undefined) return []
  const found = [portOption, listenOption, addressed].flatMap((pattern) =>
    [...command.matchAll(pattern)].map(([, value = '']) => value.replace(/^:/, '')),
  )
  return found.filter(hasPort).map((value) => `port ${value}`)
}

function ofInetd(lines: readonly string[]): string[] {
  const text = lines.join('\n')
  const services = [...text.matchAll(/^service\s+(\S+)\s*\{([^}]*)\}/gm)].flatMap(
    ([, name = '', body = '']) => {
      if (/^\s*disable\s*=\s*yes/m.test(body)) return []
      const port = /^\s*port\s*=\s*(\d{1,5})/m.exec(body)?.[1]
      const type = /^\s*socket_type\s*=\s*dgram/m.test(body) ? 'udp' : 'tcp'
      return [`${type} ${port ?? name}`]
    },
  )
  const classic = lines.flatMap((line) => {
    const [, name = '', type = ''] = /^(\S+)\s+(stream|dgram)\s+(?:tcp|udp)\S*\s/.exec(line) ?? []
    return type === '' ? [] : [`${type === 'dgram' ? 'udp' : 'tcp'} ${name}`]
  })
  return [...services, ...classic]
}

const directive = new RegExp(
  String.raw`^(?:listen|port|listenaddress|listen_port|http_port|bind_port)(?:\s*[=:]\s*|\s+)"?(${address}?:?\d{1,5})(?=$|[\s;,"])`,
  'i',
)

function ofDirective(line: string): string[] {
  const value = directive.exec(line)?.[1]?.replace(/^:/, '')
  return value !== undefined && hasPort(value) ? [`port ${value}`] : []
}

function hasPort(value: string): boolean {
  const port = Number(/(\d+)$/.exec(value)?.[1])
  return port > 0 && port < 65_536
}
