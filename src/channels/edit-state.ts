/**
 * A suite state with some stanzas of its indexes replaced; what nobody touched is the same to the byte.
 */
import { editIndex } from '../archives/index-edit.ts'
import type { IndexParts } from '../archives/index-parts.ts'
import { measure } from '../archives/index-tree.ts'
import { type IndexState, isSameIndex, type SuiteState } from '../archives/suite-state.ts'
import type { IndexDiff } from './diff.ts'

/** The state after these differences, of which any number may be of one index; those of indexes that it lacks are passed over. */
export async function editState(
  parts: IndexParts,
  state: SuiteState,
  diffs: readonly IndexDiff[],
): Promise<SuiteState> {
  const indexes: IndexState[] = []
  for (const index of state.indexes) {
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
  const { archive, suite, identity, extras } = state
  return { archive, suite, identity, indexes, ...(extras === undefined ? {} : { extras }) }
}
