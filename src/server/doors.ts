/**
 * What stands at the door of the server, beside the port itself: https, who is believed to speak for others, and the
 * access log. Certificate and log are taken anew at a SIGHUP.
 */
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { Config } from '../base/config.ts'
import { AppError, systemCode } from '../base/errors.ts'
import { createLog } from '../base/log.ts'
import { type AccessLog, openAccessLog } from './access-log.ts'
import { createFronts, type Fronts } from './fronts.ts'

export interface Doors {
  readonly fronts: Fronts
  readonly accessLog: AccessLog | undefined
  /** Takes the server that speaks https, from who makes both, if one is wanted. */
  takeSecure(make: (options: SecureContextOptions) => Server): void
  /** Listens for https, where that is wanted, and tells what clients call that; `publicUrl` is what they call this server. */
  listen(publicUrl: string): Promise<string | undefined>
  /** What `listen` told. */
  readonly secureUrl: string | undefined
  /** Reads certificate and key anew, and opens the log anew; what is wrong is logged, and the old ones go on. */
  reload(): Promise<void>
  /** Ends connections for https that nothing is asked by; all of them. */
  closeIdle(): void
  closeAll(): void
  /** Takes no new connections; resolves when the last has ended. */
  close(): Promise<void>
  /** Writes the last lines. */
  finish(): Promise<void>
}

type Named = 'front' | 'accessLog' | 'tls' | 'logLevel'
type Tls = NonNullable<Config['tls']>

/** Reads and opens what the settings name; `ERR_CONFIG` for what cannot be. */
export async function openDoors({
  front,
  accessLog: path,
  tls,
  logLevel,
}: Pick<Config, Named>): Promise<Doors> {
  const log = createLog({ level: logLevel }).child({ part: 'doors' })
  const credentials = tls && (await readCredentials(tls))
  const accessLog = path === undefined ? undefined : await openAccessLog(path, log)
  let secure: Server | undefined
  let secureUrl: string | undefined
  const readAnew = async (told: Tls): Promise<void> => {
    try {
      secure?.setSecureContext(await readCredentials(told))
    } catch (error) {
      log.error({ err: error }, 'certificate not read anew')
    }
  }
  return {
    fronts: createFronts(front),
    accessLog,
    takeSecure: (make) => {
      if (credentials !== undefined) secure = make(credentials)
    },
    get secureUrl() {
      return secureUrl
    },
    listen: async (publicUrl) => {
      if (secure === undefined || tls === undefined) return undefined
      const port = await listenOn(secure, tls)
      secureUrl = `https://${new URL(publicUrl).hostname}:${port}`
      return secureUrl
    },
    reload: async () => {
      await accessLog?.reopen()
      if (tls !== undefined) await readAnew(tls)
    },
    closeIdle: () => secure?.closeIdleConnections(),
    closeAll: () => secure?.closeAllConnections(),
    close: async () => {
      const server = secure
      if (server?.listening === true) {
        await new Promise<void>((resolve) => server.close(() => resolve()))
      }
    },
    finish: async () => accessLog?.close(),
  }
}

async function readCredentials({ cert, key }: Tls): Promise<SecureContextOptions> {
  const options = { cert: await readPem('tls-cert', cert), key: await readPem('tls-key', key) }
  try {
    createSecureContext(options)
    return options
  } catch (error) {
    const problem = `${cert} and ${key} are no certificate and its key (PEM)`
    throw wrong('tls-cert', problem, error)
  }
}

async function readPem(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw wrong(setting, `${path} cannot be read: ${systemCode(error) ?? String(error)}`, error)
  }
}

function listenOn(server: Server, { listen }: Tls): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.once('error', (error) => {
    const problem = `${listen.host}:${listen.port}: ${systemCode(error) ?? error.message}`
    reject(wrong('tls-listen', problem, error))
  })
  server.listen(listen, () => {
    const address: AddressInfo | string | null = server.address()
    resolve(typeof address === 'object' && address !== null ? address.port : listen.port)
  })
  return promise
}

function wrong(setting: string, problem: string, cause: unknown): AppError {
  return new AppError('ERR_CONFIG', { message: `wrong settings: ${setting}: ${problem}`, cause })
}
