/**
 * What the server has for files that no archive of its own names: the cache by HTTP rules.
 */
import { join } from 'node:path'
import type { ArchiveParts } from '../archives/archive-parts.ts'
import type { Config } from '../base/config.ts'
import { openWebCache, type WebCache } from '../proxy/web-cache.ts'
import { webUpstream } from '../proxy/web-fetch.ts'
import { webMigrations } from '../proxy/web-table.ts'

/** The tables of what is below. */
export const unknownMigrations = [...webMigrations]

/** Of the disk, what such files never take. */
const SPARE_BYTES = 256 * 1024 * 1024

export interface UnknownParts {
  readonly webCache: WebCache
}

/** Opens them; each is closed by the caller. */
export async function openUnknown(
  { db, blobs, upstream, clock }: ArchiveParts,
  { dataDir, webCacheMb }: Config,
): Promise<UnknownParts> {
  const freeBytes = async (): Promise<number> =>
    Math.max(0, (await blobs.freeBytes()) - SPARE_BYTES)
  const webCache = await openWebCache(
    { db, clock, upstream: webUpstream(upstream), freeBytes },
    { dir: join(dataDir, 'web'), limitBytes: webCacheMb * 1_000_000 },
  )
  return { webCache }
}
