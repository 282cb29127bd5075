/**
 * One upstream client for all archives, each by the proxy that its settings name; it counts how each host does.
 */
import { systemClock } from '../base/clock.ts'
import type { Archive } from './archive-table.ts'
import { createUpstream, type Upstream, type UpstreamOptions } from './upstream.ts'
import { createUpstreamHealth, type UpstreamHealth } from './upstream-health.ts'

/** How patient the clients are. */
export type UpstreamLimits = Omit<UpstreamOptions, 'proxy' | 'auth' | 'mayBeInternal' | 'tls'>

/** All that the clients are given; `proxy` leads to what no route names one for. */
export interface RoutedOptions extends Omit<UpstreamOptions, 'auth'> {
  readonly health?: UpstreamHealth | undefined
}

export interface RoutedUpstream extends Upstream {
  /** Says from now on which proxy leads to URLs that begin with `prefix`, or `DIRECT`; undefined is the general way. */
  route(prefix: string, proxy: string | undefined): void
  readonly health: UpstreamHealth
  /** Reads the files of authorities and certificates anew. */
  renewTls(): Promise<void>
}

const DIRECT = 'DIRECT'

/** A client that goes the general way until routes are told. */
export function createRoutedUpstream(options: RoutedOptions = {}): RoutedUpstream {
  const { proxy: general = DIRECT, health = createUpstreamHealth(systemClock), ...limits } = options
  const byProxy = new Map<string, Upstream>()
  const routes = new Map<string, string>()
  const client = (proxy: string): Upstream => {
    const known = byProxy.get(proxy)
    if (known !== undefined) return known
    const made = createUpstream({ ...limits, proxy })
    byProxy.set(proxy, made)
    return made
  }
  const others = client(general)
  const pick = (url: string): Upstream => {
    for (const [prefix, proxy] of routes) if (url.startsWith(prefix)) return client(proxy)
    return others
  }
  return {
    health,
    renewTls: async () => limits.tls?.renew(),
    get: (url, get, abortable) => health.watch(url, () => pick(url).get(url, get, abortable)),
    blame: health.blame,
    route: (prefix, proxy) => {
      if (proxy === undefined || proxy === general) {
        routes.delete(prefix)
        return
      }
      // Told here if it is none, not at the next request.
      client(proxy)
      routes.set(prefix, proxy)
    },
    close: async () => {
      await Promise.all([...byProxy.values()].map((upstream) => upstream.close()))
    },
  }
}

/** Says by which proxy this archive is reached, by each of its URLs, and that they are its own. */
export function routeArchive(
  upstream: Pick<RoutedUpstream, 'route' | 'health'>,
  { name, settings }: Pick<Archive, 'name' | 'settings'>,
): void {
  for (const url of [...settings.urls, ...(settings.fallbacks ?? [])]) {
    upstream.route(url, settings.proxy)
    upstream.health.name(url, name)
  }
}
