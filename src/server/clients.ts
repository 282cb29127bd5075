/**
 * Who is served: the networks of the setting `clients`, and always this machine itself, by whatever address.
 */
import { BlockList, isIP, type Socket } from 'node:net'

/** Networks in CIDR form as a list; a single address is a network of one. */
export function clientList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    const family = address.includes(':') ? 'ipv6' : 'ipv4'
    const bits = prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix)
    list.addSubnet(address, bits, family)
  }
  return list
}

/** Whether the other end of the connection is a client, or who it speaks for: see fronts.ts. */
export function isClient(
  list: BlockList,
  socket: Pick<Socket, 'remoteAddress' | 'localAddress'>,
  address: string | undefined = socket.remoteAddress,
): boolean {
  if (address === undefined) return false
  const isOwn = address === socket.remoteAddress && address === socket.localAddress
  return isOwn || isListed(list, address)
}

/**
 * The host of the URL that clients are told, if it is an address outside of all networks that are served: then those
 * beside it are probably refused.
 */
export function unservedHost(networks: readonly string[], publicUrl: string): string | undefined {
  const host = URL.parse(publicUrl)?.hostname.replace(/^\[|\]$/g, '') ?? ''
  return isIP(host) === 0 || isServed(networks, host) ? undefined : host
}

/** Whether a machine of this address is served. */
export function isServed(networks: readonly string[], address: string): boolean {
  return isListed(clientList(networks), address)
}

/** Whether the address is in one of the networks. */
export function isListed(list: BlockList, address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1]
  if (mapped !== undefined) return list.check(mapped, 'ipv4')
  return list.check(address, address.includes(':') ? 'ipv6' : 'ipv4')
}
