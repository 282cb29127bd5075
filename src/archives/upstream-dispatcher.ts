/**
 * Connections to archives, by undici: the direct way, or by an HTTP proxy.
 *
 * HTTP/1.1: one HTTP/2 connection would be one TCP stream for everything. At most 64 connections to each origin, for so many
 * clients that wait for different files; what is asked for ahead has few of them (download-lanes.ts). By a proxy it is the
 * proxy that looks up names, so that only addresses in URLs can be judged here.
 */
import type { SecureContext } from 'node:tls'
import { Agent, buildConnector, type Dispatcher, Pool, ProxyAgent } from 'undici'
import { AppError, toAppError } from '../base/errors.ts'
import { hostKey } from '../base/host-key.ts'
import { judgeHost, type MayBeInternal, publicLookup } from './internal-hosts.ts'
import type { UpstreamTls } from './upstream-tls.ts'

export interface ConnectionOptions {
  /** URL of an HTTP proxy. */
  readonly proxy: string | undefined
  readonly connectTimeoutMs: number
  readonly firstByteTimeoutMs: number
  /** Unless told, every host may be. */
  readonly mayBeInternal?: MayBeInternal | undefined
  readonly tls?: UpstreamTls | undefined
}

/** What sends requests; the caller destroys it. */
export type Sender = Pick<Dispatcher, 'dispatch'> & { destroy(): Promise<void> }

/** Makes connections as they are needed; `ERR_CONFIG` for a proxy that is none. */
export function createDispatcher(options: ConnectionOptions): Sender {
  const { common, byHost } = options.tls ?? { common: undefined, byHost: new Map() }
  const others = openDispatcher(options, { requests: common, proxy: common })
  if (byHost.size === 0) return others
  const own = new Map<string, Dispatcher>()
  const pick = (origin: string | URL | undefined): Dispatcher => {
    const host = origin === undefined ? '' : hostKey(new URL(origin))
    const context = byHost.get(host)
    if (context === undefined) return others
    const made = own.get(host) ?? openDispatcher(options, { requests: context, proxy: common })
    own.set(host, made)
    return made
  }
  return {
    dispatch: (asked, handler) => pick(asked.origin).dispatch(asked, handler),
    destroy: async () => {
      await Promise.all([others, ...own.values()].map((one) => one.destroy()))
    },
  }
}

interface Contexts {
  readonly requests: SecureContext | undefined
  readonly proxy: SecureContext | undefined
}

function openDispatcher(options: ConnectionOptions, tls: Contexts): Dispatcher {
  const { proxy, connectTimeoutMs, firstByteTimeoutMs } = options
  const pool = {
    connections: 64,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: 10_000,
    headersTimeout: firstByteTimeoutMs,
  }
  if (proxy === undefined)
    return new Agent({ ...pool, connect: createConnector(options, tls.requests) })
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
    requestTls: { timeout: connectTimeoutMs, ...by(tls.requests) },
    proxyTls: { timeout: connectTimeoutMs, ...by(tls.proxy) },
    clientFactory: (origin, own) => new Pool(origin, { ...own, ...pool }),
    factory: (origin, own) => new Pool(origin, { ...own, ...pool }),
  })
}

function by(secureContext: SecureContext | undefined): { secureContext?: SecureContext } {
  return secureContext === undefined ? {} : { secureContext }
}

function createConnector(
  { connectTimeoutMs, mayBeInternal }: ConnectionOptions,
  context: SecureContext | undefined,
): buildConnector.connector {
  const common = { timeout: connectTimeoutMs, allowH2: false, ...by(context) }
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
