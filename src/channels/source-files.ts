/**
 * Files of source packages in the pool: `pool/<2 hex>/<62 hex>/<file>`, where the digest is that of the package's .dsc.
 *
 * A .deb, a .udeb and the .dsc itself are what their path says. For any other file the .dsc is read (it is fetched first,
 * if need be, and is what its digest says), which names the file's digest; what it does not name is not there.
 */
import { locate } from '../archives/locate.ts'
import { type Abortable, withTimeout } from '../base/abortable.ts'
import { AppError, isAppError } from '../base/errors.ts'
import type { Sha256 } from '../base/sha256.ts'
import { readDscFiles } from '../debian/sources-index.ts'
import type { ChannelParts } from './channel-parts.ts'

/** The largest in Debian has some 200 kB. */
const MAX_DSC_BYTES = 4 * 1024 * 1024
/** apt waits 30 s for an answer. */
const FETCH_WITHIN_MS = 20_000

/** Whether a file of this name is found by its package's .dsc, and not by the digest in its own path. */
export function isNamedByDsc(file: string): boolean {
  return !/\.(deb|udeb|dsc)$/.test(file)
}

/** Digest of the file of this name that the .dsc names; undefined if it names none, or there is no such .dsc. */
export async function findSourceFile(
  parts: ChannelParts,
  dsc: Sha256,
  name: string,
  { signal }: Abortable,
): Promise<Sha256 | undefined> {
  try {
    if (!(await parts.blobs.has(dsc)) && !(await fetchDsc(parts, dsc, signal))) return undefined
    const files = readDscFiles(await parts.blobs.read(dsc, MAX_DSC_BYTES))
    return files.find((file) => file.name === name)?.sha256
  } catch (error) {
    // What is no .dsc names no files.
    const isNone = ['ERR_FORMAT', 'ERR_TOO_LARGE', 'ERR_NOT_FOUND'] as const
    if (isNone.some((code) => isAppError(error, code))) return undefined
    throw error
  }
}

/** Fetches it, unless what has this digest upstream is no .dsc. */
async function fetchDsc(
  parts: ChannelParts,
  dsc: Sha256,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { wanted, source } = await locate(parts.db, dsc)
  if (!wanted.label.endsWith('.dsc') || wanted.size > MAX_DSC_BYTES) return false
  const patience = withTimeout(signal, FETCH_WITHIN_MS)
  try {
    await parts.downloads.fetch(wanted, source, { signal: patience })
    return true
  } catch (error) {
    if (!patience.aborted || signal?.aborted === true) throw error
    throw new AppError('ERR_UPSTREAM_TIMEOUT', {
      message: `${wanted.label} is still on its way: upstream is slow`,
      hint: 'ask again: the download goes on',
      cause: error,
    })
  }
}
