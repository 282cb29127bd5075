/**
 * Changes of a small archive, written in short, and what they break: by the gate's verdict, and by another judge's.
 */
import { join } from 'node:path'
import t from 'tap'
import { aptBroken } from './apt-judge.ts'
import { doseBroken, gateBroken, newly, stanza } from './dose.ts'
import { testDir } from './test-dir.ts'

export interface GateCase {
  readonly title: string
  readonly kept?: readonly string[]
  readonly removed?: readonly string[]
  readonly added?: readonly string[]
  readonly broken: readonly string[]
  readonly architecture?: string
}

/** A test for each case: dose-debcheck says the same. */
export function judgeWithDose(cases: readonly GateCase[]): void {
  for (const one of cases) {
    t.test(one.title, async (t) => {
      const { architecture } = one
      const { before, after, ...change } = stanzasOf(one)
      t.same(await gateBroken({ before, ...change }, architecture), one.broken, 'the gate')
      const dir = testDir(t)
      const known = await doseBroken(dir, before, architecture)
      t.same(newly(known, await doseBroken(dir, after, architecture)), one.broken, 'dose-debcheck')
    })
  }
}

/** A test for each case: apt says the same. */
export function judgeWithApt(cases: readonly GateCase[]): void {
  for (const one of cases) {
    t.test(one.title, async (t) => {
      const { before, after, ...change } = stanzasOf(one)
      t.same(await gateBroken({ before, ...change }), one.broken, 'the gate')
      const dir = testDir(t)
      const known = await aptBroken(join(dir, 'before'), before)
      t.same(newly(known, await aptBroken(join(dir, 'after'), after)), one.broken, 'apt')
    })
  }
}

type Stanzas = Record<'before' | 'after' | 'removed' | 'added', readonly string[]>

function stanzasOf(one: GateCase): Stanzas {
  const [kept, removed, added] = [one.kept, one.removed, one.added].map((list) =>
    (list ?? []).map(stanza),
  )
  return {
    before: [...(kept ?? []), ...(removed ?? [])],
    after: [...(kept ?? []), ...(added ?? [])],
    removed: removed ?? [],
    added: added ?? [],
  }
}
