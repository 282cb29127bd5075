/**
 * One upstream client for all archives, each by the proxy that its settings name.
 */
import type { Archive } from './archive-table.ts'
import { createUpstream, type Upstream, type UpstreamOptions } from './upstream.ts'

/** How patient the clients are. */
export type UpstreamLimits = Omit<UpstreamOptions, 'proxy' | 'auth' | 'mayBeInternal'>

export interface RoutedUpstream extends Upstream {
  /** Says from now on which proxy leads to URLs that begin with `prefix`; undefined is the direct way. */
  route(prefix: string, proxy: string | undefined): void
}

/** A client that goes the direct way until routes are told. */
export function createRoutedUpstream(
  limits: Omit<UpstreamOptions, 'proxy' | 'auth'> = {},
): RoutedUpstream {
  const direct = createUpstream(limits)
  const byProxy = new Map<string, Upstream>()
  const routes = new Map<string, string>()
  const pick = (url: string): Upstream => {
    for (const [prefix, proxy] of routes) {
      if (url.startsWith(prefix)) return byProxy.get(proxy) ?? direct
    }
    return direct
  }
  return {
    get: (url, options, abortable) => pick(url).get(url, options, abortable),
    route: (prefix, proxy) => {
      if (proxy === undefined || proxy === 'DIRECT') {
        routes.delete(prefix)
        return
      }
      routes.set(prefix, proxy)
      if (!byProxy.has(proxy)) byProxy.set(proxy, createUpstream({ ...limits, proxy }))
    },
    close: async () => {
      await Promise.all([direct, ...byProxy.values()].map((upstream) => upstream.close()))
    },
  }
}

/** Says by which proxy this archive is reached, by each of its URLs. */
export function routeArchive(
  upstream: Pick<RoutedUpstream, 'route'>,
  { settings }: Pick<Archive, 'settings'>,
): void {
  for (const url of [...settings.urls, ...(settings.fallbacks ?? [])])
    upstream.route(url, settings.proxy)
}
