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
import { announce } from './avahi.ts'
import { createFronts, type Fronts } from './fronts.ts'

/** Of the port that speaks http: for this machine, and for clients. */
interface Urls {
  readonly url: string
  readonly publicUrl: string
}

export interface Doors {
  readonly fronts: Fronts
  readonly accessLog: AccessLog | undefined
  /** Takes the server that speaks https, from who makes both, if one is wanted. */
  takeSecure(make: (options: SecureContextOptions) => Server): void
  /**
   * Listens for https, where that is wanted, and resolves with what clients call that. Tells the local network of the
   * server, where that is wanted: of what machines call it, if a web server is in front.
   */
  listen(urls: Urls): Promise<string | undefined>
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

type Named = 'front' | 'accessLog' | 'tls' | 'logLevel' | 'avahi'
type Tls = NonNullable<Config['tls']>

/** Reads and opens what the settings name; `ERR_CONFIG` for what cannot be. */
export async function openDoors({
  front,
  accessLog: path,
  tls,
  logLevel,
  avahi,
}: Pick<Config, Named>): Promise<Doors> {
  const log = createLog({ level: logLevel }).child({ part: 'doors' })
  const credentials = tls && (await readCredentials(tls))
  const accessLog = path === undefined ? undefined : await openAccessLog(path, log)
  let secure: Server | undefined
  let secureUrl: string | undefined
  let hush = async (): Promise<void> => undefined
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
    listen: async ({ url, publicUrl }) => {
      if (avahi !== undefined) {
        hush = await announce(avahi, portOf(front.length > 0 ? publicUrl : url), log)
      }
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
      await hush()
      const server = secure
      if (server?.listening === true) {
        await new Promise<void>((resolve) => server.close(() => resolve()))
      }
    },
    finish: async () => accessLog?.close(),
  }
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url)
  return Number(port === '' ? (protocol === 'https:' ? 443 : 80) : port)
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
