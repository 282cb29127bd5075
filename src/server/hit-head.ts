/**
 * The head of a request as it is answered without an http server: a plain GET or HEAD of HTTP/1.1, as apt and its like write it. Whatever is
 * written otherwise, or says more (parts, logins, bodies, an end of the connection), is none, and left to the main process with
 * the rest of its connection.
 */

import { createLru } from '../base/lru.ts'

/** A request that a worker can answer. */
export interface PlainRequest {
  readonly method: 'GET' | 'HEAD'
  readonly url: string
  readonly since: string | undefined
  readonly agent: string | undefined
}

const LONGEST_URL = 1024
const LONGEST_HEAD = 4096
/** What is said in them changes nothing in an answer, but for the last two, which are looked at. */
const plain: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'connection',
  'host',
  'pragma',
  'user-agent',
  'if-modified-since',
])

/** What the lines below the first say; undefined for one that is not plain. */
type Said = Pick<PlainRequest, 'since' | 'agent'> | undefined

/** A machine writes the same lines below each of its requests but for InRelease. */
const MOST_KNOWN = 256
const known = createLru<string, { readonly said: Said }>(MOST_KNOWN)

/** Reads a head, without the empty line at its end. */
export function parsePlainHead(text: string): PlainRequest | undefined {
  if (text.length > LONGEST_HEAD) return undefined
  const length = text.indexOf('\r\n')
  if (length < 0) return undefined
  const first = /^(GET|HEAD) ([\x21-\x7e]+) HTTP\/1\.1$/.exec(text.slice(0, length))
  const [, method, url = ''] = first ?? []
  if ((method !== 'GET' && method !== 'HEAD') || url.length > LONGEST_URL) return undefined
  const said = recall(text.slice(length + 2))
  return said && { method, url, ...said }
}

function recall(lines: string): Said {
  const found = known.get(lines)
  if (found !== undefined) return found.said
  const said = parseLines(lines.split('\r\n'))
  known.set(lines, { said })
  return said
}

function parseLines(lines: readonly string[]): Said {
  const said = new Map<string, string>()
  for (const line of lines) {
    const [, name = '', value = ''] = /^([A-Za-z-]+): ?([\x20-\x7e]*)$/.exec(line) ?? []
    const key = name.toLowerCase()
    if (!plain.has(key) || said.has(key)) return undefined
    said.set(key, value)
  }
  const connection = said.get('connection')
  const isKept = connection === undefined || /^keep-alive$/i.test(connection)
  if (!isKept || !said.has('host')) return undefined
  return { since: said.get('if-modified-since'), agent: said.get('user-agent') }
}
