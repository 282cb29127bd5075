/**
 * How promotions are shown.
 */
import type { LeftOut } from './api-based-types.ts'
import type { PlannedChange, PromotionAnswer } from './api-promotion-types.ts'
import { type Column, renderTable } from './table.ts'
import {
  formatChange,
  formatCount,
  formatDuration,
  formatSize,
  plural,
  printable,
  someOf,
} from './words.ts'

const SHOWN_CHANGES = 40
/** Digits of a plan's digest that are enough to give it back. */
const SHOWN_DIGITS = 16

export interface PromotionReport {
  readonly isDryRun: boolean
  /** Of the terminal. */
  readonly width: number | undefined
  /** What was typed, but for `--dry-run`. */
  readonly command: string
}

/** What a promotion did, or would do. */
export function promotionLines(answer: PromotionAnswer, report: PromotionReport): string[] {
  const { isDryRun } = report
  const { from, to, changes, keptBack, leftOut } = answer
  const left = [
    ...gateLines(answer, isDryRun),
    ...leftOutLines(answer, isDryRun ? Number.POSITIVE_INFINITY : undefined),
  ]
  const kept =
    keptBack.length === 0
      ? left
      : [
          ...left,
          `kept: ${plural(keptBack.length, 'source')} that ${from} has no more (--removals takes them out): ${someOf(keptBack.map((one) => printable(one.source)))}`,
        ]
  if (changes.length === 0 && answer.generation !== undefined) {
    const made = `${to} generation ${answer.generation.serial}`
    return [`${made}: no package differs; what else ${from} has is here now`, ...kept]
  }
  if (changes.length === 0 && answer.hasMore === true) {
    const made = `would make ${to} generation ${answer.before + 1} from ${answer.before}`
    const what = `no package differs; what else ${from} has would be there`
    return [`${made}: ${what}`, 'nothing was changed', ...kept]
  }
  if (changes.length === 0) {
    const stays = leftOut.length + keptBack.length
    const nothing = stays > 0 ? 'all that differs stays' : `${to} has of that what ${from} has`
    return [`nothing to promote: ${nothing}`, ...kept]
  }
  return isDryRun ? dryRunLines(answer, report, kept) : [...doneLines(answer), ...kept]
}

const SHOWN_BREAKAGES = 10

/** What comes along because it has to, and what breaks. */
function gateLines(answer: PromotionAnswer, isDryRun: boolean): string[] {
  const { companions = [], broken = [], refusal, to } = answer
  const along = [...new Set(companions.map(({ source }) => printable(source)))]
  const verb = isDryRun ? 'would break' : 'broke'
  const more = broken.length - SHOWN_BREAKAGES
  return [
    ...(along.length === 0
      ? []
      : [`with it: ${plural(along.length, 'source')} that it needs: ${someOf(along)}`]),
    ...broken.slice(0, SHOWN_BREAKAGES).map((one) => {
      const { package: name, version, architecture, words, count } = one
      const others = count > 1 ? ` (${formatCount(count)} packages)` : ''
      return `${verb} in ${to}: ${printable(`${name} ${version} (${architecture}) ${words}`)}${others}`
    }),
    ...(more > 0 ? [`and ${formatCount(more)} more`] : []),
    ...(refusal === undefined ? [] : [`it would be refused: ${printable(refusal.hint ?? '')}`]),
  ]
}

/** What was selected and stays, by the reason. */
function leftOutLines({ from, to, leftOut }: PromotionAnswer, limit: number | undefined): string[] {
  const reasons: Readonly<Record<LeftOut['reason'], string>> = {
    declined: `that ${to} declined (sluice decline --list tells why)`,
    held: `held in ${to} (--force takes them all the same)`,
    'not newer': `that ${to} has as new by what it is based on`,
    uninstallable: `that would break what ${to} has (--with-deps brings what they need)`,
    'no suite': `of suites that ${to} is not based on`,
    'too young': `that ${from} has not had for so long`,
    'not security': 'of suites that are not for security',
    excepted: 'excepted',
    revoked: 'that no channel offers any more (sluice revoke --list tells why)',
  }
  return [...new Set(leftOut.map(({ reason }) => reason))].sort().flatMap((reason) => {
    const sources = [...new Set(leftOut.filter((one) => one.reason === reason).map(sourceOf))]
    if (sources.length === 0) return []
    const told = leftOut.flatMap((one) =>
      one.reason === reason && one.words !== undefined
        ? [`  ${printable(`${one.source}: ${one.words}`)}`]
        : [],
    )
    return [
      `left out: ${plural(sources.length, 'source')} ${reasons[reason]}: ${someOf(sources, limit)}`,
      ...told.slice(0, limit ?? SHOWN_BREAKAGES),
    ]
  })
}

