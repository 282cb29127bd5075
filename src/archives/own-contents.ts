/**
 * Contents of local archives that are asked for them: `COMPONENT/Contents-ARCHITECTURE.gz`, and `Contents-all.gz` with the packages
 * of all architectures, as Debian has them. States of the archive say that they are wanted; a channel makes them for each state that
 * it publishes, and whoever edits a state that has them gives it here what fits it: they are a function of its packages.
 *
 * The cost follows the difference: names of packages whose stanzas are in one of the two states alone leave the Contents before,
 * and come in again by the lists of those that are there now (file-list-table.ts).
 */
import { createReadStream } from 'node:fs'
import { isAppError, systemCode, toAppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import { ownerName } from '../debian/contents-lines.ts'
import { fieldValue } from '../debian/control.ts'
import { checkInTurn } from './check-in-turn.ts'
import { buildContents, type ContentsPackage } from './contents-build.ts'
import { deleteFileList, putFileList, readFileLists, withoutFileList } from './file-list-table.ts'
import { isSoundList } from './file-lists.ts'
import { chunksAt, type IndexEntry, type IndexParts, readEntries } from './index-parts.ts'
import { type Chunk, findChunk } from './index-tree.ts'
import { binaryIndexes, type FileDigest, findIndex, type SuiteState } from './suite-state.ts'

/** By architecture. */
type Names = Map<string, Set<string>>

/**
 * `after` with the Contents of its packages, made of those of `before` as far as they go; itself where it is to have none.
 * Where a package cannot be listed it has those of the others, which are wanted still.
 */
export async function fitContents(
  parts: IndexParts,
  before: SuiteState | undefined,
  after: SuiteState,
): Promise<SuiteState> {
  if (after.ownContents === undefined) return after
  const isKnown = before !== undefined && (await hasContents(parts, before))
  const known = isKnown ? before : undefined
  try {
    return await fit(parts, known, after)
  } catch (error) {
    if (!isDamage(error)) throw error
    await dropDamagedLists(parts, after)
    return fit(parts, undefined, after)
  }
}

/** Whether what was read is gone, unreadable or damaged, so that making it anew may help; a full disk is none of these. */
function isDamage(error: unknown): boolean {
  if (isAppError(error)) return ['ERR_STORE', 'ERR_FORMAT', 'ERR_BLOB_MISSING'].includes(error.code)
  return systemCode(error) !== undefined && toAppError(error).code !== 'ERR_DISK_FULL'
}

/** Whether the Contents of the state are made, and all here. */
export async function hasContents(
  { blobs }: Pick<IndexParts, 'blobs'>,
  { ownContents, extras = {} }: SuiteState,
): Promise<boolean> {
  if (ownContents !== 'made') return false
  const files = Object.values(extras).map(({ sha256 }) => sha256)
  const here = await blobs.present(files)
  return files.every((sha256) => here.has(sha256))
}

async function fit(
  parts: IndexParts,
  known: SuiteState | undefined,
  after: SuiteState,
): Promise<SuiteState> {
  const extras: Record<string, FileDigest> = {}
  const plainForms: Record<string, FileDigest> = {}
  let isWhole = true
  for (const component of new Set(binaryIndexes(after).map((index) => index.component))) {
    const touched = await touchedNames(parts, known, after, component)
    const packages = await packagesNamed(parts, after, component, touched)
    if (!(await listFiles(parts, [...packages.values()].flat()))) isWhole = false
    for (const architecture of architecturesOf(after, component)) {
      const path = `${component}/Contents-${architecture}`
      const [packed, plain] = [known?.extras?.[`${path}.gz`], known?.plainForms?.[path]]
      const drop = touched.get(architecture)
      const add = packages.get(architecture) ?? []
      const made =
        drop === undefined
          ? packed && plain && { packed, plain }
          : await buildContents(parts, { old: packed, drop, add })
      if (made === undefined) continue
      extras[`${path}.gz`] = made.packed
      plainForms[path] = made.plain
    }
  }
  return { ...after, extras, plainForms, ownContents: isWhole ? 'made' : 'wanted' }
}

function architecturesOf(state: SuiteState | undefined, component: string): string[] {
  const own = state === undefined ? [] : binaryIndexes(state)
  const here = own.filter((index) => index.component === component)
  return [...here.map((index) => index.architecture), 'all']
}

/** Names of packages that are not the same in both, by architecture. */
async function touchedNames(
  parts: IndexParts,
  known: SuiteState | undefined,
  after: SuiteState,
  component: string,
): Promise<Names> {
  const touched: Names = new Map()
  const all = [...architecturesOf(known, component), ...architecturesOf(after, component)]
  for (const architecture of new Set(all)) {
    const name = { kind: 'Packages', component, architecture } as const
    const left = await chunksAt(parts, findIndex(known, name)?.root)
    const right = await chunksAt(parts, findIndex(after, name)?.root)
    const [gone, come] = [
      await keysIn(parts, only(left, right)),
      await keysIn(parts, only(right, left)),
    ]
    for (const [key, entry] of [...gone, ...come]) {
      if (gone.has(key) && come.has(key)) continue
      const names = touched.get(entry.architecture) ?? new Set()
      touched.set(entry.architecture, names.add(entry.name))
    }
  }
  return touched
}

function only(chunks: readonly Chunk[], others: readonly Chunk[]): Chunk[] {
  const known = new Set(others.map(({ plain }) => plain))
  return chunks.filter(({ plain }) => !known.has(plain))
}

async function keysIn(
  parts: IndexParts,
  chunks: readonly Chunk[],
): Promise<Map<string, Pick<IndexEntry, 'name' | 'architecture'>>> {
  const keys = new Map<string, Pick<IndexEntry, 'name' | 'architecture'>>()
  for (const chunk of chunks) {
    for (const entry of await readEntries(parts, chunk, 'Packages')) {
      const { name, architecture } = entry
      keys.set(`${architecture} ${ownerOf(entry)} ${entry.files[0]?.sha256}`, {
        name,
        architecture,
      })
    }
    await breathe()
  }
  return keys
}

function ownerOf({ name, text }: IndexEntry): string {
  return ownerName(fieldValue(text, 0, text.length, 'Section'), name)
}

/** The packages of these names in a state, by architecture. */
async function packagesNamed(
  parts: IndexParts,
  state: SuiteState,
  component: string,
  touched: Names,
): Promise<Map<string, ContentsPackage[]>> {
  const found = new Map<string, Map<string, ContentsPackage>>()
  for (const architecture of architecturesOf(state, component)) {
    const chunks = await chunksAt(
      parts,
      findIndex(state, { kind: 'Packages', component, architecture })?.root,
    )
    const names = [...(touched.get(architecture) ?? []), ...(touched.get('all') ?? [])]
    for (const chunk of new Set(names.flatMap((name) => findChunk(chunks, name) ?? []))) {
      for (const entry of await readEntries(parts, chunk, 'Packages')) {
        const [file] = entry.files
        if (file === undefined || !touched.get(entry.architecture)?.has(entry.name)) continue
        const own = found.get(entry.architecture) ?? new Map<string, ContentsPackage>()
        const owner = ownerOf(entry)
        own.set(`${owner} ${file.sha256}`, { owner, sha256: file.sha256 })
        found.set(entry.architecture, own)
      }
      await breathe()
    }
  }
  return new Map([...found].map(([architecture, own]) => [architecture, [...own.values()]]))
}

/** Makes the lists that Contents of this state will need, as far as they are not there yet. */
export async function listAhead(parts: IndexParts, state: SuiteState): Promise<void> {
  for (const component of new Set(binaryIndexes(state).map((index) => index.component)))
    await listFiles(parts, await allPackages(parts, state, component))
}

async function allPackages(
  parts: IndexParts,
  state: SuiteState,
  component: string,
): Promise<ContentsPackage[]> {
  const all = await touchedNames(parts, undefined, state, component)
  return [...(await packagesNamed(parts, state, component, all)).values()].flat()
}

/** So that these packages are listed anew. */
async function dropDamagedLists(parts: IndexParts, state: SuiteState): Promise<void> {
  for (const component of new Set(binaryIndexes(state).map((index) => index.component))) {
    for (const { sha256 } of await allPackages(parts, state, component)) {
      const list = (await readFileLists(parts.db, [sha256])).get(sha256)
      if (list !== undefined && !(await isSoundList(list))) await deleteFileList(parts.db, sha256)
    }
  }
}

/** Makes the lists that are not there yet, of packages that came before Contents were asked for; whether all are here then. */
async function listFiles(
  parts: IndexParts,
  packages: readonly ContentsPackage[],
): Promise<boolean> {
  const digests = [...new Set(packages.map(({ sha256 }) => sha256))]
  let isWhole = true
  for (const sha256 of await withoutFileList(parts.db, digests))
    if (!(await listOne(parts, sha256))) isWhole = false
  return isWhole
}

/** False for a package that is gone or damaged: it has no list, and stands in no Contents. */
async function listOne({ db, blobs }: IndexParts, sha256: Sha256): Promise<boolean> {
  try {
    const read = () => createReadStream(blobs.filePath(sha256))
    const deb = await checkInTurn(read, { listFiles: true })
    if (deb.sha256 !== sha256 || deb.fileList === undefined) return false
    await putFileList(db, sha256, deb.fileList)
    crashPoint('contents: a package listed')
    return true
  } catch (error) {
    if (!isAppError(error) && systemCode(error) !== 'ENOENT') throw error
    return false
  }
}
