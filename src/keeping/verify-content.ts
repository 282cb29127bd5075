/**
 * Checks what suite states hold: trees, and chunks by their bytes as the database has them, not as a cache does. Each leaf
 * and each chunk is read once, however many states share it.
 */
import { listChunks, membersOf } from '../archives/chunk-removal.ts'
import { type Chunk, readLeaves, readRoot } from '../archives/index-tree.ts'
import { readState, type SuiteState } from '../archives/suite-state.ts'
import { createDigestSet, type DigestSet } from '../base/digest-set.ts'
import { breathe } from '../base/mutex.ts'
import { type Sha256, sha256Of } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { gunzipMember } from '../debian/compression.ts'
import { absentBlobs } from '../store/blob-removal.ts'
import { readRows } from '../store/blobs.ts'
import { FROM_BACKUP, problemOf, type VerifyReport } from './verify-report.ts'

const CHUNKS_AT_ONCE = 200
const LEAVES_AT_ONCE = 16

export interface ContentInput {
  readonly states: ReadonlySet<Sha256>
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Walks from the states to the bytes of all chunks. */
export async function verifyContent(
  parts: ChannelParts,
  report: VerifyReport,
  { states, onProgress, signal }: ContentInput,
): Promise<void> {
  const walked = createDigestSet()
  for (const digest of states) {
    signal?.throwIfAborted()
    report.states++
    try {
      await verifyState(parts, report, await readState(parts.blobs, digest), walked)
    } catch (error) {
      report.problems.push(problemOf(`state ${digest}`, error))
    }
    onProgress?.('suite states', report.states, states.size)
  }
  await verifyMembers(parts, report)
}

async function verifyState(
  parts: ChannelParts,
  report: VerifyReport,
  state: SuiteState,
  walked: DigestSet,
): Promise<void> {
  const what = `${state.archive} ${state.suite}`
  const extras = Object.entries(state.extras ?? {})
  const absent = await absentBlobs(
    parts.db,
    extras.map(([, { sha256 }]) => sha256),
  )
  for (const [path, { sha256 }] of extras) {
    if (!absent.includes(sha256)) continue
    const hint =
      state.ownContents !== undefined
        ? `sluice archive set ${state.archive} --with contents makes it anew for channels that follow it, the next promotion for others`
        : `sluice archive refresh ${state.archive} fetches it if upstream still has it`
    report.problems.push({ what, message: `its file ${path} is missing`, hint })
  }
  for (const { root } of state.indexes) {
    if (!walked.add(root)) continue
    const leaves = (await readRoot(parts.db, root)).filter((leaf) => walked.add(leaf))
    for (let at = 0; at < leaves.length; at += LEAVES_AT_ONCE) {
      const some = await readLeaves(parts.db, leaves.slice(at, at + LEAVES_AT_ONCE))
      for (const chunks of some.values()) {
        await verifyChunks(
          parts,
          report,
          chunks.filter((chunk) => walked.add(chunk.plain)),
        )
      }
    }
  }
}

async function verifyChunks(
  parts: ChannelParts,
  report: VerifyReport,
  chunks: readonly Chunk[],
): Promise<void> {
  const known = await membersOf(
    parts.db,
    chunks.map((chunk) => chunk.plain),
  )
  for (const chunk of chunks) {
    report.chunks++
    const what = `chunk ${chunk.plain}`
    try {
      if (known.get(chunk.plain) !== chunk.member) {
        const message = 'it cannot be found by its text: there is no row of it'
        report.problems.push({ what, message, hint: FROM_BACKUP })
      }
      const [member = Buffer.alloc(0)] = await readRows(parts.db, [chunk.member])
      const isRight =
        sha256Of(member) === chunk.member &&
        sha256Of(await gunzipMember(member, chunk.plainSize)) === chunk.plain
      if (!isRight) throw new Error('its bytes are not what its name says')
    } catch (error) {
      report.problems.push(problemOf(what, error))
    }
  }
  await breathe()
}

/** Every chunk has its bytes, those too that nothing names: a refresh may take one as it is. */
async function verifyMembers(parts: ChannelParts, report: VerifyReport): Promise<void> {
  for (let after = 0; ; ) {
    const page = await listChunks(parts.db, after, CHUNKS_AT_ONCE)
    const absent = await absentBlobs(
      parts.db,
      page.map((chunk) => chunk.member),
    )
    for (const { plain, member } of page) {
      if (!absent.includes(member)) continue
      const message = 'its bytes are missing'
      report.problems.push({ what: `chunk ${plain}`, message, hint: FROM_BACKUP })
    }
    after = page.at(-1)?.id ?? after
    if (page.length < CHUNKS_AT_ONCE) return
    await breathe()
  }
}
