/**
 * HTTP as bytes on a socket, for requests that no client library would send.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  /** The words behind the status. */
  readonly reason: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Opens a connection to where `url` points; the caller ends it. */
export async function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''))
  await once(socket, 'connect')
  return socket
}

/** Sends `text` as it is; the answers until the server ends the connection. */
export async function sendRaw(url: string, text: string | Buffer): Promise<RawAnswer[]> {
  const socket = await openSocket(url)
  socket.write(text)
  const pieces: Buffer[] = []
  for await (const piece of socket) pieces.push(piece)
  return readAnswers(Buffer.concat(pieces))
}

/** One request with these header lines, on a connection of its own; its only answer. */
export async function ask(
  url: string,
  requestLine: string,
  headers: readonly string[] = [],
): Promise<RawAnswer> {
  const lines = [requestLine, `Host: ${new URL(url).host}`, 'Connection: close', ...headers]
  const answers = await sendRaw(url, `${lines.join('\r\n')}\r\n\r\n`)
  const [answer] = answers
  if (answer === undefined || answers.length > 1) {
    throw new Error(`${answers.length} answers to ${requestLine}`)
  }
  return answer
}

/** A request as apt writes it, of a connection that is kept; `headers` are whole lines. */
export async function askPlain(url: string, path: string, headers = ''): Promise<RawAnswer> {
  const socket = await openSocket(url)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: sluice.example\r\n${headers}\r\n`)
  const pieces: Buffer[] = []
  for await (const piece of socket) {
    pieces.push(piece)
    const data = Buffer.concat(pieces)
    const end = data.indexOf('\r\n\r\n')
    if (end < 0) continue
    const length = Number(/^content-length: (\d+)/im.exec(data.toString('latin1', 0, end))?.[1])
    if (!(data.length < end + 4 + length)) break
  }
  socket.destroy()
  const [answer] = readAnswers(Buffer.concat(pieces))
  if (answer === undefined) throw new Error(`no answer to ${path}`)
  return answer
}

/** Takes answers apart by Content-Length, else to the end; those to HEAD only if nothing follows them. */
export function readAnswers(data: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = []
  for (let at = 0; at < data.length; ) {
    const end = data.indexOf('\r\n\r\n', at)
    if (end < 0) throw new Error(`no head of an answer: ${data.subarray(at, at + 200)}`)
    const [first = '', ...lines] = data.subarray(at, end).toString('latin1').split('\r\n')
    const match = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(first)
    if (match === null) throw new Error(`no status line: ${first}`)
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
    )
    const status = Number(match[1])
    const length = status === 304 ? 0 : Number(headers['content-length'] ?? data.length)
    const body = data.subarray(end + 4, end + 4 + length)
    answers.push({ status, reason: match[2] ?? '', headers, body })
    at = end + 4 + body.length
  }
  return answers
}
