/**
 * A suite state with some stanzas of its indexes replaced, its translations with them; what nobody touched is the same to
 * the byte.
 */
import { editIndex } from '../archives/index-edit.ts'
import type { IndexParts } from '../archives/index-parts.ts'
import { measure } from '../archives/index-tree.ts'
import { fitContents } from '../archives/own-contents.ts'
import {
  findIndex,
  type IndexState,
  isSameIndex,
  type SuiteState,
} from '../archives/suite-state.ts'
import { carryTranslations } from './carry-translations.ts'
import type { IndexDiff } from './diff.ts'

/**
 * The state after these differences, of which any number may be of one index; those of indexes that it lacks are passed
 * over. `donors` are the states that stanzas came from.
 */
export async function editState(
  parts: IndexParts,
  state: SuiteState,
  diffs: readonly IndexDiff[],
  donors: readonly SuiteState[],
): Promise<SuiteState> {
  const indexes: IndexState[] = []
  for (const index of state.indexes.filter(({ kind }) => kind !== 'Translation')) {
    const own = diffs.filter((diff) => isSameIndex(diff, index))
    if (own.length === 0) {
      indexes.push(index)
      continue
    }
    const root = await editIndex(parts, index.root, {
      remove: own.flatMap((diff) => diff.removed),
      add: own.flatMap((diff) => diff.added),
    })
    const { stanzas, plainSize } = measure((await parts.trees.read(root)).chunks)
    indexes.push({ ...index, root, stanzas, plainSize })
  }
  const translations = await carryTranslations(parts, { old: state, donors, indexes, diffs })
  const own = translations.filter((index) => findIndex(state, index) !== undefined)
  const { upstream: _, ...same } = state
  return fitContents(parts, state, { ...same, indexes: [...indexes, ...own] })
}
