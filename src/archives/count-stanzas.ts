/**
 * How much a suite state holds, by kind: each index counts by itself, so that a package of two architectures is two.
 */
import { type IndexState, isForInstaller, type SuiteState } from './suite-state.ts'

export interface StanzaCounts {
  /** Binary packages, the installer's apart. */
  readonly packages: number
  readonly sources: number
  /** Translation entries. */
  readonly descriptions: number
  /** Packages of the installer. */
  readonly udebs: number
  /** Files that are listed as they are. */
  readonly files: number
}

/** What the states hold, added up. */
export function countStanzas(states: readonly SuiteState[]): StanzaCounts {
  const indexes = states.flatMap((state) => state.indexes)
  const count = (isIt: (index: IndexState) => boolean): number =>
    indexes.filter(isIt).reduce((sum, index) => sum + index.stanzas, 0)
  return {
    packages: count((index) => index.kind === 'Packages' && !isForInstaller(index)),
    sources: count((index) => index.kind === 'Sources'),
    descriptions: count((index) => index.kind === 'Translation'),
    udebs: count(isForInstaller),
    files: states.reduce((sum, { extras = {} }) => sum + Object.keys(extras).length, 0),
  }
}
