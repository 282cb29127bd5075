/**
 * The route of backups: the server writes them itself, while it works, to a directory of its own machine. One at a time.
 * Only for who is on that machine: a token says who may change channels, not where files are written there.
 */
import { isAbsolute, normalize } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { AppError } from '../base/errors.ts'
import { createMutex } from '../base/mutex.ts'
import { type ApiContext, isOnThisMachine, whoAsks } from './api-context.ts'
import { backUp } from './backup.ts'
import { replyWithTask } from './task.ts'

interface BackupBody {
  readonly dir: string
  readonly passphrase?: string
  readonly files?: boolean
  readonly keep?: number
}

/** Backups that stay in a directory if nothing is said. */
const KEEP = 3

const backupSchema = {
  body: {
    type: 'object',
    required: ['dir'],
    properties: {
      dir: { type: 'string', minLength: 1, maxLength: 4096 },
      passphrase: { type: 'string', minLength: 1, maxLength: 10_000 },
      files: { type: 'boolean' },
      keep: { type: 'integer', minimum: 1, maximum: 1000 },
    },
    additionalProperties: false,
  },
}

/** Adds the route to the API. */
export function backupRoutes(api: FastifyInstance, { parts }: ApiContext): void {
  const oneAtATime = createMutex()
  const { db, clock, leases } = parts
  const source = { db, clock, dataDir: parts.config.dataDir, hold: () => leases.hold() }
  api.post<{ Body: BackupBody }>('/backup', { schema: backupSchema }, async (request, reply) => {
    if (!isOnThisMachine(request)) throw fromElsewhere()
    const { dir, passphrase, files = true, keep = KEEP } = request.body
    if (!isAbsolute(dir)) {
      throw new AppError('ERR_USAGE', {
        message: `${dir} is no whole path`,
        hint: "the server's directory is another one: say it from the root on",
      })
    }
    const input = { dir: normalize(dir), passphrase, withFiles: files, keep, who: whoAsks(request) }
    return replyWithTask(request, reply, (onEvent, signal) =>
      oneAtATime(() => backUp(source, { ...input, onEvent }, { signal })),
    )
  })
}

function fromElsewhere(): AppError {
  return new AppError('ERR_REFUSED', {
    message: 'a backup is made by a command on the machine of the server, whose files it writes',
    hint: 'there: sluice backup DIR',
  })
}
