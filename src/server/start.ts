/**
 * A server from its settings to its end: open the data directory, take the port, import at the first start, serve, and
 * stop gracefully.
 *
 * The port is taken before long work begins, so that a busy one is told at once; what is not there yet answers 503 or
 * 404 until it is.
 */
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { join, resolve } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { listArchives, listSuites } from '../archives/archive-table.ts'
import type { Abortable } from '../base/abortable.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import type { Config } from '../base/config.ts'
import { makeDataDir, refuseHalfRestored } from '../base/data-dir.ts'
import { createLog, type Log } from '../base/log.ts'
import { version } from '../base/version.ts'
import { isClass, listChannels } from '../channels/channel-table.ts'
import { resignBelowFloor } from '../channels/re-sign.ts'
import { finishRevocations } from '../channels/revoke.ts'
import { liveKeys } from '../signing/publication-key-table.ts'
import { listPublications } from '../signing/publication-table.ts'
import { buildApi } from './api.ts'
import type { ApiContext } from './api-context.ts'
import { tellKeyEnds } from './archive-keys.ts'
import { countPackages } from './channel-summary.ts'
import type { ClientSetup } from './client-script.ts'
import { type Doors, openDoors } from './doors.ts'
import { countSending } from './hit-front.ts'
import { beginImport } from './import-record.ts'
import { finishImport, importSources } from './import-sources.ts'
import { type Jobs, startJobs } from './jobs.ts'
import { listen } from './listen.ts'
import { openWorkers } from './open-workers.ts'
import { openParts, type Patience, type ServerParts } from './parts.ts'
import { allSetups } from './setups.ts'
import type { StartEvent } from './start-event.ts'
import { ensureAdminToken } from './tokens.ts'
import { tellUnserved } from './unserved.ts'

const offline = {
  message: 'this server is offline: nothing is looked up, refreshed, fetched, tunneled or sent',
  hint: 'what is here is served; for the rest start it without --offline (setting: offline)',
} as const
/** A server that was just started looks upstream soon, but not at once: it may be one of many restarts. */
const FIRST_ROUND_MS = 60_000

export interface StartOptions extends Abortable {
  readonly onEvent?: ((event: StartEvent) => void) | undefined
  /** The machine's, unless told. */
  readonly clock?: Clock | undefined
  /** Where the defaults do not fit. */
  readonly patience?: Patience | undefined
}

export interface RunningServer {
  /** For commands on this machine. */
  readonly url: string
  /** What clients use. */
  readonly publicUrl: string
  readonly dataDir: string
  readonly isFirstStart: boolean
  /** Downloads under way: from upstream, or to a machine. */
  readonly active: number
  /** The processes that answer hits beside this one. */
  workers(): readonly number[]
  /** What to put on machines, for each channel that serves something. */
  setups(): Promise<ClientSetup[]>
  /** The same by https, where that is wanted. */
  readonly secureUrl: string | undefined
  /** Reads certificates anew, and opens the access log anew; `ERR_CONFIG` if those for upstream cannot be read. */
  reload(): Promise<void>
  /** Takes no new connections, lets downloads end for 10 s, then ends all. */
  close(): Promise<void>
}

/** Starts a server; `ERR_PORT_TAKEN`, `ERR_DATA_LOCKED`, `ERR_STORE` say why it could not. */
export async function startServer(
  config: Config,
  options: StartOptions = {},
): Promise<RunningServer> {
  const startedAt = performance.now()
  const onEvent = options.onEvent ?? (() => undefined)
  const isNew = !existsSync(join(config.dataDir, 'sluice.db'))
  refuseHalfRestored(config.dataDir)
  await makeDataDir(config.dataDir)
  const record = await beginImport(config)
  const isImporting = record?.isDone === false
  // One whose import did not come to its end (a taken port, Ctrl-C) is a first start again.
  const isFirstStart = isNew || isImporting
  const parts = await openParts(config, options.clock ?? systemClock, options.patience)
  let app: FastifyInstance | undefined
  let doors: Doors | undefined
  try {
    await tellOpened(parts, isFirstStart, onEvent)
    await tellToken(parts, onEvent)
    const oldFiles = [...(record?.files ?? [])]
    const urls = { url: '', publicUrl: '' }
    let jobs: Jobs | undefined
    doors = await openDoors(config)
    const opened = Promise.withResolvers<void>()
    const context: ApiContext = {
      parts,
      jobs: () => jobs,
      startedAt: parts.clock.now(),
      url: () => urls.url,
      publicUrl: () => urls.publicUrl,
      oldFiles,
      opened: opened.promise,
      doors,
    }
    app = buildApi(context)
    Object.assign(urls, await listen(app, config))
    const secureUrl = await doors.listen(urls)
    parts.address.told = urls.publicUrl
    const log = createLog({ level: config.logLevel }).child({ part: 'jobs' })
    await signRestored(parts, log, opened)
    await tellWhere(config, urls.url)
    // Offline, it is a first start again at the next one.
    if (isImporting && !config.offline) {
      oldFiles.splice(0, oldFiles.length, ...(await importSources(parts, onEvent, options.signal)))
    }
    await tellChannels(parts, onEvent)
    jobs = startJobs(parts, log, {
      // What an import could not reach is looked for soon.
      firstInMs:
        isImporting && (await isImported(parts)) ? config.refreshMinutes * 60_000 : FIRST_ROUND_MS,
      afterRound: (signal) => finishImport(parts, signal),
    })
    const clients = config.clients.length > 1 ? 'private networks' : (config.clients[0] ?? 'nobody')
    tellUnserved(config, urls.publicUrl, onEvent)
    await tellKeyEnds(parts, onEvent)
    onEvent({
      kind: 'ready',
      ...urls,
      secureUrl,
      afterMs: performance.now() - startedAt,
      clients,
      nextRefreshAt: jobs.nextRefreshAt,
    })
    if (config.offline) onEvent({ kind: 'warning', ...offline })
    parts.rescue.start()
    return running({ parts, app, jobs, context, isFirstStart })
  } catch (error) {
    await takeDown(parts, app, doors)
    throw error
  }
}

