/**
 * Builds what the server works with, from the data directory up, and takes it down in reverse order. Layout of the
 * directory: sluice.db, blobs/, tmp/, keys/, token, lock, server.json, sluice.toml.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchiveParts } from '../archives/archive-parts.ts'
import { listArchives } from '../archives/archive-table.ts'
import { createBell } from '../archives/bell.ts'
import { type Changelogs, createChangelogs } from '../archives/changelogs.ts'
import { openChunkCache } from '../archives/chunk-cache.ts'
import { createDownloads } from '../archives/download.ts'
import { type Guarded, guardUpstream } from '../archives/guarded-upstream.ts'
import { createTreeReader } from '../archives/index-tree.ts'
import { openRevocations } from '../archives/revocations.ts'
import {
  createRoutedUpstream,
  type RoutedUpstream,
  routeArchive,
  type UpstreamLimits,
} from '../archives/routed-upstream.ts'
import type { UploadParts } from '../archives/take-deb.ts'
import { createUploadQueue } from '../archives/upload-queue.ts'
import { createUpstreamHealth } from '../archives/upstream-health.ts'
import { readUpstreamTls } from '../archives/upstream-tls.ts'
import type { Abortable } from '../base/abortable.ts'
import type { Clock } from '../base/clock.ts'
import type { Config } from '../base/config.ts'
import { createLeases, leased } from '../base/leases.ts'
import { createLog, type Log } from '../base/log.ts'
import { createLru, type Lru } from '../base/lru.ts'
import { createMutexes } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { createDerivationQueue, type DerivationQueue } from '../channels/derivation-queue.ts'
import { createFileLedger } from '../channels/file-ledger.ts'
import { scratchFiles } from '../channels/index-forms.ts'
import { createKeyringWork } from '../channels/keyring-work.ts'
import { createPdiffMaker } from '../channels/pdiffs.ts'
import { openViews } from '../channels/views.ts'
import { type ChangelogReader, createChangelogReader } from '../desk/changelogs.ts'
import { createDebComparisons, type DebComparisons } from '../desk/compare-debs.ts'
import { createNeedsFinder, type NeedsFinder } from '../desk/needs.ts'
import { createGate } from '../gate/gate.ts'
import { createRescue, type Rescue } from '../keeping/rescue.ts'
import { type ArchiveProxy, createProxy } from '../proxy/resolve.ts'
import { findJudges } from '../signing/judges.ts'
import { takeOverKeys } from '../signing/sign-release.ts'
import { openSigner, type Signer } from '../signing/signer.ts'
import { type BlobStore, openBlobStore } from '../store/blobs.ts'
import { closeDatabase, openDatabase } from '../store/database.ts'
import { createHotBlobs, type HotBlobs } from '../store/hot-blobs.ts'
import { lockDataDir } from '../store/lock.ts'
import { openPartFiles } from '../store/part-files.ts'
import { type ClientLog, createClientLog } from './client-log.ts'
import { createFileProblems, type FileProblems } from './file-problems.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { migrations } from './migrations.ts'
import { createReadBuffers, type ReadBuffers } from './read-buffers.ts'
import { createReadyAnswers, type ReadyAnswers } from './ready-answers.ts'
import { createRefreshBehind, type RefreshBehind } from './refresh-behind.ts'
import { createSecondLooks, type SecondLooks } from './second-looks.ts'
import { createTraffic, type Traffic } from './traffic.ts'
import { createTunnels, type TunnelLimits, type Tunnels } from './tunnels.ts'
import { namedHosts, openUnknown, type UnknownParts } from './unknown.ts'
import { createUploadFollow, type UploadFollow } from './upload-follow.ts'

/** So many changes of plans are remembered, some 150 bytes each. */
const PLANNED_CHANGES = 20_000
/** apt waits 30 s for an answer; what is found out before one is waited for takes its time, too. */
const ANSWER_MS = 18_000
const HEADERS_MS = 20_000
const DRAIN_MS = 10_000

/** How long to wait for upstream, and to let clients wait. */
export interface Patience extends UpstreamLimits {
  /** Until a client that has got nothing is told to ask again; 18 s. */
  readonly answerWithinMs?: number | undefined
  /** Until a client has sent the head of a request; 20 s. */
  readonly headersWithinMs?: number | undefined
  readonly tunnels?: Partial<TunnelLimits> | undefined
  /** For so long a server that is closed lets downloads end; 10 s. */
  readonly drainMs?: number | undefined
  /** Until a mail server or webhook is given up for now. */
  readonly deliverWithinMs?: number | undefined
}

