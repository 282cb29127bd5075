/**
 * How channels, their histories and differences are shown.
 *
 * A curated channel stands still until somebody promotes, security fixes too: wherever one is shown, that is said.
 */
import type { ChannelAnswer, ChannelEntry, GenerationAnswer, RollbackAnswer } from './api-types.ts'
import { baseText, differenceLines, pinLines } from './based-report.ts'
import { clientsPair } from './client-report.ts'
import { filePairs, lostLines, lostNote } from './file-report.ts'
import { rotationLines } from './key-report.ts'
import { setupLines } from './setup-lines.ts'
import { type Column, countColumn, renderPairs, renderTable } from './table.ts'
import {
  formatAgo,
  formatChange,
  formatCount,
  formatSpan,
  formatTime,
  longFingerprint,
  printable,
  someOf,
} from './words.ts'

const EXPIRES_SOON_MS = 4 * 86_400_000
const SHOWN_CHANGES = 100

/** A line for each channel. */
export function channelTable(
  channels: readonly ChannelEntry[],
  width: number | undefined,
): string[] {
  if (channels.length === 0) {
    return ['no channels yet: sluice channel create testing --follow ARCHIVE']
  }
  const now = Date.now()
  const columns: Column<ChannelEntry>[] = [
    { title: 'CHANNEL', value: (one) => one.name, isWhole: true },
    { title: 'KIND', value: kindText },
    { title: 'GENERATION', value: (one) => String(one.head), align: 'right', isWhole: true },
    { title: 'PACKAGES', value: (one) => formatCount(one.packages), align: 'right', isWhole: true },
    { title: 'CHANGED', value: (one) => formatAgo(now - one.changedAt) },
    { title: 'WAITING', value: waitingText, align: 'right', isWhole: true },
    ...(channels.some((one) => one.lost > 0)
      ? [{ title: 'LOST FILES', value: lostText, align: 'right', isWhole: true } as const]
      : []),
    { title: 'STATE', value: (one) => channelState(one, now), isWhole: true },
  ]
  const curated = channels.filter((one) => one.kind === 'curated').map((one) => one.name)
  return [
    ...renderTable(columns, channels, width),
    ...(curated.length > 0 ? [standsStill(curated)] : []),
  ]
}

/** `following nut`; `curated`; `derived of approved`. */
function kindText({ kind, base }: ChannelEntry): string {
  return base === undefined ? kind : `${kind} of ${base.channel}`
}

function waitingText({ waiting }: ChannelEntry): string {
  return waiting === null ? '–' : formatCount(waiting.sources)
}

function lostText({ lost }: ChannelEntry): string {
  return lost === 0 ? '–' : formatCount(lost)
}

/** What to know of a channel at a glance. */
export function channelState(channel: ChannelEntry, now: number): string {
  if (channel.head === 0) return 'empty'
  const expires = expiryState(channel, now)
  if (expires !== undefined) return expires
  if (channel.base?.problem !== undefined) return `CANNOT FOLLOW ${channel.base.channel}`
  if (channel.base?.isBehind === true) return `about to follow ${channel.base.channel}`
  if (channel.waiting === null) return 'ok'
  const { sources, security } = channel.waiting
  if (sources === 0) return 'ok, no security fix is waiting'
  const wait = `${formatCount(sources)} ${sources === 1 ? 'waits' : 'wait'}`
  return security > 0
    ? `${wait}, ${formatCount(security)} for SECURITY`
    : `${wait}, none for security`
}

/** That machines refuse it, or will soon; undefined while that is far. */
export function expiryState(
  { validUntil }: Pick<ChannelEntry, 'validUntil'>,
  now: number,
): string | undefined {
  const expiry = validUntil === null ? undefined : validUntil * 1000 - now
  if (expiry !== undefined && expiry <= 0)
    return `EXPIRED ${formatAgo(-expiry)}: machines refuse it`
  if (expiry !== undefined && expiry < EXPIRES_SOON_MS) return `expires in ${formatSpan(expiry)}`
  return undefined
}

function standsStill(names: readonly string[]): string {
  const verb = names.length === 1 ? 'changes' : 'change'
  return `${names.join(', ')} ${verb} only when you promote: no security fix arrives there by itself`
}

