/**
 * Figures and times in plain words, as all output of the command line writes them.
 *
 * Sizes are decimal (kB, MB), spans have one unit, and nothing that came from outside (names, signers, messages) is
 * printed with control characters in it: they could move the cursor, or hide what follows.
 */

/** `text` with `?` for each control character. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '?')
}

/** `63,440`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 package`, `63,440 packages`; the plural is told where it is not the singular with an s. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : nouns}`
}

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

/** A span of time in one unit: `1 s`, `47 min`, `5 h`, `13 d`. */
export function formatSpan(spanMs: number): string {
  const [value, unit] = inUnit(spanMs)
  return `${value} ${{ second: 's', minute: 'min', hour: 'h', day: 'd' }[unit]}`
}

/** How long ago: `just now`, `12 minutes ago`, `13 days ago`. */
export function formatAgo(spanMs: number): string {
  if (spanMs < 5000) return 'just now'
  const [value, unit] = inUnit(spanMs)
  return `${plural(value, unit)} ago`
}

type Unit = 'second' | 'minute' | 'hour' | 'day'

function inUnit(spanMs: number): [number, Unit] {
  const seconds = Math.max(0, Math.round(spanMs / 1000))
  if (seconds < 90) return [seconds, 'second']
  if (seconds < 90 * 60) return [Math.round(seconds / 60), 'minute']
  if (seconds < 48 * 3600) return [Math.round(seconds / 3600), 'hour']
  return [Math.round(seconds / 86_400), 'day']
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

/** The first `limit` names, and how many more there are: `a, b, c and 12 more`. */
export function someOf(names: readonly string[], limit = 5): string {
  const more = names.length - limit
  return more > 0
    ? `${names.slice(0, limit).join(', ')} and ${formatCount(more)} more`
    : names.join(', ')
}

/** A source's change: `hello 2.10-3 -> 2.12-1`, `hello (new) 2.12-1`, `hello 2.10-3 (gone)`. */
export function formatChange(change: {
  readonly source: string
  readonly old: readonly string[]
  readonly new: readonly string[]
}): string {
  const [before, after] = [change.old.join(' '), change.new.join(' ')]
  if (before === '') return `${change.source} (new) ${after}`
  if (after === '') return `${change.source} ${before} (gone)`
  // Same version: other binaries of it (a rebuild, another architecture).
  if (before === after) return `${change.source} ${after} (other files)`
  return `${change.source} ${before} -> ${after}`
}
