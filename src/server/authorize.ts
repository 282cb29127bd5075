/**
 * Who may ask the API for what: whoever has a token, from this machine unless the settings say more (`api-remote`). Uploads are
 * taken from all machines that are served, and a token may be good for uploads to some archives alone.
 */
import type { FastifyRequest } from 'fastify'
import { AppError } from '../base/errors.ts'
import { type ApiContext, noteWhoAsks } from './api-context.ts'
import { clientList, isClient } from './clients.ts'
import { findToken, type Token } from './tokens.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** An upload to the archive `:name`. */
    isUpload?: boolean
  }
}

type Guard = (request: FastifyRequest) => Promise<void>

const loopback = ['127.0.0.1', '::1', '::ffff:127.0.0.1']

/** Looks at each request before it is answered. */
export function createGuard({ parts, doors }: ApiContext): Guard {
  const clients = clientList(parts.config.clients)
  return async (request) => {
    const { config } = request.routeOptions
    const address = doors.fronts.clientOf(request.raw)
    const isServed = config.isUpload === true && isClient(clients, request.raw.socket, address)
    if (!loopback.includes(address ?? '') && !parts.config.apiRemote && !isServed) {
      throw new AppError('ERR_REFUSED', {
        message: 'the API answers this machine only',
        hint: 'run the command on the server, or set api-remote = true and put TLS in front',
      })
    }
    const token = await findToken(parts.db, request.headers.authorization)
    if (token === undefined) {
      throw new AppError('ERR_UNAUTHORIZED', {
        message: 'this needs a token of the server, and the one given is none',
        hint: 'SLUICE_TOKEN, or run the command where the data directory is',
      })
    }
    const archive: unknown = config.isUpload ? Reflect.get(request.params ?? {}, 'name') : undefined
    checkScope(token, typeof archive === 'string' ? archive : undefined)
    noteWhoAsks(request, token)
  }
}

/** Refuses a token for uploads elsewhere; `archive` is undefined for what is no upload. */
export function checkScope({ name, uploads }: Token, archive: string | undefined): void {
  if (uploads === undefined || (archive !== undefined && uploads.includes(archive))) return
  throw new AppError('ERR_REFUSED', {
    message: `the token ${name} is for uploads to ${uploads.join(', ')} alone`,
    hint: 'use another one: sluice token list tells what they are for',
  })
}
