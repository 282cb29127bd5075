/**
 * Connections to archives, by undici: the direct way, or by an HTTP proxy.
 *
 * HTTP/1.1: one HTTP/2 connection would be one TCP stream for everything. 8 connections for each origin. By a proxy it is
 * the proxy that looks up names, so that only addresses in URLs can be judged here.
 */
import { Agent, buildConnector, type Dispatcher, Pool, ProxyAgent } from 'undici'
import { AppError, toAppError } from '../base/errors.ts'
import { judgeHost, type MayBeInternal, publicLookup } from './internal-hosts.ts'

export interface ConnectionOptions {
  /** URL of an HTTP proxy. */
  readonly proxy: string | undefined
  readonly connectTimeoutMs: number
  readonly firstByteTimeoutMs: number
  /** Unless told, every host may be. */
  readonly mayBeInternal?: MayBeInternal | undefined
}

/** Makes connections as they are needed; `ERR_CONFIG` for a proxy that is none. */
export function createDispatcher(options: ConnectionOptions): Dispatcher {
  const { proxy, connectTimeoutMs, firstByteTimeoutMs } = options
  const pool = {
    connections: 8,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: 10_000,
    headersTimeout: firstByteTimeoutMs,
  }
  if (proxy === undefined) return new Agent({ ...pool, connect: createConnector(options) })
  if (!/^https?:\/\//.test(proxy) || !URL.canParse(proxy)) {
    throw new AppError('ERR_CONFIG', {
      message: 'the proxy is not an http or https URL',
      hint: 'write it as http://proxy.example:3128, or DIRECT for none',
    })
  }
  return new ProxyAgent({
    ...pool,
    uri: proxy,
    connectTimeout: connectTimeoutMs,
    requestTls: { timeout: connectTimeoutMs },
    proxyTls: { timeout: connectTimeoutMs },
    clientFactory: (origin, own) => new Pool(origin, { ...own, ...pool }),
    factory: (origin, own) => new Pool(origin, { ...own, ...pool }),
  })
}

function createConnector({
  connectTimeoutMs,
  mayBeInternal,
}: ConnectionOptions): buildConnector.connector {
  const common = { timeout: connectTimeoutMs, allowH2: false }
  const free = buildConnector(common)
  if (mayBeInternal === undefined) return free
  const guarded = buildConnector({ ...common, lookup: publicLookup })
  return (options, callback) => {
    judgeHost(options, mayBeInternal).then(
      (where) => (where === 'anywhere' ? free : guarded)(options, callback),
      (error: unknown) => callback(toAppError(error), null),
    )
  }
}
