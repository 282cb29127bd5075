/**
 * The workers that the settings want: processes that answer hits beside the main one (worker-pool.ts).
 */
import type { Server } from 'node:http'
import { createLog } from '../base/log.ts'
import type { ApiContext } from './api-context.ts'
import { plainClients } from './plain-clients.ts'
import { startWorkers, type WorkerPool } from './worker-pool.ts'

/** Starts them, if any. */
export function openWorkers(
  server: Server,
  { parts, opened, doors }: Pick<ApiContext, 'parts' | 'opened' | 'doors'>,
): WorkerPool | undefined {
  const { workers, logLevel } = parts.config
  if (workers === 0) return undefined
  const isPlain = plainClients(parts.config, doors)
  const log = createLog({ level: logLevel }).child({ part: 'workers' })
  return startWorkers(server, workers, { parts, opened, log, isPlain })
}
