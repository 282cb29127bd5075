/**
 * Changes of what a local archive holds: stanzas put in or taken out of its suites, all in one transaction with whatever is
 * written besides (the rows of uploads, the audit). The caller holds the archive's lock.
 */
import { AppError } from '../base/errors.ts'
import { crashPoint } from '../base/fault.ts'
import type { Sha256 } from '../base/sha256.ts'
import { putRows } from '../store/blobs.ts'
import { type Db, inTransaction } from '../store/database.ts'
import type { ArchiveParts } from './archive-parts.ts'
import { type Archive, listSuites, saveSuite } from './archive-table.ts'
import { editState, type LocalEdit, shapeState } from './local-state.ts'
import { listAhead } from './own-contents.ts'
import { encodeState, readState, type SuiteState } from './suite-state.ts'

/** What of an archive's parts is needed for it. */
export type LocalParts = Pick<
  ArchiveParts,
  'db' | 'blobs' | 'trees' | 'texts' | 'members' | 'clock'
>

/** Refuses an archive of somebody else. */
export function assertLocal({ name, settings }: Archive): void {
  if (settings.kind === 'local') return
  throw new AppError('ERR_REFUSED', {
    message: `${name} is an archive of somebody else: nothing is published to it`,
    hint: 'sluice archive create NAME --suite S makes one of your own',
  })
}

/** The state of a suite after these edits, in the shape that the archive's settings ask for. */
async function editedSuite(
  parts: LocalParts,
  archive: Archive,
  suite: string,
  edits: readonly LocalEdit[],
): Promise<SuiteState> {
  const known = (await listSuites(parts.db, archive)).find((one) => one.suite === suite)
  const old = known?.state === undefined ? undefined : await readState(parts.blobs, known.state)
  const shaped = await shapeState(parts, archive, suite, old)
  return editState(parts, shaped, edits)
}

/** Makes these edits of suites, and writes what is `also` to be written with them. */
export async function changeLocal(
  parts: LocalParts,
  archive: Archive,
  edits: ReadonlyMap<string, readonly LocalEdit[]>,
  also: (trx: Db) => Promise<void>,
): Promise<void> {
  const states: SuiteState[] = []
  for (const [suite, some] of edits) states.push(await editedSuite(parts, archive, suite, some))
  await writeStates(parts, archive, states, async (trx) => {
    await also(trx)
    return undefined
  })
}

/** Gives each suite the indexes that the archive's settings ask for, and writes what is `also` to be written with them. */
export async function shapeLocal(
  parts: LocalParts,
  archive: Archive,
  also: (trx: Db) => Promise<Archive>,
): Promise<Archive> {
  const states: SuiteState[] = []
  for (const suite of archive.settings.suites)
    states.push(await editedSuite(parts, archive, suite, []))
  let made = archive
  const before = async (trx: Db): Promise<Archive> => {
    made = await also(trx)
    return made
  }
  await writeStates(parts, archive, states, before)
  return made
}

/** Reads the packages that are here for the Contents that are to be asked for: that takes long, and needs no lock. */
export async function listFilesAhead(parts: LocalParts, archive: Archive): Promise<void> {
  if (archive.settings.kind !== 'local') return
  for (const { state } of await listSuites(parts.db, archive))
    if (state !== undefined) await listAhead(parts, await readState(parts.blobs, state))
}

async function writeStates(
  parts: LocalParts,
  archive: Archive,
  states: readonly SuiteState[],
  also: (trx: Db) => Promise<Archive | undefined>,
): Promise<void> {
  const known = new Map<string, Sha256 | undefined>()
  for (const { suite, state } of await listSuites(parts.db, archive)) known.set(suite, state)
  crashPoint('local: before the states')
  await inTransaction(parts.db, async (trx) => {
    const { id } = (await also(trx)) ?? archive
    for (const state of states) {
      const { digest, blob } = encodeState(state)
      await putRows(trx, [blob])
      if (known.get(state.suite) === digest) continue
      const now = parts.clock.now()
      const times = { checkedAt: now, changedAt: now }
      await saveSuite(trx, id, { suite: state.suite, state: digest, ...times })
    }
    crashPoint('local: before the commit')
  })
  crashPoint('local: states written')
}
