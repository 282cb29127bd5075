/**
 * The configuration of a server as a text: TOML, in one order and form, so that two exports of one configuration are the
 * same bytes. Secrets are not in it, and what the server holds is not: that is what a backup is for.
 */
import type { ChannelParts } from '../channels/channel-parts.ts'
import { sections } from './config-sections.ts'

export interface Exported {
  readonly text: string
  /** What is left out of it, and would have to be added by hand on another server. */
  readonly notes: readonly string[]
}

const head = [
  '# The configuration of a Sluice server, as `sluice export` writes it and `sluice apply FILE` takes it.',
  '# Apply it with --dry-run to see what differs. What a file does not name stays as it is, unless --prune is said:',
  '# then what is on the server goes, of the kinds that the file has a table for.',
  '# Not in here: packages, what channels hold, their histories and keys, tokens, sluice.toml. See: sluice backup.',
]

/** Writes it down. */
export async function exportConfig(parts: ChannelParts): Promise<Exported> {
  const notes: string[] = []
  const lines = [...head]
  for (const section of sections) {
    lines.push('', ...(await section.describe(parts, (text) => notes.push(text))))
  }
  return { text: `${lines.join('\n')}\n`, notes }
}
