/**
 * A connection to the far end of a tunnel: directly, or by the HTTP proxy that leads out of this network.
 */
import { once } from 'node:events'
import { connect, type LookupFunction, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { redactUrl } from '../archives/upstream.ts'
import { AppError, systemCode } from '../base/errors.ts'

export interface Way {
  /** Looks up the name, where it is this server that does; the system does unless told. */
  readonly lookup?: LookupFunction | undefined
  /** URL of an HTTP proxy, with its credentials. */
  readonly proxy?: string | undefined
  /** For all of it. */
  readonly withinMs: number
}

const HEAD_BYTES = 8192

/** Connects to the host and port of an https URL; the caller ends it. Throws `ERR_UPSTREAM_*`. */
export async function reach(url: URL, { lookup, proxy, withinMs }: Way): Promise<Socket> {
  const target = `${url.hostname}:${url.port === '' ? 443 : url.port}`
  const signal = AbortSignal.timeout(withinMs)
  const far =
    proxy === undefined
      ? connect({ ...endOf(url, 443), ...(lookup === undefined ? {} : { lookup }) })
      : toProxy(new URL(proxy))
  // It destroys itself; without anybody who listens, an error would end the process.
  far.on('error', () => undefined).setNoDelay(true)
  try {
    const event = 'encrypted' in far ? 'secureConnect' : 'connect'
    await once(far, event, { signal })
    if (proxy !== undefined) await askProxy(far, target, new URL(proxy), signal)
    return far
  } catch (error) {
    far.destroy()
    if (error instanceof AppError) throw error
    const by = proxy === undefined ? '' : ` (by proxy ${redactUrl(proxy)})`
    throw new AppError(signal.aborted ? 'ERR_UPSTREAM_TIMEOUT' : 'ERR_UPSTREAM_UNREACHABLE', {
      message: `${target} cannot be reached${by}: ${reasonOf(error, signal)}`,
      cause: error,
    })
  }
}

function toProxy(proxy: URL): Socket {
  const end = endOf(proxy, proxy.protocol === 'https:' ? 443 : 80)
  return proxy.protocol === 'https:' ? connectTls({ ...end, servername: end.host }) : connect(end)
}

function endOf({ hostname, port }: URL, fallback: number): { host: string; port: number } {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port === '' ? fallback : port) }
}

async function askProxy(
  far: Socket,
  target: string,
  { username, password }: URL,
  signal: AbortSignal,
): Promise<void> {
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)
  const lines = [
    `CONNECT ${target} HTTP/1.1`,
    `Host: ${target}`,
    ...(username === '' ? [] : [`Proxy-Authorization: Basic ${login.toString('base64')}`]),
  ]
  far.write(`${lines.join('\r\n')}\r\n\r\n`)
  let head = Buffer.alloc(0)
  while (!head.includes('\r\n\r\n')) {
    await once(far, 'readable', { signal })
    const piece: Buffer | null = far.read()
    if (piece === null || head.length > HEAD_BYTES) throw new Error('the proxy gave no answer')
    head = Buffer.concat([head, piece])
  }
  const end = head.indexOf('\r\n\r\n') + 4
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head.toString('latin1'))?.[1]
  if (status !== '200') throw new Error(`the proxy answered ${status ?? 'something else'}`)
  if (end < head.length) far.unshift(head.subarray(end))
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'no connection in time'
  return systemCode(error) ?? (error instanceof Error ? error.message : String(error))
}
