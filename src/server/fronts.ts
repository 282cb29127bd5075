/**
 * Web servers in front of this one, which an administrator names by their addresses (setting `front`): of their requests the
 * client is who X-Forwarded-For says, as far as fronts wrote it, and they may be told to send a file of ours themselves.
 *
 * Whatever another connection says in that header is not looked at: anybody could write it.
 */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { clientList, isListed } from './clients.ts'

/** What is read of a request to know who asks. */
export type Asking = Pick<IncomingMessage, 'socket' | 'headers'>

export interface Fronts {
  /** Whether the request came by a front. */
  isBy(request: Asking): boolean
  /**
   * The address of the client: the last one in X-Forwarded-For that is no front's, where a front asks, else that of the
   * connection. Undefined if a front says no address.
   */
  clientOf(request: Asking): string | undefined
}

/** Fronts at these networks. */
export function createFronts(networks: readonly string[]): Fronts {
  if (networks.length === 0) {
    return { isBy: () => false, clientOf: ({ socket }) => socket.remoteAddress }
  }
  const list = clientList(networks)
  const isFront = (address: string | undefined): boolean =>
    address !== undefined && isListed(list, address)
  return {
    isBy: ({ socket }) => isFront(socket.remoteAddress),
    clientOf: ({ socket, headers }) => {
      const { remoteAddress } = socket
      const told = headers['x-forwarded-for']
      if (told === undefined || !isFront(remoteAddress)) return remoteAddress
      const chain = [told].flat().join(',').split(',')
      let client: string | undefined
      for (const one of chain.map((text) => text.trim()).reverse()) {
        client = isIP(one) === 0 ? undefined : one
        if (!isFront(client)) break
      }
      return client
    },
  }
}
