/**
 * Which connections are those of plain clients, whose hits need no http server: see hit-connection.ts. Who is no client, or speaks
 * for others (fronts.ts), has none, and nobody has where there is an access log, which sees requests and responses of Node.
 */
import type { Socket } from 'node:net'
import type { Config } from '../base/config.ts'
import { clientList, isClient } from './clients.ts'
import type { Doors } from './doors.ts'

/** Tells it of a connection. */
export function plainClients(
  { clients }: Pick<Config, 'clients'>,
  { accessLog, fronts }: Pick<Doors, 'accessLog' | 'fronts'>,
): (socket: Socket) => boolean {
  const list = clientList(clients)
  return (socket) =>
    accessLog === undefined && !fronts.isBy({ socket, headers: {} }) && isClient(list, socket)
}
