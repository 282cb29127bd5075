/**
 * Walks from the heads down to the blobs and says what is missing or wrong, and what to do about it: generations and their
 * Releases (verify-history.ts), suite states, trees and chunks (verify-content.ts), files (verify-blobs.ts), the audit.
 *
 * Nothing is deleted meanwhile, so that what is told is true of one store; memory does not grow with the length of history.
 * Files that are damaged or gone are fetched again at the end (mend.ts).
 */
import { listNewestStates } from '../archives/archive-table.ts'
import { listEarlierStates } from '../archives/earlier-states.ts'
import type { Abortable } from '../base/abortable.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { listPinnedStates } from '../channels/pin-table.ts'
import { checkAudit } from '../store/audit.ts'
import { type Mended, mendFiles } from './mend.ts'
import { type DamagedFile, verifyBlobs } from './verify-blobs.ts'
import { verifyContent } from './verify-content.ts'
import { verifyHistory } from './verify-history.ts'
import { FROM_BACKUP, type VerifyProblem, type VerifyReport } from './verify-report.ts'

export interface VerifyInput {
  /** Reads and hashes every file and every row again. */
  readonly deep: boolean
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined
}

/** The report; it is never an error that something is wrong. */
export async function verifyStore(
  parts: ChannelParts,
  { deep, onProgress }: VerifyInput,
  { signal }: Abortable = {},
): Promise<VerifyReport> {
  const report: VerifyReport = {
    ...{ generations: 0, states: 0, chunks: 0, blobs: 0, problems: [] },
    files: { fetched: 0, waiting: 0, lost: 0 },
  }
  const damaged = await findProblems(parts, report, { deep, onProgress, signal })
  const isGone = new Map(damaged.map((one) => [one.sha256, one.isGone]))
  const onMended = (done: number, total: number): void => onProgress?.('fetched again', done, total)
  const options = { signal, onProgress: onMended }
  for (const mended of await mendFiles(parts, [...isGone.keys()], options)) {
    report.files[mended.outcome]++
    report.problems.push(fileProblem(mended, isGone.get(mended.sha256) === true))
  }
  return report
}

async function findProblems(
  parts: ChannelParts,
  report: VerifyReport,
  { deep, onProgress, signal }: VerifyInput & Abortable,
): Promise<DamagedFile[]> {
  const letGo = await parts.leases.hold()
  try {
    const states = await verifyHistory(parts, report, signal)
    const { kept } = await listEarlierStates(parts.db, parts.clock.now())
    for (const state of await listPinnedStates(parts.db)) states.add(state)
    for (const state of await listNewestStates(parts.db)) states.add(state)
    for (const { state } of kept) states.add(state)
    await verifyContent(parts, report, { states, onProgress, signal })
    const onAudit = (done: number, total: number): void => onProgress?.('audit', done, total)
    const { problem } = await checkAudit(parts.db, onAudit, { signal })
    if (problem !== undefined) report.problems.push({ what: 'audit', message: problem.message })
    return await verifyBlobs(parts, report, { deep, onProgress, signal })
  } finally {
    letGo()
  }
}

function fileProblem({ sha256, outcome, label, message }: Mended, isGone: boolean): VerifyProblem {
  const what = label === undefined ? `blob ${sha256}` : `blob ${sha256} ${label}`
  const was = isGone ? 'its file was gone' : 'its file was damaged and is put aside'
  if (outcome === 'fetched') return { what, outcome, message: `${was}; it was fetched again` }
  if (outcome === 'waiting') {
    return { what, outcome, message: `${was}; it is fetched again when wanted: ${message}` }
  }
  return { what, outcome, message: `${was}, and it is lost: ${message}`, hint: FROM_BACKUP }
}
