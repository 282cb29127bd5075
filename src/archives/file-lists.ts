/**
 * The list of a package's files as it is kept: paths in the order of their bytes, a line each, gzip members in a row.
 */
import { isAppError } from '../base/errors.ts'
import { breathe } from '../base/mutex.ts'
import { decompress, gzipMember } from '../debian/compression.ts'
import {
  byteLines,
  type ContentsLine,
  type ContentsLines,
  contentsPath,
  mergeLines,
} from '../debian/contents-lines.ts'

/** So many are sorted without a breath. */
const SORTED_TOGETHER = 5000
const MEMBER_CHARS = 1024 * 1024
const nobody: readonly string[] = []

/** Packs the paths of a package, which may be some hundred thousand. */
export async function packFileList(paths: readonly string[]): Promise<Buffer> {
  const runs: ContentsLines[] = []
  for (let at = 0; at < paths.length; at += SORTED_TOGETHER) {
    const some = paths.slice(at, at + SORTED_TOGETHER).flatMap((path) => contentsPath(path) ?? [])
    runs.push(sortedRun(some))
    await breathe()
  }
  const members: Buffer[] = []
  let open = ''
  const close = async (): Promise<void> => {
    members.push(await gzipMember(Buffer.from(open, 'latin1')))
    open = ''
  }
  for await (const lines of mergeLines(runs)) {
    open += lines.map(({ path }) => `${path}\n`).join('')
    if (open.length >= MEMBER_CHARS) await close()
  }
  if (open !== '' || members.length === 0) await close()
  return Buffer.concat(members)
}

async function* sortedRun(paths: readonly string[]): AsyncGenerator<ContentsLine[]> {
  yield [...new Set(paths)].sort().map((path) => ({ path, owners: nobody }))
}

/** The lines of Contents that a package has by its list. */
export async function* linesOfList(list: Buffer, owner: string): AsyncGenerator<ContentsLine[]> {
  const owners = [owner]
  for await (const paths of byteLines(decompress('gz', once(list), {})))
    yield paths.map((path) => ({ path, owners }))
}

/** Whether a list can be read to its end. */
export async function isSoundList(list: Buffer): Promise<boolean> {
  try {
    for await (const _ of linesOfList(list, '')) await breathe()
    return true
  } catch (error) {
    if (isAppError(error, 'ERR_FORMAT')) return false
    throw error
  }
}

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  yield data
}
