/**
 * The pdiffs of a publication: one patch from each of the last indexes that it served to the one it is about to serve,
 * and the Index file that lists them.
 *
 * History ends where a patch would not be worth its while: what lies behind it is further away still, and is forgotten.
 * Patches and Index depend on the indexes alone, so that a Release signed anew lists the same ones. They are written in
 * the transaction of the generation; before that nothing names them.
 */
import type { IndexParts } from '../archives/index-parts.ts'
import { createIndexPatcher } from '../archives/index-patch.ts'
import type { FileDigest } from '../archives/suite-state.ts'
import { isAppError } from '../base/errors.ts'
import { createLru } from '../base/lru.ts'
import { mapBounded } from '../base/mutex.ts'
import { type Sha256, sha256Of, sha256Stream } from '../base/sha256.ts'
import { gzipMember } from '../debian/compression.ts'
import { formatPdiffIndex } from '../debian/pdiff.ts'
import { spare } from '../store/doomed.ts'
import type { IndexForms } from './index-forms.ts'
import {
  findPdiffs,
  listServed,
  type Pdiff,
  type PdiffsOfIndex,
  type PublishedSuite,
  pdiffIndexPath,
  type ServedIndex,
} from './pdiff-table.ts'

/** From so many older indexes there is a patch. */
const HISTORY = 20
/** A patch, and likewise the Index, may take this part of the `.gz` of the index itself. */
const WORTH = 1 / 4
/** What one patch takes in the Index. */
const ENTRY_BYTES = 340
/** Of one script, and of all scripts to one index. */
const MAX_SCRIPT_BYTES = 4 * 1024 * 1024
const MAX_SCRIPTS_BYTES = 6 * 1024 * 1024
/** Gzip members of pieces that are remembered, in bytes: of all the patches to some indexes. */
const MEMBER_BYTES = 4 * 1024 * 1024
const COMPRESSORS = 3
const INDEXES_AT_ONCE = 2

/** What is to be published beside the indexes of a suite. */
export interface PdiffDraft {
  readonly all: readonly PdiffsOfIndex[]
  /** Bytes that are not in the store yet. */
  readonly blobs: readonly Buffer[]
}

export interface PdiffMaker {
  /** The pdiffs to these indexes (`main/binary-amd64/Packages.gz` -> forms) from what the publication served before. */
  draft(at: PublishedSuite, indexes: ReadonlyMap<string, IndexForms>): Promise<PdiffDraft>
}

/** The Index files of a draft: path -> digest. */
export function pdiffIndexes({ all }: PdiffDraft): Map<string, FileDigest> {
  return new Map(
    all.flatMap(({ path, listed }) =>
      listed === undefined ? [] : [[pdiffIndexPath(path), listed.index] as const],
    ),
  )
}

/** A maker that remembers what the last patches were made of, some 10 MB. */
export function createPdiffMaker(parts: IndexParts): PdiffMaker {
  const patcher = createIndexPatcher(parts)
  const compress = createCompressor()
  const script = async (from: ServedIndex, to: IndexForms, maxBytes: number): Promise<Script> => {
    try {
      return await patcher.patch(from.root, to.root, maxBytes)
    } catch (error) {
      // What the older index was made of is not kept any more.
      if (isAppError(error, 'ERR_BLOB_MISSING')) return undefined
      throw error
    }
  }
  const draft: PdiffMaker['draft'] = async (at, indexes) => {
    const served = await listServed(parts.db, at)
    const wanted = [...indexes].map(([gzPath, to]) => {
      const path = gzPath.replace(/\.gz$/, '')
      const before = served.get(path) ?? []
      return { path, to, before, older: olderThan(to, before) }
    })
    const names = wanted.flatMap(({ to, older }) => older.map((from) => pdiffName(to, from)))
    const here = await pdiffsHere(parts, names)
    const blobs: Buffer[] = []
    const all = await mapBounded(wanted, INDEXES_AT_ONCE, async ({ path, to, before, older }) => {
      const steps = await stepsTo(to, older, { here, script, compress })
      const now = [{ root: to.root, plain: to.plain }, ...steps.map((step) => step.from)]
      const listed = listSteps(to, steps)
      if (listed !== undefined) blobs.push(listed.data)
      blobs.push(...steps.flatMap(({ file }) => (file === undefined ? [] : [file])))
      return {
        path,
        served: isSameHistory(before, now) ? undefined : now,
        listed: listed && { index: listed.index, patches: steps.map((step) => step.pdiff) },
      }
    })
    return { all, blobs }
  }
  return { draft }
}

/** A patch in pieces; undefined where none is to be made. */
type Script = readonly Buffer[] | undefined

/** A patch, and the index that it leads from. */
interface Step {
  readonly from: ServedIndex
  readonly pdiff: Pdiff
  /** Its file, if it was made now. */
  readonly file?: Buffer | undefined
}

interface StepTools {
  /** Patches made before. */
  readonly here: ReadonlyMap<string, Pdiff>
  readonly script: (from: ServedIndex, to: IndexForms, maxBytes: number) => Promise<Script>
  readonly compress: (pieces: readonly Buffer[]) => Promise<Buffer>
}

