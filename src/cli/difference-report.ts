/**
 * How differences of generations are shown: a line for each source package; with fields, a block for each, with what
 * differs in the control files of its binary packages.
 */
import type { DifferenceAnswer, PackageDifference, SourceDifference } from './api-history-types.ts'
import { type Column, cut, renderTable } from './table.ts'
import { formatChange, formatCount, plural, printable, someOf } from './words.ts'

/** Fields that are lists with commas: told by what comes and what goes. */
const relations =
  /^((pre-|build-)?(depends|conflicts)(-indep|-arch)?|recommends|suggests|enhances|breaks|replaces|provides|(static-)?built-using)$/i

/** A table of the source packages. */
export function differenceTable(answer: DifferenceAnswer, width: number | undefined): string[] {
  const { changes } = answer
  const [a, b] = namesOf(answer)
  const comesOrGoes = changes.some((one) => packagesText(one) !== '')
  const columns: Column<SourceDifference>[] = [
    { title: 'SOURCE', value: (one) => one.source, isWhole: true },
    { title: a.toUpperCase(), value: (one) => one.old.join(' ') || '–' },
    { title: b.toUpperCase(), value: (one) => one.new.join(' ') || '–' },
    ...(comesOrGoes ? [{ title: 'PACKAGES', value: packagesText }] : []),
    { title: 'ARCHIVE', value: (one) => one.archive },
    { title: 'SUITE', value: (one) => one.suite },
  ]
  const table = changes.length === 0 ? [] : renderTable(columns, changes, width)
  return [...table, ...endLines(answer)]
}

/** A block for each source package. */
export function differenceBlocks(answer: DifferenceAnswer, width: number | undefined): string[] {
  const lines = answer.changes.flatMap((change) => [
    `${formatChange(change)}  ${change.archive} ${change.suite}`,
    ...packageBlocks(change.packages),
    '',
  ])
  const shown = lines.map(printable)
  return [
    ...(width === undefined ? shown : shown.map((line) => cut(line, width))),
    ...endLines(answer),
  ]
}

function namesOf({ from, to }: DifferenceAnswer): [string, string] {
  return [`${from.channel}@${from.serial}`, `${to.channel}@${to.serial}`]
}

function endLines(answer: DifferenceAnswer): string[] {
  const { changes, loneSuites } = answer
  const [a, b] = namesOf(answer)
  const lone = loneSuites.map(({ archive, suite, side, packages }) =>
    printable(
      `${archive} ${suite} is in ${side === 'from' ? a : b} only: ${plural(packages, 'package')}`,
    ),
  )
  if (changes.length === 0) return lone.length > 0 ? lone : [`${a} and ${b} hold the same packages`]
  return [...lone, `${plural(changes.length, 'source')} differ${changes.length === 1 ? 's' : ''}`]
}

/** The binary packages that come and go: `+libssl4 -libssl3`. */
function packagesText({ packages }: SourceDifference): string {
  const names = (isIt: (one: PackageDifference) => boolean): Set<string> =>
    new Set(
      packages
        .filter((one) => one.architecture !== 'source' && isIt(one))
        .map((one) => one.package),
    )
  const [before, after] = [
    names((one) => one.old !== undefined),
    names((one) => one.new !== undefined),
  ]
  const comes = [...after].filter((name) => !before.has(name)).map((name) => `+${name}`)
  const goes = [...before].filter((name) => !after.has(name)).map((name) => `-${name}`)
  return someOf([...comes, ...goes], 6)
}

/** Architectures with the same differences are told together. */
function packageBlocks(packages: readonly PackageDifference[]): string[] {
  const groups = new Map<string, { one: PackageDifference; architectures: string[] }>()
  for (const one of packages) {
    const { architecture, ...same } = one
    const key = JSON.stringify(same)
    const group = groups.get(key) ?? { one, architectures: [] }
    groups.set(key, group)
    group.architectures.push(architecture)
  }
  return [...groups.values()].flatMap(({ one, architectures }) => [
    `  ${formatChange(asChange(one))}  ${architectures.join(' ')}`,
    ...fieldLines(one).map((line) => `    ${line}`),
  ])
}

function asChange(one: PackageDifference): Parameters<typeof formatChange>[0] {
  const list = (version: string | undefined): string[] => (version === undefined ? [] : [version])
  return { source: one.package, old: list(one.old), new: list(one.new) }
}

function fieldLines({ fields = [] }: PackageDifference): string[] {
  const width = Math.max(0, ...fields.map(({ field }) => field.length))
  return fields.flatMap(({ field, old, new: fresh }) =>
    valueLines(field, old, fresh).map(
      (line, at) => `${(at === 0 ? field : '').padEnd(width)}  ${line}`,
    ),
  )
}

/** How the value of a field changed: items that come and go of a list of relations, else both values. */
export function valueLines(
  field: string,
  old: string | undefined,
  fresh: string | undefined,
): string[] {
  if (!relations.test(field)) return [`${oneLine(old)} -> ${oneLine(fresh)}`]
  const [before, after] = [itemsOf(old), itemsOf(fresh)]
  const lines = [
    ...before.filter((item) => !after.includes(item)).map((item) => `- ${item}`),
    ...after.filter((item) => !before.includes(item)).map((item) => `+ ${item}`),
  ]
  return lines.length > 0 ? lines : [`${formatCount(after.length)} in another order`]
}

function itemsOf(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map(oneLine)
    .filter((item) => item !== '–')
}

function oneLine(value: string | undefined): string {
  return value?.replaceAll(/\s+/g, ' ').trim() || '–'
}
