/**
 * Taking the port: on all addresses of the machine, of IPv4 and IPv6, unless told another.
 */
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import type { FastifyInstance } from 'fastify'
import type { Config } from '../base/config.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { findPortHolder } from './port-holder.ts'

/** Listens, and tells under which URLs: for commands on this machine, and for clients. `ERR_PORT_TAKEN` if it cannot. */
export async function listen(
  app: FastifyInstance,
  config: Config,
): Promise<{ url: string; publicUrl: string }> {
  const { port } = config.listen
  const host = hostOf(config)
  try {
    await app.listen({ host, port })
  } catch (error) {
    if (systemCode(error) !== 'EADDRINUSE') throw error
    const holder = await findPortHolder(port)
    throw new AppError('ERR_PORT_TAKEN', {
      message: `${bracketed(host)}:${port} is taken${holder === undefined ? '' : ` by ${holder}`}`,
      hint: `stop it, or: npm start -- --listen ${bracketed(host)}:${port + 1}`,
      cause: error,
    })
  }
  const address = app.server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  const isAny = host === '0.0.0.0' || host === '::'
  const named = (name: string): string => `http://${bracketed(name)}:${bound}`
  return {
    url: named(isAny ? '127.0.0.1' : host),
    publicUrl: config.publicUrl ?? named(isAny ? ownAddress() : host),
  }
}

/** A kernel may have no IPv6 at all: then `::` cannot be listened on. */
function hostOf({ listen: { host } }: Config): string {
  const hasIpv6 = addresses().some(({ family }) => family === 'IPv6')
  return host === '::' && !hasIpv6 ? '0.0.0.0' : host
}

/** Addresses of IPv6 by which others can reach this server, where it listens on all. */
export function outerIpv6(config: Config): string[] {
  if (hostOf(config) !== '::') return []
  return addresses()
    .filter((one) => one.family === 'IPv6' && !one.internal && !/^fe80:/i.test(one.address))
    .map(({ address }) => address)
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** The first address of this machine that others can reach: of IPv4, if it has one. */
function ownAddress(): string {
  const outer = addresses().filter(({ internal, address }) => !internal && !/^fe80:/i.test(address))
  const best = outer.find(({ family }) => family === 'IPv4') ?? outer[0]
  return best?.address ?? '127.0.0.1'
}

function addresses(): NetworkInterfaceInfo[] {
  return Object.values(networkInterfaces()).flatMap((some) => some ?? [])
}
