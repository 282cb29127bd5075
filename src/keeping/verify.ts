/**
 * Walks from the heads down to the blobs and says what is missing or wrong, and what to do about it: generations and their
 * Releases (verify-history.ts), suite states, trees and chunks (verify-content.ts), files (verify-blobs.ts), the audit.
 *
 * Nothing is deleted meanwhile, so that what is told is true of one store; memory does not grow with the length of history.
 */
import { listNewestStates } from '../archives/archive-table.ts'
import { listEarlierStates } from '../archives/earlier-states.ts'
import type { Abortable } from '../base/abortable.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { listPinnedStates } from '../channels/pin-table.ts'
import { checkAudit } from '../store/audit.ts'
import { verifyBlobs } from './verify-blobs.ts'
import { verifyContent } from './verify-content.ts'
import { verifyHistory } from './verify-history.ts'
import type { VerifyReport } from './verify-report.ts'

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
  const report: VerifyReport = { generations: 0, states: 0, chunks: 0, blobs: 0, problems: [] }
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
    await verifyBlobs(parts, report, { deep, onProgress, signal })
    return report
  } finally {
    letGo()
  }
}
