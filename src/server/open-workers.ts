/**
 * Which connections workers may have: those of plain clients. Who is none, or speaks for others (fronts.ts), is answered by the
 * main process, and so is everybody where there is an access log, which that process alone writes.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { createLog } from '../base/log.ts'
import type { ApiContext } from './api-context.ts'
import { clientList, isClient } from './clients.ts'
import { startWorkers, type WorkerPool } from './worker-pool.ts'

/** Starts the workers that the settings want, if any. */
export function openWorkers(
  server: Server,
  { parts, doors }: Pick<ApiContext, 'parts' | 'doors'>,
): WorkerPool | undefined {
  const { clients, workers, logLevel } = parts.config
  if (workers === 0) return undefined
  const list = clientList(clients)
  const isPlain = (socket: Socket): boolean =>
    doors.accessLog === undefined &&
    !doors.fronts.isBy({ socket, headers: {} }) &&
    isClient(list, socket)
  const log = createLog({ level: logLevel }).child({ part: 'workers' })
  return startWorkers(server, workers, { parts, log, isPlain })
}