/** All of a channel, and how a machine gets on it. */
export function describeChannel(channel: ChannelAnswer, width: number | undefined): string[] {
  const now = Date.now()
  const { name, kind, follows, base, head, fingerprint, setup, usedBy } = channel
  const users = [...usedBy.derived, ...usedBy.classes.map((one) => `class ${one}`)]
  const pairs = renderPairs([
    ['channel', name],
    ['kind', kind === 'following' ? `following ${follows.join(', ')}` : kind],
    ...(base === undefined ? [] : [['based on', baseText(base)] as const]),
    ...(base === undefined || follows.length === 0
      ? []
      : [['follows', follows.join(', ')] as const]),
    ...(users.length === 0 ? [] : [['used by', users.join(', ')] as const]),
    ['generation', `${head}, ${formatAgo(now - channel.changedAt)}`],
    ['keeps', keptText(channel.keeps)],
    ...(channel.keepsPhasing ? [['phasing', 'of what is promoted stays'] as const] : []),
    ['state', channelState(channel, now)],
    ...(head === 0 ? [] : [...filePairs(channel), clientsPair(channel.clients)]),
    ...(fingerprint === undefined ? [] : [['key', longFingerprint(fingerprint)] as const]),
    ...(channel.keys?.keys ?? [])
      .filter((key) => key.state === 'next')
      .map((key) => ['next key', longFingerprint(key.fingerprint)] as const),
    ...(setup === undefined
      ? []
      : [['key file', `${setup.keyUrl}  SHA256:${setup.keySha256}`] as const]),
  ])
  return [
    ...pairs,
    ...(kind === 'curated' ? [standsStill([name])] : []),
    ...(channel.keys === undefined ? [] : rotationLines(channel.keys, now)),
    ...differenceLines(`sluice channel adopt-release ${name}`, channel.differences),
    '',
    ...suiteTable(channel.suiteList, width),
    ...(channel.pins.length === 0 ? [] : ['', ...pinLines(channel.pins, width)]),
    ...lostLines(channel, width),
    ...(setup === undefined ? [] : ['', ...setupLines(setup)]),
  ]
}

/** `its newest 100 generations, and all of the last 30 days`. */
export function keptText({ generations, days }: ChannelAnswer['keeps']): string {
  return `its newest ${generations} generations, and all of the last ${days} days`
}

/** The suites of a channel or class. */
export function suiteTable(
  suites: ChannelAnswer['suiteList'],
  width: number | undefined,
): string[] {
  const columns: Column<ChannelAnswer['suiteList'][number]>[] = [
    { title: 'ARCHIVE', value: (one) => one.archive, isWhole: true },
    { title: 'SUITE', value: (one) => one.names.join(', ') },
    { title: 'COMPONENTS', value: (one) => one.components.join(' ') },
    { title: 'ARCH', value: (one) => one.architectures.join(' ') },
    { title: 'PACKAGES', value: (one) => formatCount(one.packages), align: 'right' },
    ...countColumn('SOURCES', suites, (one) => one.sources),
    { title: 'SIGNED', value: (one) => formatTime(one.date * 1000) },
    { title: 'VALID UNTIL', value: (one) => formatTime(one.validUntil * 1000), isWhole: true },
  ]
  return suites.length > 0 ? renderTable(columns, suites, width) : ['it holds nothing yet']
}

/** The generations of a channel. */
export function historyTable(
  generations: readonly GenerationAnswer[],
  width: number | undefined,
): string[] {
  if (generations.length === 0) return ['no generation']
  // Half of a wide terminal is for what changed; the rest of a cell that is too long is cut.
  const shown = width === undefined ? 5 : Math.max(2, Math.floor(width / 50))
  const columns: Column<GenerationAnswer>[] = [
    {
      title: 'GENERATION',
      value: (one) => `${one.serial}${one.isHead ? ' *' : ''}`,
      isWhole: true,
    },
    { title: 'MADE', value: (one) => formatTime(one.madeAt), isWhole: true },
    { title: 'BY', value: (one) => one.who },
    { title: 'HOW', value: (one) => one.kind },
    { title: 'CHANGES', value: (one) => changesText(one, shown) },
    { title: 'WHY', value: (one) => one.why ?? '' },
  ]
  return [...renderTable(columns, generations, width), '* is what machines get']
}

function changesText({ serial, changes }: GenerationAnswer, shown: number): string {
  if (changes === undefined) return serial === 1 ? 'all' : 'very many'
  return changes.length === 0 ? '–' : someOf(changes.map(formatChange), shown)
}

/** What a rollback did, and what it cannot do. */
export function rollbackLines(channel: string, answer: RollbackAnswer): string[] {
  const { generation, to } = answer
  if (generation === undefined) {
    return [
      `${channel} generation ${answer.before} holds what generation ${to} does: nothing to do`,
    ]
  }
  const changes = generation.changes ?? []
  const kept = changes
    .filter((change) => change.old.length > 0)
    .map((change) => printable(`${change.source} ${change.old.at(-1)}`))
  const rest =
    kept.length === 0
      ? ''
      : `; machines that have ${someOf(kept, 3)} keep it: dpkg does not go back by itself`
  const shown = changes.length > 1 ? changes.slice(0, SHOWN_CHANGES) : []
  return [
    `${channel} generation ${generation.serial} = generation ${to}${rest}`,
    ...shown.map((change) => `  ${printable(formatChange(change))}`),
    ...lostNote(channel, answer.lost),
  ]
}
