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
import type { TlsContexts, UpstreamTls } from './upstream-tls.ts'

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
  const { tls } = options
  if (tls === undefined) return openDispatcher(options, { requests: undefined, proxy: undefined })
  let now = openByHost(options, tls.contexts)
  /** What is under way by certificates that were renewed since. */
  const earlier = new Set<ByHost>()
  const renew = (): void => {
    const before = now
    now = openByHost(options, tls.contexts)
    earlier.add(before)
    const forget = (): void => void earlier.delete(before)
    before.each((one) => one.close()).then(forget, forget)
  }
  return {
    dispatch: (asked, handler) => {
      if (now.contexts !== tls.contexts) renew()
      return now.pick(asked.origin).dispatch(asked, handler)
    },
    destroy: async () => {
      for (const one of [now, ...earlier]) await one.each((dispatcher) => dispatcher.destroy())
    },
  }
}

/** Connections to hosts that are shown a certificate, each by its own, and to all others. */
interface ByHost {
  readonly contexts: TlsContexts
  pick(origin: string | URL | undefined): Dispatcher
  each(work: (dispatcher: Dispatcher) => Promise<void>): Promise<unknown>
}

function openByHost(options: ConnectionOptions, contexts: TlsContexts): ByHost {
  const { common, byHost } = contexts
  const others = openDispatcher(options, { requests: common, proxy: common })
  const own = new Map<string, Dispatcher>()
  return {
    contexts,
    pick: (origin) => {
      const host = origin === undefined ? '' : hostKey(new URL(origin))
      const context = byHost.get(host)
      if (context === undefined) return others
      const made = own.get(host) ?? openDispatcher(options, { requests: context, proxy: common })
      own.set(host, made)
      return made
    },
    each: (work) => Promise.all([others, ...own.values()].map(work)),
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
