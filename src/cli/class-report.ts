/**
 * How classes of machines are shown.
 */
import type { ClassAnswer, ClassEntry, ClassMoveAnswer } from './api-class-types.ts'
import { baseText, differenceLines, lostLines } from './based-report.ts'
import { expiryState, suiteTable } from './channel-report.ts'
import { clientsPair } from './client-report.ts'
import { setupLines } from './setup-lines.ts'
import { type Column, renderPairs, renderTable } from './table.ts'
import { formatAgo, formatCount, longFingerprint } from './words.ts'

/** A line for each class. */
export function classTable(classes: readonly ClassEntry[], width: number | undefined): string[] {
  if (classes.length === 0) return ['no classes yet: sluice class create NAME --channel CHANNEL']
  const now = Date.now()
  const columns: Column<ClassEntry>[] = [
    { title: 'CLASS', value: (one) => one.name, isWhole: true },
    { title: 'CHANNEL', value: (one) => one.base.channel, isWhole: true },
    { title: 'GENERATION', value: (one) => String(one.head), align: 'right', isWhole: true },
    { title: 'PACKAGES', value: (one) => formatCount(one.packages), align: 'right', isWhole: true },
    { title: 'CHANGED', value: (one) => formatAgo(now - one.changedAt) },
    { title: 'STATE', value: (one) => classState(one, now), isWhole: true },
  ]
  return renderTable(columns, classes, width)
}

function classState(one: ClassEntry, now: number): string {
  const { problem, isBehind, channel } = one.base
  if (problem !== undefined) return `CANNOT FOLLOW ${channel}: ${problem.message}`
  return expiryState(one, now) ?? (isBehind ? `about to follow ${channel}` : 'ok')
}

/** All of a class, and how a machine gets on it. */
export function describeClass(one: ClassAnswer, width: number | undefined): string[] {
  const now = Date.now()
  const { name, head, fingerprint, setup } = one
  return [
    ...renderPairs([
      ['class', name],
      ['channel', baseText(one.base)],
      ['generation', `${head}, ${formatAgo(now - one.changedAt)}`],
      ['state', classState(one, now)],
      clientsPair(one.clients),
      ...(fingerprint === undefined ? [] : [['key', longFingerprint(fingerprint)] as const]),
      ...(setup === undefined
        ? []
        : [['key file', `${setup.keyUrl}  SHA256:${setup.keySha256}`] as const]),
    ]),
    ...differenceLines(`sluice class adopt-release ${name}`, one.differences),
    '',
    ...suiteTable(one.suiteList, width),
    ...(setup === undefined ? [] : ['', ...setupLines(setup)]),
  ]
}

/** What a move of a class did. */
export function moveLines({ name, head, move }: ClassMoveAnswer): string[] {
  const { before, channel, serial, lost } = move
  const moved =
    before === channel ? `class ${name} is on ${channel}` : `class ${name}: ${before} -> ${channel}`
  const what =
    serial === undefined
      ? `; both hold the same: generation ${head} stays`
      : `, generation ${serial}; its machines see it at their next apt-get update`
  return [`${moved}${what}`, ...lostLines(`class ${name}`, lost)]
}
