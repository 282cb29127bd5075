/**
 * States of the suites of local archives: what they look like before anything was uploaded, and after stanzas were put in or
 * taken out. A package of all architectures stands in the index of each, as everywhere.
 */
import type { Archive } from './archive-table.ts'
import { editIndex } from './index-edit.ts'
import { chunksAt, type IndexEntry, type IndexParts, readEntries } from './index-parts.ts'
import { measure } from './index-tree.ts'
import { findIndex, type IndexName, type IndexState, type SuiteState } from './suite-state.ts'

/** Stanzas of one component, binary and source packages together. */
export interface LocalEdit {
  readonly component: string
  readonly add: readonly IndexEntry[]
  readonly remove: readonly IndexEntry[]
}

/**
 * The state that a suite has by the archive's settings: an index for each component and architecture, and one of sources. What
 * `old` has is kept; an architecture that is new begins with the packages of all.
 */
export async function shapeState(
  parts: IndexParts,
  { name, settings }: Pick<Archive, 'name' | 'settings'>,
  suite: string,
  old: SuiteState | undefined,
): Promise<SuiteState> {
  const indexes: IndexState[] = []
  for (const component of settings.components) {
    const names: IndexName[] = [
      ...settings.architectures.map(
        (architecture): IndexName => ({ kind: 'Packages', component, architecture }),
      ),
      { kind: 'Sources', component, architecture: 'source' },
    ]
    for (const index of names) {
      const known = findIndex(old, index)
      indexes.push(known ?? (await newIndex(parts, index, old)))
    }
  }
  const names = { origin: name, label: name, suite, codename: suite }
  const identity = old?.identity ?? { ...names, notAutomatic: false, butAutomaticUpgrades: false }
  const ownContents = settings.extras?.includes('contents') ? 'wanted' : undefined
  return { archive: name, suite, identity, indexes, ownContents }
}

async function newIndex(
  parts: IndexParts,
  name: IndexName,
  old: SuiteState | undefined,
): Promise<IndexState> {
  const like = old?.indexes.find(
    (one) => one.kind === 'Packages' && one.component === name.component,
  )
  const add: IndexEntry[] = []
  if (name.kind === 'Packages' && like !== undefined) {
    for (const chunk of await chunksAt(parts, like.root)) {
      const entries = await readEntries(parts, chunk, 'Packages')
      add.push(...entries.filter((entry) => entry.architecture === 'all'))
    }
  }
  return editedIndex(parts, name, undefined, { component: name.component, add, remove: [] })
}

/** The state after these edits; chunks and trees are in the store on return, the state itself is not. */
export async function editState(
  parts: IndexParts,
  state: SuiteState,
  edits: readonly LocalEdit[],
): Promise<SuiteState> {
  const indexes: IndexState[] = []
  for (const index of state.indexes) {
    const own = edits.filter((edit) => edit.component === index.component)
    const add = own.flatMap((edit) => edit.add).filter((entry) => belongs(entry, index))
    const remove = own.flatMap((edit) => edit.remove).filter((entry) => belongs(entry, index))
    const isSame = add.length === 0 && remove.length === 0
    const edit = { component: index.component, add, remove }
    indexes.push(isSame ? index : await editedIndex(parts, index, index, edit))
  }
  return { ...state, indexes }
}

function belongs({ kind, architecture }: IndexEntry, index: IndexName): boolean {
  return kind === index.kind && [index.architecture, 'all'].includes(architecture)
}

async function editedIndex(
  parts: IndexParts,
  { kind, component, architecture }: IndexName,
  old: IndexState | undefined,
  edit: LocalEdit,
): Promise<IndexState> {
  const root = await editIndex(parts, old?.root, edit)
  const { stanzas, plainSize } = measure(await chunksAt(parts, root))
  return { kind, component, architecture, root, stanzas, plainSize }
}