/** Sources that one channel has differently than another, and how many of them for security. */
export interface Waiting {
  readonly sources: number
  readonly security: number
}

export interface ServerParts extends ChannelParts, UploadParts, UnknownParts {
  readonly upstream: RoutedUpstream & Guarded
  readonly derivation: DerivationQueue
  readonly proxy: ArchiveProxy
  readonly tunnels: Tunnels
  readonly changelogs: Changelogs
  readonly changelogReader: ChangelogReader
  readonly needs: NeedsFinder
  readonly comparisons: DebComparisons
  readonly clientLog: ClientLog
  readonly rescue: Rescue
  readonly metrics: Metrics
  readonly traffic: Traffic
  readonly fileProblems: FileProblems
  readonly refreshBehind: RefreshBehind
  readonly uploadFollow: UploadFollow
  readonly answerWithinMs: number
  readonly headersWithinMs: number
  readonly drainMs: number
  readonly deliverWithinMs: number | undefined
  readonly config: Config
  /** `told` is set when the port is taken. */
  readonly address: { readonly configured: string | undefined; told: string }
  /** How much waits between two generations, where that was counted: see api-channels.ts. */
  readonly waiting: Lru<string, Waiting>
  readonly hot: HotBlobs
  readonly secondLooks: SecondLooks
  readonly ready: ReadyAnswers
  readonly buffers: ReadBuffers
  /** Takes all down; running downloads are let end until the signal, or ended at once without one. */
  close(abortable?: Abortable): Promise<void>
}

/** What is remembered of answers, to be told sooner or compared with. */
function createMemories(
  blobs: BlobStore,
): Pick<ServerParts, 'plans' | 'waiting' | 'hot' | 'ready' | 'buffers'> {
  const hot = createHotBlobs(blobs.filePath)
  blobs.news.listen({ gone: hot.drop })
  const mayBeSent = (sha256: Sha256, size: number): boolean =>
    !blobs.withdrawn.has(sha256) && blobs.isWhole(sha256, size) === true
  const ready = createReadyAnswers(hot, mayBeSent)
  const buffers = createReadBuffers()
  return { plans: createLru(PLANNED_CHANGES), waiting: createLru(1000), hot, ready, buffers }
}

function limitsOf({
  answerWithinMs = ANSWER_MS,
  headersWithinMs = HEADERS_MS,
  drainMs = DRAIN_MS,
  deliverWithinMs,
}: Patience): Pick<
  ServerParts,
  `${'answerWithin' | 'headersWithin' | 'drain' | 'deliverWithin'}Ms`
> {
  return { answerWithinMs, headersWithinMs, drainMs, deliverWithinMs }
}

/** The ways through this server to others. */
async function openWays(
  archives: ArchiveParts & { readonly upstream: RoutedUpstream },
  config: Config,
  patience: Patience,
): Promise<Pick<ServerParts, 'proxy' | 'tunnels'> & UnknownParts> {
  for (const archive of await listArchives(archives.db)) routeArchive(archives.upstream, archive)
  return {
    proxy: createProxy(archives, config),
    tunnels: createTunnels(archives.db, config, patience.tunnels),
    ...(await openUnknown(archives, config)),
  }
}

type Notes = 'changelogs' | 'changelogReader' | 'needs' | 'clientLog' | 'traffic' | 'metrics'

/** What is read for people, and what is noted and counted of requests. */
function openNotes(
  archives: ArchiveParts & { readonly upstream: RoutedUpstream },
  logOf: (part: string) => Log,
): Pick<ServerParts, Notes> {
  const { db, clock, downloads, upstream } = archives
  const { health } = upstream
  const traffic = createTraffic({ db, clock, health, log: logOf('traffic') })
  return {
    changelogs: createChangelogs(archives),
    changelogReader: createChangelogReader(archives),
    needs: createNeedsFinder(),
    clientLog: createClientLog(db, clock, logOf('clients')),
    traffic,
    metrics: createMetrics({ downloads_active: () => downloads.active }, traffic),
  }
}