/** The patches from older indexes (newest first) up to the first that is not worth it. */
async function stepsTo(
  to: IndexForms,
  older: readonly ServedIndex[],
  { here, script, compress }: StepTools,
): Promise<Step[]> {
  const drafts: { from: ServedIndex; known?: Pdiff | undefined; pieces: readonly Buffer[] }[] = []
  let left = MAX_SCRIPTS_BYTES
  for (const from of older) {
    const known = here.get(pdiffName(to, from))
    const maxBytes = Math.min(left, MAX_SCRIPT_BYTES, to.gz.size)
    const pieces = known === undefined ? await script(from, to, maxBytes) : []
    const bytes = known?.patch.size ?? pieces?.reduce((sum, piece) => sum + piece.length, 0)
    if (pieces === undefined || bytes === undefined || bytes === 0 || bytes > left) break
    left -= bytes
    drafts.push({ from, known, pieces })
  }
  const steps = await mapBounded(drafts, COMPRESSORS, async ({ from, known, pieces }) => {
    if (known !== undefined) return { from, pdiff: known }
    const file = await compress(pieces)
    const name = pdiffName(to, from)
    return {
      from,
      pdiff: { name, patch: digestOfAll(pieces), gz: digestOf(file) },
      file,
    }
  })
  const tooLarge = steps.findIndex(({ pdiff }) => pdiff.gz.size > to.gz.size * WORTH)
  return tooLarge < 0 ? steps : steps.slice(0, tooLarge)
}

/** The Index of these patches; none where there are none. Oldest first: apt goes from its own one to the end. */
function listSteps(
  to: IndexForms,
  steps: readonly Step[],
): { index: FileDigest; data: Buffer } | undefined {
  if (steps.length === 0) return undefined
  const patches = steps.toReversed().map(({ from, pdiff }) => {
    return { name: pdiff.name, from: from.plain, patch: pdiff.patch, download: pdiff.gz }
  })
  const data = Buffer.from(formatPdiffIndex({ current: to.plain, patches }))
  return { index: digestOf(data), data }
}

/** What is older than the index, as far as it can be listed: the Index of a small index has to be smaller still. */
function olderThan(to: IndexForms, served: readonly ServedIndex[]): ServedIndex[] {
  const most = Math.min(HISTORY, Math.floor((to.gz.size * WORTH) / ENTRY_BYTES))
  return served.filter(({ plain }) => plain.sha256 !== to.plain.sha256).slice(0, most)
}

function isSameHistory(a: readonly ServedIndex[], b: readonly ServedIndex[]): boolean {
  return a.length === b.length && a.every((one, at) => one.root === b[at]?.root)
}

/** Those of these patches that are in the store, and stay there. */
async function pdiffsHere(
  parts: IndexParts,
  names: readonly string[],
): Promise<Map<string, Pdiff>> {
  const known = await findPdiffs(parts.db, names)
  const digests = [...known.values()].map(({ gz }) => gz.sha256)
  await spare(parts.db, 'blob', digests)
  const here = await parts.blobs.present(digests)
  return new Map([...known].filter(([, { gz }]) => here.has(gz.sha256)))
}

/** Gzip, piece by piece: once for a piece that is in several patches, to this index or to the next one. */
function createCompressor(): StepTools['compress'] {
  const known = createLru<Sha256, Buffer>(MEMBER_BYTES)
  const members = new WeakMap<Buffer, Promise<Buffer>>()
  const make = async (piece: Buffer): Promise<Buffer> => {
    const digest = sha256Of(piece)
    const before = known.get(digest)
    if (before !== undefined) return before
    const member = tight(await gzipMember(piece))
    known.set(digest, member, member.length + 200)
    return member
  }
  const memberOf = (piece: Buffer): Promise<Buffer> => {
    const before = members.get(piece)
    if (before !== undefined) return before
    const made = make(piece)
    members.set(piece, made)
    made.catch(() => members.delete(piece))
    return made
  }
  return async (pieces) => {
    const [only] = pieces
    // A small patch: the next one has other hunks.
    if (pieces.length === 1 && only !== undefined) return gzipMember(only)
    return Buffer.concat(await mapBounded(pieces, COMPRESSORS, memberOf))
  }
}

/** zlib's own memory is larger than what it wrote. */
function tight(data: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(data.length)
  data.copy(copy)
  return copy
}

function digestOf(data: Buffer): FileDigest {
  return { sha256: sha256Of(data), size: data.length }
}

/** Of the pieces as one file. */
function digestOfAll(pieces: readonly Buffer[]): FileDigest {
  const stream = sha256Stream()
  for (const piece of pieces) stream.update(piece)
  return { sha256: stream.digest(), size: pieces.reduce((sum, piece) => sum + piece.length, 0) }
}

function pdiffName(to: IndexForms, from: ServedIndex): string {
  return `${to.plain.sha256.slice(0, 16)}-${from.plain.sha256.slice(0, 16)}`
}