function sourceOf({ source }: LeftOut): string {
  return printable(source)
}

/** The whole plan, and how to have just that. */
function dryRunLines(
  answer: PromotionAnswer,
  { command, width }: PromotionReport,
  kept: readonly string[],
): string[] {
  const { to, before, changes, files, packages, digest } = answer
  const lost = files.lost ?? 0
  const stored = [
    `${files.count - files.missing} of ${plural(files.count, 'file')} stored`,
    ...(files.missing > 0 ? [`${formatSize(files.missingBytes)} to fetch`] : []),
    ...(lost > 0 ? [`${formatCount(lost)} LOST: it would be refused`] : []),
  ].join(', ')
  return [
    `would make ${to} generation ${before + 1} from ${before}: ${plural(changes.length, 'source')}`,
    ...renderTable(planColumns(answer), changes, width),
    ...(files.count === 0
      ? []
      : [`${packagesText(packages)}  ${formatSize(files.bytes)}, ${stored}`]),
    ...kept,
    answer.refusal === undefined
      ? `nothing was changed; to do just this: ${command} --plan ${digest.slice(0, SHOWN_DIGITS)}`
      : 'nothing was changed, and nothing would be',
  ]
}

function planColumns(answer: PromotionAnswer): Column<Partial<PlannedChange>>[] {
  const { to, fromSerial } = answer
  const [from = ''] = answer.from.split('@')
  const bytes = (size: number | undefined): string => (size ? formatSize(size) : '–')
  return [
    { title: 'SOURCE', value: (one) => one.source ?? '', isWhole: true },
    { title: to.toUpperCase(), value: (one) => one.old?.join(' ') || '–' },
    { title: `${from.toUpperCase()}@${fromSerial}`, value: (one) => one.new?.join(' ') || '–' },
    { title: 'SUITE', value: (one) => `${one.archive} ${one.suite}` },
    { title: 'BINARIES', value: (one) => formatCount(one.binaries ?? 0), align: 'right' },
    { title: 'SIZE', value: (one) => bytes(one.sizeBytes), align: 'right', isWhole: true },
    { title: 'TO FETCH', value: (one) => bytes(one.fetchBytes), align: 'right', isWhole: true },
  ]
}

function doneLines(answer: PromotionAnswer): string[] {
  const { to, changes, files, packages, generation, publishMs } = answer
  const fetched =
    files.count === 0
      ? []
      : [
          `${packagesText(packages)}  ${plural(files.count, 'file')}, ${formatSize(files.bytes)}: ${files.missing === 0 ? 'stored already' : `${formatCount(files.missing)} fetched and checked`}`,
        ]
  const took = publishMs === undefined ? '' : `, ${formatDuration(publishMs)} after the last file`
  return [
    ...changeLines(changes).map((line) => line.trimStart()),
    ...fetched,
    `${to} generation ${generation?.serial ?? '?'}${took}; machines see it at their next apt-get update`,
  ]
}

function changeLines(changes: PromotionAnswer['changes']): string[] {
  const shown = changes
    .slice(0, SHOWN_CHANGES)
    .map((one) => `  ${printable(`${formatChange(one)}  ${one.suite}`)}`)
  const more = changes.length - shown.length
  return more > 0 ? [...shown, `  and ${formatCount(more)} more`] : shown
}

/** `libssl3 openssl (2 binaries, amd64)` */
function packagesText(packages: PromotionAnswer['packages']): string {
  const binary = packages.filter((one) => one.architecture !== 'source')
  const names = [...new Set(binary.map((one) => printable(one.package)))].sort()
  const architectures = [...new Set(binary.map((one) => printable(one.architecture)))].sort()
  const sources = new Set(packages.filter((one) => !binary.includes(one)).map((one) => one.package))
  const counts = [
    ...(names.length > 0 ? [plural(names.length, 'binary', 'binaries')] : []),
    ...(names.length > 0 ? [architectures.join(' ')] : []),
    ...(sources.size > 0 ? [plural(sources.size, 'source package')] : []),
  ]
  const first = names.length > 0 ? names : [...sources].map(printable).sort()
  return `${someOf(first, 6)} (${counts.join(', ')})`
}
