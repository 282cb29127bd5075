/**
 * CONNECT: a machine that uses the proxy for everything sends its https that way, and no cache can see into it. So
 * tunnels lead only to where the setting `tunnel-hosts` says, and by themselves to port 443 of archives that have https.
 *
 * The name is looked up here, and addresses inside of the network are left out, unless the setting names that very host;
 * where an archive is reached by a proxy, it is the proxy that looks it up.
 * Idle tunnels end, old ones too, and there are only so many, for one machine and in all.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type Archive, listArchives } from '../archives/archive-table.ts'
import { offlineError } from '../archives/guarded-upstream.ts'
import { judgeHost, publicLookup } from '../archives/internal-hosts.ts'
import type { Config } from '../base/config.ts'
import { AppError, httpStatus, toAppError } from '../base/errors.ts'
import { tunnelKey } from '../base/host-key.ts'
import { matchesHost, OF_ARCHIVES } from '../base/host-patterns.ts'
import type { Db } from '../store/database.ts'
import { refuseSocket } from './exchange.ts'
import { reach } from './reach.ts'

export interface TunnelLimits {
  /** Until the other end takes the connection; 8 s. */
  readonly connectMs: number
  /** Without a byte in either direction; 2 min. */
  readonly idleMs: number
  /** In all; 6 h. */
  readonly lifeMs: number
  /** 256 at a time, and 32 for one address. */
  readonly most: number
  readonly mostOfOne: number
}

export interface Tunnels {
  /** Takes over the socket of a CONNECT request; `head` came behind it. */
  open(request: IncomingMessage, socket: Socket, head: Buffer): void
  readonly active: number
  /** Ends those that nothing came through for a second. */
  closeIdle(): void
  /** Ends all. */
  close(): void
}

interface Tunnel {
  readonly address: string
  readonly client: Socket
  far: Socket | undefined
  /** `performance.now()` of the last byte. */
  usedAt: number
}

interface State {
  readonly db: Db
  readonly hosts: readonly string[]
  readonly limits: TunnelLimits
  readonly isOffline: boolean
  readonly upstreamProxy: string | undefined
  readonly open: Set<Tunnel>
}

const defaults: TunnelLimits = {
  connectMs: 8_000,
  idleMs: 120_000,
  lifeMs: 6 * 3600_000,
  most: 256,
  mostOfOne: 32,
}

/** Tunnels to where `tunnelHosts` say: patterns of base/host-patterns.ts. */
export function createTunnels(
  db: Db,
  config: Pick<Config, 'tunnelHosts' | 'offline' | 'upstreamProxy'>,
  told: Partial<TunnelLimits> = {},
): Tunnels {
  const { tunnelHosts: hosts, offline: isOffline, upstreamProxy } = config
  const limits = { ...defaults, ...told }
  const state: State = { db, hosts, limits, isOffline, upstreamProxy, open: new Set() }
  return {
    open: (request, socket, head) => {
      // An error of a socket that nobody listens to would end the process.
      socket.on('error', () => socket.destroy())
      const address = socket.remoteAddress ?? ''
      const tunnel = { address, client: socket, far: undefined, usedAt: performance.now() }
      dig(state, tunnel, request.url ?? '', head).catch((error: unknown) => {
        state.open.delete(tunnel)
        refuse(socket, toAppError(error))
      })
    },
    get active() {
      return state.open.size
    },
    closeIdle: () => {
      for (const tunnel of state.open) {
        if (performance.now() - tunnel.usedAt > 1000) end(tunnel)
      }
    },
    close: () => {
      for (const tunnel of state.open) end(tunnel)
    },
  }
}

async function dig(state: State, tunnel: Tunnel, target: string, head: Buffer): Promise<void> {
  const { limits, open } = state
  const { client, address } = tunnel
  const url = /^[^/?#@]+:\d{1,5}$/.test(target) ? URL.parse(`https://${target}`) : null
  if (url === null) throw new AppError('ERR_USAGE', { message: 'that is no host and port' })
  if (state.isOffline) throw offlineError(target)
  refuseMore(state, address)
  open.add(tunnel)
  client.once('close', () => open.delete(tunnel))
  const archive = await archiveOn(state, url)
  if (archive === undefined && !matchesHost(state.hosts, tunnelKey(url))) throw notOpen(target)
  const where = await judgeHost(url, async () => state.hosts.includes(tunnelKey(url)))
  if (client.destroyed) return
  const far = await reach(url, {
    lookup: where === 'public' ? publicLookup : undefined,
    proxy: proxyOf(state, archive),
    withinMs: limits.connectMs,
  })
  tunnel.far = far
  if (client.destroyed) return end(tunnel)
  client.write('HTTP/1.1 200 Connection established\r\n\r\n')
  join(tunnel, far, head, limits)
}

function refuseMore({ limits, open }: State, address: string): void {
  const ofOne = [...open].filter((one) => one.address === address).length
  if (open.size < limits.most && ofOne < limits.mostOfOne) return
  throw new AppError('ERR_NO_SERVER', {
    message: `there are ${ofOne < limits.mostOfOne ? limits.most : limits.mostOfOne} tunnels already`,
    hint: 'ask again when some have ended',
  })
}

/** The archive that has https on this host, and its port 443: where tunnels lead by themselves. */
async function archiveOn({ db, hosts }: State, url: URL): Promise<Archive | undefined> {
  if (!hosts.includes(OF_ARCHIVES) || url.port !== '') return undefined
  return (await listArchives(db)).find(({ settings: { urls, fallbacks = [] } }) =>
    [...urls, ...fallbacks]
      .map((text) => new URL(text))
      .some((one) => one.protocol === 'https:' && tunnelKey(one) === tunnelKey(url)),
  )
}

/** What leads to the archive leads its machines there. */
function proxyOf({ upstreamProxy }: State, archive: Archive | undefined): string | undefined {
  const { proxy = upstreamProxy } = archive?.settings ?? {}
  return proxy === 'DIRECT' ? undefined : proxy
}

function join(tunnel: Tunnel, far: Socket, head: Buffer, limits: TunnelLimits): void {
  const { client } = tunnel
  const stop = (): void => end(tunnel)
  const life = setTimeout(stop, limits.lifeMs)
  const idle = setTimeout(stop, limits.idleMs)
  const use = (): void => {
    tunnel.usedAt = performance.now()
    idle.refresh()
  }
  for (const socket of [client, far]) {
    socket.setTimeout(0)
    socket.on('data', use)
    socket.once('close', () => {
      clearTimeout(life)
      clearTimeout(idle)
      stop()
    })
  }
  if (head.length > 0) far.write(head)
  client.pipe(far)
  far.pipe(client)
}

function end({ client, far }: Tunnel): void {
  client.destroy()
  far?.destroy()
}

function notOpen(target: string): AppError {
  return new AppError('ERR_REFUSED', {
    message: `tunnels are not open here to ${target}`,
    hint: 'give it a direct way: Acquire::https::Proxy "DIRECT"; or let its administrator name it: tunnel-hosts',
  })
}

function refuse(socket: Socket, { code, message, hint }: AppError): void {
  const isTrouble = code.startsWith('ERR_UPSTREAM') && code !== 'ERR_UPSTREAM_REFUSED'
  const text = `sluice: ${message}\n${hint === undefined ? '' : `hint: ${hint}\n`}`
  refuseSocket(socket, isTrouble ? 503 : httpStatus(code), text)
}
