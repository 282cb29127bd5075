/**
 * What the server has for files that no archive of its own names: the cache by HTTP rules, and what it learns of archives
 * by what machines ask for.
 */
import { join } from 'node:path'
import type { ArchiveParts } from '../archives/archive-parts.ts'
import { hasUrlOn, listArchives } from '../archives/archive-table.ts'
import type { MayBeInternal } from '../archives/internal-hosts.ts'
import type { Config } from '../base/config.ts'
import { hostKey } from '../base/host-key.ts'
import { matchesHost } from '../base/host-patterns.ts'
import { createInstallerFiles } from '../proxy/installer-files.ts'
import { createLearnedIndexes } from '../proxy/learned-indexes.ts'
import { mayLearn } from '../proxy/learned-place.ts'
import { readKeyrings } from '../proxy/learned-release.ts'
import { openLearnedSuites } from '../proxy/learned-suites.ts'
import { learnedMigrations, type SuitePlace } from '../proxy/learned-table.ts'
import { createLearner, type Learner } from '../proxy/learner.ts'
import { createLearning } from '../proxy/learning.ts'
import { openWebCache, type WebCache } from '../proxy/web-cache.ts'
import { webUpstream } from '../proxy/web-fetch.ts'
import { webMigrations } from '../proxy/web-table.ts'
import type { Db } from '../store/database.ts'
import { measureRoom } from '../store/disk-reserve.ts'

/** The tables of what is below. */
export const unknownMigrations = [...webMigrations, ...learnedMigrations]

export interface UnknownParts {
  readonly webCache: WebCache
  readonly learner: Learner
}

/** Which hosts may be inside of the network: those that an administrator named. */
export function namedHosts(
  db: Db,
  { passHosts, learnHosts }: Pick<Config, 'passHosts' | 'learnHosts'>,
): MayBeInternal {
  return async (host) =>
    passHosts.includes(host) || learnHosts.includes(host) || hasUrlOn(await listArchives(db), host)
}

/** Opens them; each is closed by the caller. */
export async function openUnknown(
  { db, blobs, upstream, downloads, clock }: ArchiveParts,
  { dataDir, webCacheMb, learnHosts, learnKeyrings, passHosts }: Config,
): Promise<UnknownParts> {
  const freeBytes = async (): Promise<number> => {
    const room = await measureRoom(blobs)
    return Math.max(0, room.freeBytes - room.reserveBytes)
  }
  const webCache = await openWebCache(
    { db, clock, upstream: webUpstream(upstream), freeBytes },
    { dir: join(dataDir, 'web'), limitBytes: webCacheMb * 1_000_000 },
  )
  const mayFollow = async (url: URL): Promise<boolean> =>
    mayLearn(learnHosts, url) ||
    matchesHost(passHosts, hostKey(url)) ||
    hasUrlOn(await listArchives(db), hostKey(url))
  const suites = await openLearnedSuites({ db, blobs, clock })
  const keyring = learnKeyrings === undefined ? undefined : await readKeyrings(learnKeyrings)
  const onMoved = (place: SuitePlace): void => {
    learning.look(place).catch(() => undefined)
  }
  const indexes = createLearnedIndexes({ blobs, downloads, clock, suites, onMoved })
  const images = createInstallerFiles({ blobs, downloads, upstream })
  const common = { blobs, clock, suites, indexes }
  const learning = createLearning({ ...common, upstream, keyring, mayFollow })
  return { webCache, learner: createLearner({ ...common, learning, images, hosts: learnHosts }) }
}
