/**
 * What is told at the start where machines beside this one would be refused: its own address is in no network that is
 * served.
 */
import type { Config } from '../base/config.ts'
import { isServed, unservedHost } from './clients.ts'
import { outerIpv6 } from './listen.ts'
import type { StartEvent } from './start-event.ts'

/** The warning, where there is one. */
export function tellUnserved(
  config: Config,
  publicUrl: string,
  onEvent: (event: StartEvent) => void,
): void {
  const told = unservedHost(config.clients, publicUrl)
  // Machines that find it in the DNS with both would be refused by the one that they prefer.
  const others = outerIpv6(config).filter((address) => !isServed(config.clients, address))
  const hosts = [...new Set([...(told === undefined ? [] : [told]), ...others.slice(0, 1)])]
  if (hosts.length === 0) return
  const networks = hosts.map((host) =>
    host.includes(':') ? `${host}/64` : host.replace(/\d+$/, '0/24'),
  )
  const [are, addresses] = hosts.length === 1 ? ['is', 'address'] : ['are', 'addresses']
  onEvent({
    kind: 'warning',
    message: `${hosts.join(' and ')}, this machine's ${addresses}, ${are} in no network that is served: the machines beside it are refused`,
    hint: `name their network: --clients ${['private', ...networks].join(',')}`,
  })
}
