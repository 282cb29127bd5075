/**
 * Which IP addresses are of the internet at large (IANA's special-purpose registries, RFC 6890): not this machine, not
 * the networks around it, not what a cloud tells its machines at a link-local address. An IPv4 address within an IPv6
 * one (mapped, NAT64, 6to4) is what it leads to.
 */
import { BlockList, isIP } from 'node:net'

const special4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

const special6: readonly (readonly [string, number])[] = [
  // Unspecified, loopback, and IPv4 written in the oldest way.
  ['::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
]

const special = makeList()

/** Whether the address is of the internet at large; false for what is no address. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 0) return false
  return !special.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function makeList(): BlockList {
  const list = new BlockList()
  for (const [network, bits] of special6) list.addSubnet(network, bits, 'ipv6')
  for (const [network, bits] of special4) {
    list.addSubnet(network, bits, 'ipv4')
    const [a = 0, b = 0, c = 0, d = 0] = network.split('.').map(Number)
    const hex = [a * 256 + b, c * 256 + d].map((word) => word.toString(16)).join(':')
    list.addSubnet(`::ffff:${hex}`, 96 + bits, 'ipv6')
    list.addSubnet(`64:ff9b::${hex}`, 96 + bits, 'ipv6')
    list.addSubnet(`2002:${hex}::`, 16 + bits, 'ipv6')
  }
  return list
}
