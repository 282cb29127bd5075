/**
 * Figures and times in plain words, as all output of the command line writes them: sizes are decimal (kB, MB). The words
 * that mails use too are in base.
 */
import { formatSpan, inUnit, plural } from '../base/words.ts'

export {
  formatChange,
  formatCount,
  formatSpan,
  plural,
  printable,
  someOf,
} from '../base/words.ts'

/** `871 B`, `1.2 kB`, `152 kB`, `6.7 MB`. */
export function formatSize(sizeBytes: number): string {
  if (sizeBytes < 1000) return `${sizeBytes} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let value = sizeBytes / 1000
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value < 99.95 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`
}

/** How long something took: `0.09 s`, `4.1 s`, `21 s`, `3 min`, `5 h`, `2 d`. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.max(durationMs, 0) / 1000
  if (seconds < 0.995) return `${Math.max(seconds, 0.01).toFixed(2).replace(/0$/, '')} s`
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : formatSpan(durationMs)
}

/** How long ago: `just now`, `12 minutes ago`, `13 days ago`. */
export function formatAgo(spanMs: number): string {
  if (spanMs < 5000) return 'just now'
  const [value, unit] = inUnit(spanMs)
  return `${plural(value, unit)} ago`
}

/** `2026-11-21 06:08` in the machine's time zone. */
export function formatTime(epochMs: number): string {
  const at = new Date(epochMs)
  const two = (value: number): string => String(value).padStart(2, '0')
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}`
}

/** The first two groups of a key's fingerprint: `9F3C 51D2 …`. */
export function shortFingerprint(fingerprint: string): string {
  const groups = fingerprint.toUpperCase().match(/.{1,4}/g) ?? []
  return groups.length > 2 ? `${groups.slice(0, 2).join(' ')} …` : groups.join(' ')
}

/** A whole fingerprint in groups of four. */
export function longFingerprint(fingerprint: string): string {
  return (
    fingerprint
      .toUpperCase()
      .match(/.{1,4}/g)
      ?.join(' ') ?? fingerprint
  )
}
