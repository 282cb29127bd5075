/**
 * The access log, as an option: a line for each answer in the common log format that web servers have,
 *
 *   192.0.2.7 - - [21/Nov/2026:18:05:36 +0000] "GET /channels/… HTTP/1.1" 200 1234
 *
 * with the bytes of the body that were sent, when the answer has ended. 499 stands for a client that went away before it
 * got any, as with nginx.
 *
 * User and password of a URL, a token in the path of an upload, and its query are not in it. Lines are written together, some once a second; no request
 * waits for the disk, and if that stands still lines are dropped, which the server's log tells.
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { AppError, systemCode } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { createMutex } from '../base/mutex.ts'

export interface AccessLog {
  /** Takes a line when this answer, of which nothing was sent yet, has ended; `client` is who asked. */
  watch(request: IncomingMessage, response: ServerResponse, client: string | undefined): void
  /** Takes a line when this tunnel has ended, of which nothing was sent yet. */
  watchTunnel(request: IncomingMessage, socket: Socket, client: string | undefined): void
  /** Opens the file of that name anew: the old one was moved away (logrotate). */
  reopen(): Promise<void>
  /** Writes what is left. */
  close(): Promise<void>
}

/** As nginx says it. */
const GONE = 499
const FLUSH_MS = 1000
/** Some 100,000 lines. */
const MOST_CHARS = 16 * 1024 * 1024

/** Opens the file for lines to be added, 0640 if it is made; `ERR_CONFIG` if it cannot be. */
export async function openAccessLog(path: string, log: Log): Promise<AccessLog> {
  let file = await openFile(path)
  const lines = { waiting: '', dropped: 0 }
  const oneAtATime = createMutex()
  let timer: NodeJS.Timeout | undefined
  const write = (): Promise<void> =>
    oneAtATime(async () => {
      clearTimeout(timer)
      timer = undefined
      const { waiting: text, dropped } = lines
      lines.waiting = ''
      lines.dropped = 0
      if (dropped > 0) log.warn({ lines: dropped }, 'lines of the access log dropped')
      try {
        if (text !== '') await file.appendFile(text)
      } catch (error) {
        log.warn({ path, problem: systemCode(error) ?? String(error) }, 'access log not written')
      }
    })
  const add = (line: string): void => {
    if (lines.waiting.length > MOST_CHARS) lines.dropped += 1
    else lines.waiting += line
    timer ??= setTimeout(write, FLUSH_MS).unref()
  }
  return {
    watch: (request, response, client) => watch(request, response, client, add),
    watchTunnel: (request, socket, client) => watchTunnel(request, socket, client, add),
    reopen: async () => {
      await write()
      await oneAtATime(async () => {
        const before = file
        try {
          file = await openFile(path)
          await before.close()
        } catch (error) {
          const problem = error instanceof Error ? error.message : String(error)
          log.warn({ path, problem }, 'access log not opened anew')
        }
      })
    },
    close: async () => {
      await write()
      await file.close()
    },
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'a', 0o640)
  } catch (error) {
    const reason = systemCode(error) ?? String(error)
    throw new AppError('ERR_CONFIG', {
      message: `wrong settings: access-log: ${path} cannot be opened: ${reason}`,
      cause: error,
    })
  }
}

function watch(
  request: IncomingMessage,
  response: ServerResponse,
  client: string | undefined,
  add: (line: string) => void,
): void {
  const sent = countBody(response)
  const at = Date.now()
  response.once('close', () => {
    const status = response.headersSent ? response.statusCode : GONE
    add(lineOf(request, client, { at, status, bytes: request.method === 'HEAD' ? 0 : sent() }))
  })
}

/** The status is that of the first bytes that are sent. */
function watchTunnel(
  request: IncomingMessage,
  socket: Socket,
  client: string | undefined,
  add: (line: string) => void,
): void {
  const at = Date.now()
  const before = socket.bytesWritten
  const { write } = socket
  let status = GONE
  socket.write = (...args: unknown[]) => {
    status = Number(/^HTTP\/1\.1 (\d{3})/.exec(String(args[0]))?.[1] ?? GONE)
    socket.write = write
    return Reflect.apply(write, socket, args)
  }
  socket.once('close', () => {
    add(lineOf(request, client, { at, status, bytes: socket.bytesWritten - before }))
  })
}

function lineOf(
  { method = '-', url = '-', httpVersion }: IncomingMessage,
  client: string | undefined,
  { at, status, bytes }: { readonly at: number; readonly status: number; readonly bytes: number },
): string {
  const asked = `${method} ${printable(withoutSecrets(url))} HTTP/${httpVersion}`
  const who = client === undefined ? '-' : client.replace(/^::ffff:(?=\d+\.)/, '')
  return `${who} - - [${timeOf(at)}] "${asked}" ${status} ${bytes === 0 ? '-' : bytes}\n`
}

/** Whatever writes the body, its bytes pass here. */
function countBody(response: ServerResponse): () => number {
  let bytes = 0
  const count = (chunk: unknown): void => {
    if (typeof chunk === 'string') bytes += Buffer.byteLength(chunk)
    else if (chunk instanceof Uint8Array) bytes += chunk.length
  }
  const { write, end } = response
  response.write = (...args: unknown[]) => {
    count(args[0])
    return Reflect.apply(write, response, args)
  }
  response.end = (...args: unknown[]) => {
    count(args[0])
    return Reflect.apply(end, response, args)
  }
  return () => bytes
}

/** Without user, password, token and query. */
function withoutSecrets(url: string): string {
  const bare = withoutToken(url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1'))
  const query = bare.search(/[?#]/)
  return query === -1 ? bare : `${bare.slice(0, query)}?redacted`
}

/** The path of an upload without the token in it. */
export function withoutToken(path: string): string {
  return path.replace(/^(\/upload\/[^/]*\/)[^/?#]*(?=\/)/, '$1redacted')
}

function printable(text: string): string {
  const code = (one: string): string => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`
  return text.replaceAll(/[^\x20-\x7e]|["\\]/g, code)
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')
const lastTime = { second: Number.NaN, text: '' }

/** `21/Nov/2026:18:05:36 +0000`, in the machine's time zone. */
function timeOf(at: number): string {
  const second = Math.floor(at / 1000)
  if (second === lastTime.second) return lastTime.text
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  const ahead = -date.getTimezoneOffset()
  const zone = `${ahead < 0 ? '-' : '+'}${two(Math.floor(Math.abs(ahead) / 60))}${two(Math.abs(ahead) % 60)}`
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  lastTime.second = second
  lastTime.text = `${day}:${time} ${zone}`
  return lastTime.text
}