/** Opens the data directory; `ERR_DATA_LOCKED` if another server has it. */
export async function openParts(
  config: Config,
  clock: Clock,
  patience: Patience = {},
): Promise<ServerParts> {
  const { dataDir, environment } = config
  await mkdir(dataDir, { recursive: true, mode: 0o755 })
  const lock = lockDataDir(join(dataDir, 'lock'), dataDir)
  const logOf = (part: string): Log => createLog({ level: config.logLevel }).child({ part })
  const log = logOf('signing')
  let started: Signer | undefined
  try {
    const db = await openDatabase(join(dataDir, 'sluice.db'), migrations)
    const blobs = await openBlobStore(db, dataDir, { clock, reserveBytes: config.diskReserveBytes })
    const archives = await openArchives({ db, blobs, clock }, config, patience)
    const { upstream, downloads, leases, texts, members } = archives
    const signer = startSigner(archives, config, log)
    started = signer
    const notes = openNotes(archives, logOf)
    const ledger = createFileLedger(archives)
    const rescue = createRescue({ ...archives, ledger }, logOf('rescue'))
    const keyring = createKeyringWork(log)
    const ways = await openWays(archives, config, patience)
    const close = async ({ signal = AbortSignal.abort() }: Abortable = {}): Promise<void> => {
      notes.changelogs.close()
      const { changelogReader, needs, clientLog, traffic } = notes
      for (const one of [changelogReader, needs, traffic, clientLog, blobs.use]) await one.close()
      await rescue.stop()
      await downloads.close({ signal })
      for (const one of [ways.learner, ways.webCache, keyring, signer, upstream, texts, members])
        await one.close()
      await closeDatabase(db)
      lock.release()
    }
    await takeOverKeys({ db, signer }, log)
    return {
      ...archives,
      signer,
      judges: await findJudges({ environment, tempPath: blobs.tempPath, log }),
      keyring,
      views: await openViews(archives),
      pdiffs: createPdiffMaker(archives),
      gate: createGate(archives),
      channelLock: leased(createMutexes(), leases),
      address: { configured: config.publicUrl, told: '' },
      derivation: createDerivationQueue(),
      holdEnds: createBell(),
      ...ways,
      comparisons: createDebComparisons(blobs),
      ledger,
      rescue,
      partFiles: openPartFiles(join(dataDir, 'uploads')),
      uploads: createUploadQueue(archives),
      uploadFollow: createUploadFollow(),
      ...notes,
      ...limitsOf(patience),
      fileProblems: createFileProblems(blobs, clock),
      secondLooks: createSecondLooks(blobs.news, clock),
      refreshBehind: createRefreshBehind(clock, { freshMs: config.refreshMinutes * 60_000 }),
      config,
      ...createMemories(blobs),
      close,
    }
  } catch (error) {
    await started?.close()
    lock.release()
    throw error
  }
}

function startSigner(archives: ArchiveParts, config: Config, log: Log): Signer {
  const { dataDir, environment, signCommand } = config
  const scratch = scratchFiles.map((name) => archives[name].fd)
  return openSigner({ keysDir: join(dataDir, 'keys'), log, environment, signCommand, scratch })
}

async function openArchives(
  { db, blobs, clock }: Pick<ArchiveParts, 'db' | 'blobs' | 'clock'>,
  config: Config,
  patience: Patience,
): Promise<ArchiveParts & { readonly upstream: RoutedUpstream & Guarded }> {
  const { offline, upstreamProxy, parallelRanges } = config
  const tls = await readUpstreamTls(config)
  const texts = await openChunkCache(blobs.tempPath())
  const members = await openChunkCache(blobs.tempPath())
  const routed = createRoutedUpstream({
    ...patience,
    health: createUpstreamHealth(clock),
    tls,
    ...(upstreamProxy === undefined ? {} : { proxy: upstreamProxy }),
    mayBeInternal: namedHosts(db, config),
  })
  const upstream = guardUpstream(routed, { isOffline: offline })
  const downloads = createDownloads({ blobs, upstream, clock, parallelRanges })
  const leases = createLeases(clock)
  const archiveLock = leased(createMutexes(), leases)
  const trees = createTreeReader(db)
  const revocations = await openRevocations(db, blobs)
  const store = { db, blobs, texts, members, trees, clock, leases }
  return { ...store, upstream, downloads, archiveLock, revocations }
}