async function takeDown(
  parts: ServerParts,
  app: FastifyInstance | undefined,
  doors: Doors | undefined,
): Promise<void> {
  await app?.close()
  await doors?.close()
  await doors?.finish()
  await parts.close()
  await rm(join(parts.config.dataDir, 'server.json'), { force: true })
}

async function tellOpened(
  { db, config }: ServerParts,
  isNew: boolean,
  onEvent: (event: StartEvent) => void,
): Promise<void> {
  const { dataDir } = config
  const archives = (await listArchives(db)).length
  const channels = (await listChannels(db)).filter((one) => !isClass(one)).length
  const { node } = process.versions
  onEvent({ kind: 'opened', version, dataDir, isNew, node, archives, channels })
}

/** What clients may have seen newer is signed before it is served, and what was being revoked is out of it. */
async function signRestored(
  parts: ServerParts,
  log: Log,
  opened: PromiseWithResolvers<void>,
): Promise<void> {
  // Nobody may be waiting.
  opened.promise.catch(() => undefined)
  try {
    for (const { name } of await listChannels(parts.db)) await resignBelowFloor(parts, name)
    await finishRevocations(parts, log)
    opened.resolve()
  } catch (error) {
    opened.reject(error)
    throw error
  }
}

/** For commands on this machine. */
async function tellWhere({ dataDir }: Config, url: string): Promise<void> {
  await writeFile(join(dataDir, 'server.json'), `${JSON.stringify({ url, pid: process.pid })}\n`)
}

/** Whether every suite of every archive is here. */
async function isImported(parts: ServerParts): Promise<boolean> {
  for (const archive of await listArchives(parts.db)) {
    const suites = await listSuites(parts.db, archive)
    if (suites.some((suite) => suite.state === undefined)) return false
  }
  return true
}

interface Started {
  readonly parts: ServerParts
  readonly app: FastifyInstance
  readonly jobs: Jobs
  readonly context: ApiContext
  readonly isFirstStart: boolean
}

function running({ parts, app, jobs, context, isFirstStart }: Started): RunningServer {
  let closing: Promise<void> | undefined
  const countAnswers = answerCounter(app.server)
  const workers = openWorkers(app.server, context)
  const close = async (): Promise<void> => {
    const drained = new AbortController()
    const timer = setTimeout(() => drained.abort(), parts.drainMs)
    drained.signal.addEventListener('abort', () => {
      app.server.closeAllConnections()
      context.doors.closeAll()
      parts.tunnels.close()
    })
    await jobs.stop()
    const closed = Promise.all([app.close(), context.doors.close()])
    // A machine keeps its connection after its download: it would hold us until the time is over.
    const sweeping = setInterval(() => {
      app.server.closeIdleConnections()
      context.doors.closeIdle()
      parts.tunnels.closeIdle()
    }, 50)
    await workers?.close(drained.signal)
    await closed
    clearInterval(sweeping)
    await context.doors.finish()
    await parts.close(drained)
    clearTimeout(timer)
    await rm(join(parts.config.dataDir, 'server.json'), { force: true })
  }
  return {
    url: context.url(),
    publicUrl: context.publicUrl(),
    dataDir: parts.config.dataDir,
    isFirstStart,
    get active() {
      const sending = countAnswers() + countSending(app.server) + parts.tunnels.active
      return Math.max(parts.downloads.active, sending)
    },
    workers: () => workers?.pids ?? [],
    setups: () => allSetups(context),
    secureUrl: context.doors.secureUrl,
    reload: async () => {
      await context.doors.reload()
      await parts.upstream.renewTls()
    },
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

/** Counts the answers that are being sent. */
function answerCounter(server: Server): () => number {
  let count = 0
  server.on('request', (_request, response) => {
    // Sent already, out of memory.
    if (response.writableEnded && response.writableLength === 0) return
    count++
    response.once('close', () => count--)
  })
  return () => count
}

async function tellToken(parts: ServerParts, onEvent: (event: StartEvent) => void): Promise<void> {
  const path = resolve(parts.config.dataDir, 'token')
  if (await ensureAdminToken(parts.db, path, parts.clock.now())) onEvent({ kind: 'token', path })
}

async function tellChannels(
  parts: ServerParts,
  onEvent: (event: StartEvent) => void,
): Promise<void> {
  const path = join(parts.config.dataDir, 'keys')
  for (const { id, name } of await listPublications(parts.db)) {
    for (const { fingerprint, source } of await liveKeys(parts.db, id)) {
      if (source === 'file') onEvent({ kind: 'key', publication: name, fingerprint, path })
    }
  }
  for (const { name, kind, follows, head } of await listChannels(parts.db)) {
    if (isClass({ kind })) continue
    const packages = await countPackages(parts, parts.views.head(name))
    onEvent({ kind: 'channel', name, serial: head, packages, channelKind: kind, follows })
  }
}
