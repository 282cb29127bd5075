/**
 * What an administrator has to look at besides what waits: suites that cannot be refreshed, keys of archives that end, files
 * that are lost, Releases that machines will refuse soon, channels that cannot follow their
 * base, policies that fail.
 */
import { listArchives, listSuites } from '../archives/archive-table.ts'
import { describeEnd, isEnding, signingEnds } from '../archives/key-health.ts'
import type { Abortable } from '../base/abortable.ts'
import { nowSeconds } from '../base/clock.ts'
import { formatSpan, plural } from '../base/words.ts'
import type { ChannelParts } from '../channels/channel-parts.ts'
import { type Channel, listChannels, titleOf } from '../channels/channel-table.ts'
import { countFiles } from '../keeping/file-counts.ts'
import { listPolicyRuns } from './policy-runs.ts'
import { listPolicies } from './policy-table.ts'

export interface Attention {
  readonly kind: 'refresh' | 'key' | 'lost' | 'valid-until' | 'base' | 'policy' | 'digest'
  readonly message: string
  /** What to do, or a command that tells more. */
  readonly hint: string
}

/** What fails shorter than this may be over before anybody has read of it. */
const REFRESH_FAILS_MS = 3600_000
/** A Release is signed anew seven days before its end: this late, something keeps it from that. */
const EXPIRES_SOON_MS = 5 * 24 * 3600_000

/** All of it, as it is now. */
export async function listAttention(
  parts: ChannelParts,
  abortable: Abortable = {},
): Promise<Attention[]> {
  const channels = await listChannels(parts.db)
  return [
    ...(await archiveTroubles(parts)),
    ...channels.flatMap((channel) => expiry(parts, channel) ?? []),
    ...channels.flatMap((channel) => baseTrouble(parts, channel) ?? []),
    ...(await policyTroubles(parts)),
    ...(await losses(parts, channels, abortable)),
  ]
}

async function archiveTroubles(parts: ChannelParts): Promise<Attention[]> {
  const now = parts.clock.now()
  const found: Attention[] = []
  for (const archive of await listArchives(parts.db)) {
    const suites = await listSuites(parts.db, archive)
    for (const { suite, problem } of suites) {
      if (problem === undefined || now - problem.since < REFRESH_FAILS_MS) continue
      const span = formatSpan(now - problem.since)
      found.push({
        kind: 'refresh',
        message: `${archive.name} ${suite} cannot be refreshed for ${span}: ${problem.message}`,
        hint: problem.hint ?? `sluice archive show ${archive.name}`,
      })
    }
    for (const end of await signingEnds(archive, suites, nowSeconds(parts.clock))) {
      if (isEnding(end)) found.push({ kind: 'key', ...describeEnd(archive.name, end) })
    }
  }
  return found
}

function expiry({ views, clock }: ChannelParts, { name }: Channel): Attention | undefined {
  const ends = (views.head(name)?.suites ?? []).map((suite) => suite.validUntil * 1000)
  const left = Math.min(...ends) - clock.now()
  if (left >= EXPIRES_SOON_MS) return undefined
  const what =
    left <= 0
      ? `has a Release past its Valid-Until for ${formatSpan(-left)}: machines refuse it`
      : `has a Release that machines refuse in ${formatSpan(left)}, and is not signed anew`
  return {
    kind: 'valid-until',
    message: `${titleOf(name)} ${what}`,
    hint: `the log tells why; ${showOf(name)}`,
  }
}

function baseTrouble({ derivation, clock }: ChannelParts, channel: Channel): Attention | undefined {
  const problem = derivation.problemOf(channel.id)
  if (problem === undefined) return undefined
  const span = formatSpan(clock.now() - problem.since)
  return {
    kind: 'base',
    message: `${titleOf(channel.name)} cannot follow its base for ${span}: ${problem.message}`,
    hint: showOf(channel.name),
  }
}

async function policyTroubles({ db }: ChannelParts): Promise<Attention[]> {
  const found: Attention[] = []
  for (const { id, name, enabled } of await listPolicies(db)) {
    // One may be under way.
    const runs = enabled ? await listPolicyRuns(db, id, 2) : []
    const last = runs.find(({ endedAt }) => endedAt !== undefined)
    if (last?.problem === undefined) continue
    found.push({
      kind: 'policy',
      message: `the last run of policy ${name} failed: ${last.problem}`,
      hint: `sluice policy history ${name}`,
    })
  }
  return found
}

async function losses(
  parts: ChannelParts,
  channels: readonly Channel[],
  abortable: Abortable,
): Promise<Attention[]> {
  const lost = await parts.ledger.look(async (books) => {
    const counts: [Channel, number][] = []
    for (const channel of channels) {
      const own = books.generations.filter((one) => one.channel.name === channel.name)
      counts.push([channel, (await countFiles(parts, books, own)).lost.files])
    }
    return counts
  }, abortable)
  return lost
    .filter(([, files]) => files > 0)
    .map(([{ name }, files]) => ({
      kind: 'lost',
      message: `${titleOf(name)} names ${plural(files, 'file')} that nobody has any more`,
      hint: showOf(name),
    }))
}

function showOf(name: string): string {
  return `sluice ${titleOf(name).replace(' ', ' show ')}`
}
