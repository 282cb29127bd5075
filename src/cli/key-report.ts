/**
 * How the keys of publications are shown.
 */
import type { KeyAnswer, KeyEntry, RotateAnswer } from './api-types.ts'
import { type Column, renderPairs, renderTable } from './table.ts'
import { formatAgo, formatTime, longFingerprint, plural } from './words.ts'

const DAY_MS = 86_400_000

/** The keys of all publications, those that sign no more apart. */
export function keyTable(all: readonly KeyAnswer[], width: number | undefined): string[] {
  if (all.length === 0) return ['no keys yet: a channel gets one with its first generation']
  const rows = all.flatMap((one) =>
    one.keys.filter((key) => key.state !== 'retired').map((key) => ({ ...one, ...key })),
  )
  const columns: Column<KeyAnswer & KeyEntry>[] = [
    { title: 'PUBLICATION', value: (one) => one.publication.replace(':', ' '), isWhole: true },
    { title: 'FINGERPRINT', value: (one) => longFingerprint(one.fingerprint), isWhole: true },
    { title: 'STATE', value: (one) => one.state, isWhole: true },
    { title: 'MADE', value: (one) => formatTime(one.madeAt) },
    { title: 'PUBLIC KEY', value: (one) => one.keyUrl, isWhole: true },
  ]
  const now = Date.now()
  const rotations = all.flatMap((one) => rotationLines(one, now))
  return [...renderTable(columns, rows, width), ...rotations]
}

/** One publication: its keys, since when, and what to do next. */
export function describeKeys(one: KeyAnswer, width: number | undefined): string[] {
  const columns: Column<KeyEntry>[] = [
    { title: 'FINGERPRINT', value: (key) => longFingerprint(key.fingerprint), isWhole: true },
    { title: 'STATE', value: stateText, isWhole: true },
    { title: 'MADE', value: (key) => formatTime(key.madeAt) },
    { title: 'PRIVATE PART', value: (key) => placeText(key), isWhole: true },
  ]
  return [
    ...renderPairs([
      ['publication', one.publication],
      ['public key', one.keyUrl],
    ]),
    '',
    ...renderTable(columns, one.keys, width),
    ...rotationLines(one, Date.now()),
  ]
}

function stateText({ state, changedAt }: KeyEntry): string {
  return state === 'retired' ? `retired ${formatAgo(Date.now() - changedAt)}` : state
}

function placeText({ source, fingerprint }: KeyEntry): string {
  return source === 'file' ? `keys/${fingerprint}.asc` : 'sign-command'
}

/** That a key is being replaced, and since when; nothing otherwise. */
export function rotationLines({ publication, rotation }: KeyAnswer, now: number): string[] {
  if (rotation === undefined) return []
  const { since, finishFrom, absent } = rotation
  const days = Math.ceil((finishFrom - now) / DAY_MS)
  const next = `sluice key rotate ${shortName(publication)} --finish`
  return [
    `${shortName(publication)} is signed by both keys since ${formatTime(since)}; the old one goes by: ${next}${days > 0 ? `, in ${plural(days, 'day')}` : ''}`,
    ...(absent > 0
      ? [`${plural(absent, 'machine')} that took it in the last 30 days did not come since`]
      : []),
  ]
}

/** What was done, and what it means for machines. */
export function rotateLines({ before, after, generation }: RotateAnswer): string[] {
  const name = shortName(after.publication)
  const told =
    generation === undefined
      ? `nothing had to be signed anew: ${after.fingerprint === undefined ? 'it serves nothing' : 'all is signed by the keys that it has'}`
      : `generation ${generation.serial} is signed by ${after.rotation === undefined ? 'the new key alone' : 'both'}`
  const fresh = after.keys.find(({ state }) => state === 'next')
  if (fresh !== undefined) {
    return [
      `next key of ${name}: ${longFingerprint(fresh.fingerprint)}; ${told}`,
      'machines get it with the package sluice-archive-keyring, at their next upgrade; those set up from now on have both',
      ...rotationLines(after, Date.now()),
    ]
  }
  const old = before.rotation === undefined ? undefined : before.fingerprint
  return [
    old === undefined
      ? `${name}: ${told}`
      : `${longFingerprint(old)} signs no more for ${name}; ${told}`,
    ...(old === undefined
      ? []
      : ['a machine that has not got the new key refuses the channel from now on']),
  ]
}

/** As one would type it. */
function shortName(publication: string): string {
  return publication.replace(/^channel:/, '')
}
