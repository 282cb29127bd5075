/**
 * Figures, spans and names in plain words, as the command line and the mails write them.
 *
 * Spans have one unit, and nothing that came from outside (names, signers, messages) is written with control characters
 * in it: they could move the cursor, or hide what follows.
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

/** A span of time in one unit: `1 s`, `47 min`, `5 h`, `13 d`. */
export function formatSpan(spanMs: number): string {
  const [value, unit] = inUnit(spanMs)
  return `${value} ${{ second: 's', minute: 'min', hour: 'h', day: 'd' }[unit]}`
}

/** What a span is told in. */
export type Unit = 'second' | 'minute' | 'hour' | 'day'

/** A span in the largest unit of which there are enough. */
export function inUnit(spanMs: number): [number, Unit] {
  const seconds = Math.max(0, Math.round(spanMs / 1000))
  if (seconds < 90) return [seconds, 'second']
  if (seconds < 90 * 60) return [Math.round(seconds / 60), 'minute']
  if (seconds < 48 * 3600) return [Math.round(seconds / 3600), 'hour']
  return [Math.round(seconds / 86_400), 'day']
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
