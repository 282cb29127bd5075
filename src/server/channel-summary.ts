/**
 * What the API tells of a channel.
 */

import { countStanzas } from '../archives/count-stanzas.ts'
import { binaryIndexes, languagesOf, readState } from '../archives/suite-state.ts'
import { findDifferences } from '../channels/adopt-release.ts'
import { type Channel, listChannels } from '../channels/channel-table.ts'
import { publicationOf } from '../channels/ensure-publication.ts'
import { listGenerations } from '../channels/generation-table.ts'
import { listPending } from '../channels/pending.ts'
import type { GenerationView } from '../channels/views.ts'
import { retentionOf } from '../keeping/retention.ts'
import { findPublication } from '../signing/publication-table.ts'
import type { ApiContext } from './api-context.ts'
import { summarizeBase, summarizeOwn } from './based-summary.ts'
import { countClients } from './channel-clients.ts'
import { countLost, describeFiles } from './channel-files.ts'
import { retentionSettings } from './gc.ts'
import { keysOf } from './key-summary.ts'
import type { ServerParts, Waiting } from './parts.ts'
import { setupOf } from './setups.ts'

/** Channel and serial of a generation. */
export function named({ channel, serial }: GenerationView): { channel: string; serial: number } {
  return { channel, serial }
}

/** How many binary packages a generation offers, over all its indexes. */
export async function countPackages(
  parts: ServerParts,
  view: GenerationView | undefined,
): Promise<number> {
  let packages = 0
  for (const { state } of view?.suites ?? [])
    packages += countStanzas([await readState(parts.blobs, state)]).packages
  return packages
}

/** What a list of channels tells of one. */
export async function summarize(
  parts: ServerParts,
  channel: Channel,
  isNew = false,
): Promise<Record<string, unknown>> {
  const { name, kind, follows, head } = channel
  const view = parts.views.head(name)
  const [newest] = await listGenerations(parts.db, channel.id, 1)
  return {
    name,
    kind,
    follows,
    head,
    packages: await countPackages(parts, view),
    changedAt: newest?.madeAt ?? channel.madeAt,
    base: await summarizeBase(parts, channel),
    waiting: kind !== 'curated' || isNew ? null : await countWaiting(parts, channel, view),
    suites: view?.suites.length ?? 0,
    lost: await countLost(parts, name),
    validUntil: Math.min(...(view?.suites ?? []).map((suite) => suite.validUntil)),
  }
}

/** How many sources the first following channel has differently, and how many of these for security. */
async function countWaiting(
  parts: ServerParts,
  channel: Channel,
  view: GenerationView | undefined,
): Promise<Waiting | null> {
  const following = (await listChannels(parts.db)).find((one) => one.kind === 'following')
  const source = following && parts.views.head(following.name)
  if (following === undefined || source === undefined) return null
  // Generations never change, and so neither does what differs between two of them.
  const key = [following.id, source.serial, channel.id, view?.serial, channel.keepsPhasing].join(
    ' ',
  )
  const known = parts.waiting.get(key)
  if (known !== undefined) return known
  const pending = await listPending(parts, { channel: following, view: source }, view)
  const security = pending.filter((one) => one.isSecurity).length
  const waiting = { sources: pending.length, security }
  parts.waiting.set(key, waiting)
  return waiting
}

/** All that is told of a channel. */
export async function show(
  context: ApiContext,
  channel: Channel,
  isNew = false,
): Promise<Record<string, unknown>> {
  const { parts } = context
  const view = parts.views.head(channel.name)
  const publication = await findPublication(parts.db, publicationOf(channel.name))
  const keys = publication && (await keysOf(context, publication))
  const suiteList: Record<string, unknown>[] = []
  for (const { archive, suite, names, date, validUntil, state } of view?.suites ?? []) {
    const held = await readState(parts.blobs, state)
    const binary = binaryIndexes(held)
    suiteList.push({
      archive,
      suite,
      names,
      components: [...new Set(binary.map((index) => index.component))],
      architectures: [...new Set(binary.map((index) => index.architecture))],
      ...countStanzas([held]),
      languages: languagesOf(held),
      date,
      validUntil,
      state,
    })
  }
  const setup = view === undefined ? undefined : await setupOf(context, channel.name)
  return {
    ...(await summarize(parts, channel, isNew)),
    fingerprint: keys?.fingerprint,
    keys,
    keySha256: setup?.keySha256,
    setup,
    suiteList,
    clients: await countClients(parts, channel),
    keeps: retentionOf(channel, retentionSettings(parts)),
    keepsPhasing: channel.keepsPhasing,
    ...(await describeFiles(parts, channel)),
    ...(await summarizeOwn(parts, channel)),
    differences: await findDifferences(parts, channel.name),
  }
}
