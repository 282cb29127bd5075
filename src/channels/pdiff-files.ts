/**
 * pdiffs as they are asked for: the Index by name (a generation's own) and by hash, patches by name. By hash and patch of
 * any generation that is kept answer at each URL, since a client may have the InRelease of an older one.
 *
 *   <index>.diff/Index    <index>.diff/by-hash/SHA256/<64 hex>    <index>.diff/<16 hex>-<16 hex>.gz
 */
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from './channel-parts.ts'
import { findPdiffs, isPdiffIndex } from './pdiff-table.ts'
import type { SuiteView } from './views.ts'

/** A file beside an index. */
export interface PdiffFile {
  readonly digest: Sha256
  readonly data: Buffer
  /** Whether its name means another file in another generation. */
  readonly isMutable: boolean
}

/** The file at this path below the suite; undefined where it is none of a pdiff. */
export async function findPdiffFile(
  parts: ChannelParts,
  suite: SuiteView,
  path: string,
): Promise<PdiffFile | undefined> {
  if (!path.includes('.diff/')) return undefined
  const byName = suite.pdiffs.get(path)?.sha256
  const digest = byName ?? (await indexByHash(parts, path)) ?? (await patchByName(parts, path))
  if (digest === undefined) return undefined
  const data = await parts.blobs.read(digest)
  return { digest, data, isMutable: byName !== undefined }
}

async function indexByHash(parts: ChannelParts, path: string): Promise<Sha256 | undefined> {
  const hash = /\.diff\/by-hash\/SHA256\/([0-9a-f]{64})$/.exec(path)?.[1]
  const digest = hash === undefined ? undefined : parseSha256(hash)
  if (digest === undefined) return undefined
  return (await isPdiffIndex(parts.db, digest)) ? digest : undefined
}

async function patchByName(parts: ChannelParts, path: string): Promise<Sha256 | undefined> {
  const name = /\.diff\/([0-9a-f]{16}-[0-9a-f]{16})\.gz$/.exec(path)?.[1]
  if (name === undefined) return undefined
  return (await findPdiffs(parts.db, [name])).get(name)?.gz.sha256
}
