/**
 * Walks from the heads down to the blobs and says what is missing or wrong: generations, their Release files, suite
 * states, chunk lists, chunks. With `deep` every file is read and hashed again, and what is damaged is forgotten, so
 * that it is fetched anew.
 */
import { listArchives, listSuites } from '../archives/archive-table.ts'
import { readChunk } from '../archives/index-parts.ts'
import { readState } from '../archives/suite-state.ts'
import type { Abortable } from '../base/abortable.ts'
import { toAppError } from '../base/errors.ts'
import { breathe } from '../base/mutex.ts'
import { type Sha256, sha256Of, sha256Stream } from '../base/sha256.ts'
import { checkAudit } from '../store/audit.ts'
import { listFileBlobs } from '../store/blobs.ts'
import type { ChannelParts } from './channel-parts.ts'
import { listChannels } from './channel-table.ts'
import { listGenerationSuites, listGenerations } from './generation-table.ts'
import { describeIndex } from './index-forms.ts'
import { pdiffBlobsOfReleases } from './pdiff-table.ts'
import { listPinnedStates } from './pin-table.ts'
import { getRelease } from './publication-table.ts'

export interface VerifyReport {
  generations: number
  states: number
  chunks: number
  /** Files re-hashed: none unless deep. */
  blobs: number
  readonly problems: { what: string; message: string }[]
}

export interface VerifyInput {
  readonly deep: boolean
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined
}

/** The report; it is never an error that something is wrong. */
export async function verifyStore(
  parts: ChannelParts,
  input: VerifyInput,
  { signal }: Abortable = {},
): Promise<VerifyReport> {
  const report: VerifyReport = { generations: 0, states: 0, chunks: 0, blobs: 0, problems: [] }
  const states = await verifyGenerations(parts, report)
  for (const archive of await listArchives(parts.db)) {
    for (const { state } of await listSuites(parts.db, archive))
      if (state !== undefined) states.add(state)
  }
  await verifyStates(parts, report, states, input, signal)
  const onAudit = (done: number, total: number): void => input.onProgress?.('audit', done, total)
  const { problem } = await checkAudit(parts.db, onAudit, { signal })
  if (problem !== undefined) note(report, 'audit', problem.message)
  if (input.deep) await verifyFiles(parts, report, input, signal)
  return report
}

function note(report: VerifyReport, what: string, problem: unknown): void {
  const message = typeof problem === 'string' ? problem : toAppError(problem).message
  report.problems.push({ what, message })
}

async function verifyGenerations(parts: ChannelParts, report: VerifyReport): Promise<Set<Sha256>> {
  const states = new Set<Sha256>(await listPinnedStates(parts.db))
  const channels = await listChannels(parts.db)
  const ids = new Set(channels.map((channel) => channel.id))
  for (const channel of channels) {
    const generations = await listGenerations(parts.db, channel.id, 1_000_000)
    const hasHead = channel.head === 0 || generations.some(({ serial }) => serial === channel.head)
    if (!hasHead)
      note(report, `channel ${channel.name}`, `its head ${channel.head} is no generation`)
    if (channel.baseId !== undefined && !ids.has(channel.baseId))
      note(report, `channel ${channel.name}`, 'what it is based on is not there')
    for (const { serial } of generations) {
      report.generations++
      for (const suite of await listGenerationSuites(parts.db, channel.id, serial)) {
        states.add(suite.state)
        const what = `${channel.name}@${serial} ${suite.archive} ${suite.suite}`
        try {
          const { inRelease, release, releaseGpg } = await getRelease(parts.db, suite.releaseId)
          const here = await parts.blobs.present([inRelease, release, releaseGpg])
          if (here.size < 3) note(report, what, 'a Release file of it is missing')
          const pdiffs = await pdiffBlobsOfReleases(parts.db, [suite.releaseId])
          const isWhole = (await parts.blobs.present(pdiffs)).size === pdiffs.length
          if (!isWhole) note(report, what, 'a pdiff of it is missing')
        } catch (error) {
          note(report, what, error)
        }
      }
    }
  }
  return states
}

async function verifyStates(
  parts: ChannelParts,
  report: VerifyReport,
  states: ReadonlySet<Sha256>,
  { onProgress }: VerifyInput,
  signal: AbortSignal | undefined,
): Promise<void> {
  const seen = new Set<Sha256>()
  for (const digest of states) {
    signal?.throwIfAborted()
    report.states++
    try {
      const state = await readState(parts.blobs, digest)
      for (const [path, { sha256 }] of Object.entries(state.extras ?? {})) {
        if (!(await parts.blobs.has(sha256)))
          note(report, `state ${digest}`, `its file ${path} is missing`)
      }
      for (const { root } of state.indexes) {
        for (const chunk of (await parts.trees.read(root)).chunks) {
          if (seen.has(chunk.plain)) continue
          seen.add(chunk.plain)
          report.chunks++
          const text = await readChunk(parts, chunk)
          if (sha256Of(text) !== chunk.plain)
            note(report, `chunk ${chunk.plain}`, 'its text is not what its name says')
          if (report.chunks % 16 === 0) await breathe()
        }
        await describeIndex(parts, root)
      }
    } catch (error) {
      note(report, `state ${digest}`, error)
    }
    onProgress?.('suite states', report.states, states.size)
  }
}

async function verifyFiles(
  parts: ChannelParts,
  report: VerifyReport,
  { onProgress }: VerifyInput,
  signal: AbortSignal | undefined,
): Promise<void> {
  const files = await listFileBlobs(parts.db)
  for (const { sha256 } of files) {
    signal?.throwIfAborted()
    report.blobs++
    if ((await hashFile(parts, sha256)) !== sha256) {
      note(report, `blob ${sha256}`, 'its file is damaged or gone; it is fetched again when wanted')
      await parts.blobs.forget(sha256)
    }
    onProgress?.('files', report.blobs, files.length)
  }
}

async function hashFile(parts: ChannelParts, sha256: Sha256): Promise<Sha256 | undefined> {
  const open = await parts.blobs.openFile(sha256)
  if (open === undefined) return undefined
  const hash = sha256Stream()
  for await (const piece of open.handle.createReadStream({ highWaterMark: 1024 * 1024 })) {
    hash.update(piece as Buffer)
  }
  return hash.digest()
}
