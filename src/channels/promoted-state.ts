/**
 * What a suite of a channel holds after a promotion: the stanzas of the plan are put in place of those that were there,
 * Translations go with the packages, and files that are listed as they are come from the channel promoted from;
 * Contents that are made here are those of the packages that it then has.
 *
 * Where the channel had no index of sources (they were just switched on), it gets the one that it is promoted from,
 * without the source packages in which the two differ after this promotion: it holds no binaries of these versions.
 */
import { editIndex } from '../archives/index-edit.ts'
import { chunksAt, type IndexParts } from '../archives/index-parts.ts'
import { measure } from '../archives/index-tree.ts'
import { fitContents } from '../archives/own-contents.ts'
import {
  findIndex,
  type IndexName,
  type IndexState,
  isSameIndex,
  type SuiteState,
} from '../archives/suite-state.ts'
import type { Sha256 } from '../base/sha256.ts'
import { carryTranslations } from './carry-translations.ts'
import { diffStates, type IndexDiff, indexNames, lacksSources, sourcesIn } from './diff.ts'
import type { SuitePlan } from './plan.ts'

/** The state after the plan; its indexes are in the store on return. */
export async function promotedState(parts: IndexParts, plan: SuitePlan): Promise<SuiteState> {
  const { archive, suite, old, from, diffs } = plan
  const indexes: IndexState[] = []
  for (const name of indexNames(old, from)) {
    if (name.kind === 'Translation') continue
    const root = await promotedRoot(parts, plan, name)
    const { stanzas, plainSize } = measure(await chunksAt(parts, root))
    indexes.push({ ...name, root, stanzas, plainSize })
  }
  const translations = await carryTranslations(parts, { old, donors: [from], indexes, diffs })
  return fitContents(parts, old, {
    archive,
    suite,
    identity: old?.identity ?? from.identity,
    indexes: [...indexes, ...translations],
    extras: from.extras,
    plainForms: from.plainForms,
    ownContents: from.ownContents,
  })
}

async function promotedRoot(parts: IndexParts, plan: SuitePlan, name: IndexName): Promise<Sha256> {
  const { old, from, diffs } = plan
  const before = findIndex(old, name)?.root
  const offered = findIndex(from, name)?.root
  if (offered !== undefined && name.kind === 'Sources' && lacksSources(old, name)) {
    return editIndex(parts, offered, { remove: await unlike(parts, plan, name), add: [] })
  }
  const diff = diffs.find((one) => isSameIndex(one, name))
  if (diff === undefined && before !== undefined) return before
  return editIndex(parts, before, { remove: diff?.removed ?? [], add: diff?.added ?? [] })
}

/** The stanzas of sources in which the two states differ, and go on to differ. */
async function unlike(
  parts: IndexParts,
  { old, from, diffs }: SuitePlan,
  name: IndexName,
): Promise<IndexDiff['added']> {
  const promoted = sourcesIn(diffs)
  const all = await diffStates(parts, old, from, 'all')
  const own = all.find((diff) => isSameIndex(diff, name))
  return (own?.added ?? []).filter((entry) => !promoted.has(entry.source))
}
