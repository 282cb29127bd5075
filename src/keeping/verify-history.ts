/**
 * Checks the histories of channels: heads, generations, their signed Releases with pdiffs, and that no Release is newer than
 * the Date floor of its publication. Each Release is looked at once, however many generations have it.
 */
import { indexPath, readState } from '../archives/suite-state.ts'
import { breathe } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type Channel, listChannels, titleOf } from '../channels/channel-table.ts'
import { publicationOf } from '../channels/ensure-publication.ts'
import { listNamedSuites, listSerials, type NamedSuite } from '../channels/generation-removal.ts'
import { listForms } from '../channels/index-forms.ts'
import { pdiffBlobsOfReleases } from '../channels/pdiff-table.ts'
import { findPublication, findPublishedIdentity, getRelease } from '../signing/publication-table.ts'
import { absentBlobs } from '../store/blob-removal.ts'
import { readRows } from '../store/blobs.ts'
import { FROM_BACKUP, problemOf, type VerifyProblem, type VerifyReport } from './verify-report.ts'

const GENERATIONS_AT_ONCE = 50

/** The states that generations name. */
export async function verifyHistory(
  parts: ChannelParts,
  report: VerifyReport,
  signal: AbortSignal | undefined,
): Promise<Set<Sha256>> {
  const states = new Set<Sha256>()
  const channels = await listChannels(parts.db)
  const ids = new Set(channels.map((channel) => channel.id))
  for (const channel of channels) {
    const what = titleOf(channel.name)
    const serials = (await listSerials(parts.db, channel.id)).map(({ serial }) => serial)
    report.generations += serials.length
    if (channel.head !== 0 && !serials.includes(channel.head)) {
      const message = `its head ${channel.head} is no generation`
      report.problems.push({ what, message, hint: FROM_BACKUP })
    }
    if (channel.baseId !== undefined && !ids.has(channel.baseId)) {
      const message = 'what it is based on is not there'
      const hint = `sluice channel set ${channel.name} --base CHANNEL`
      report.problems.push({ what, message, hint })
    }
    const found = await verifyGenerations(parts, channel, { serials, states }, signal)
    // What was dropped meanwhile is no problem.
    const kept = new Set((await listSerials(parts.db, channel.id)).map(({ serial }) => serial))
    report.problems.push(
      ...found.filter(({ serial }) => kept.has(serial)).map(({ problem }) => problem),
    )
  }
  return states
}

interface Found {
  readonly serial: number
  readonly problem: VerifyProblem
}

async function verifyGenerations(
  parts: ChannelParts,
  channel: Channel,
  { serials, states }: { readonly serials: readonly number[]; readonly states: Set<Sha256> },
  signal: AbortSignal | undefined,
): Promise<Found[]> {
  const found: Found[] = []
  const seen = new Set<number>()
  const publication = await findPublication(parts.db, publicationOf(channel.name))
  for (let at = 0; at < serials.length; at += GENERATIONS_AT_ONCE) {
    signal?.throwIfAborted()
    const some = serials.slice(at, at + GENERATIONS_AT_ONCE)
    for (const suite of await listNamedSuites(parts.db, channel.id, some)) {
      if (suite.state !== undefined) states.add(suite.state)
      if (seen.has(suite.releaseId)) continue
      seen.add(suite.releaseId)
      const { serial } = suite
      const what = `${channel.name}@${serial} ${suite.archive} ${suite.suite}`
      const note = (problem: Omit<VerifyProblem, 'what'>): void => {
        found.push({ serial, problem: { what, ...problem } })
      }
      try {
        await verifyRelease(parts, suite, publication?.id, note)
      } catch (error) {
        note(problemOf(what, error))
      }
      await breathe()
    }
  }
  return found
}

async function verifyRelease(
  parts: ChannelParts,
  suite: NamedSuite,
  publicationId: number | undefined,
  note: (problem: Omit<VerifyProblem, 'what'>) => void,
): Promise<void> {
  const { db } = parts
  const { inRelease, release, releaseGpg, date } = await getRelease(db, suite.releaseId)
  const files = await absentBlobs(db, [inRelease, release, releaseGpg])
  if (files.length > 0) note({ message: 'a Release file of it is missing', hint: FROM_BACKUP })
  const pdiffs = await absentBlobs(db, await pdiffBlobsOfReleases(db, [suite.releaseId]))
  if (pdiffs.length > 0) note({ message: 'a pdiff of it is missing', hint: FROM_BACKUP })
  const identity =
    publicationId === undefined
      ? undefined
      : await findPublishedIdentity(db, publicationId, suite.archive, suite.suite)
  if (identity === undefined || date > identity.dateFloor) {
    const message =
      'its Date is later than the floor: the next Release could be older than this one'
    note({ message, hint: FROM_BACKUP })
  }
  if (suite.state === undefined) {
    note({ message: 'it names no suite state', hint: FROM_BACKUP })
    return
  }
  if (files.length === 0) await compareForms(parts, suite.state, release, note)
}

/** What the Release lists must be what is made of the chunks. */
async function compareForms(
  parts: ChannelParts,
  digest: Sha256,
  release: Sha256,
  note: (problem: Omit<VerifyProblem, 'what'>) => void,
): Promise<void> {
  const { indexes } = await readState(parts.blobs, digest)
  const [text = Buffer.alloc(0)] = await readRows(parts.db, [release])
  const forms = await listForms(
    parts.db,
    indexes.map((index) => index.root),
  )
  for (const index of indexes) {
    const gz = forms.get(index.root)?.gz
    if (gz === undefined || text.includes(` ${gz.sha256} `)) continue
    note({ message: `its Release names other bytes as ${indexPath(index)}.gz`, hint: FROM_BACKUP })
  }
}
