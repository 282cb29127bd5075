/**
 * Changelogs of the usual size, made up: some forty entries of a few lines, some ten kilobytes. The newest is of the
 * package's own version, and some of them name CVEs.
 */
import type { DebChangelog } from './deb.ts'
import { randomFrom } from './random.ts'
import { fieldOf, needField, sourceOf } from './stanzas.ts'

const ENTRIES = 40
const urgencies = ['low', 'medium', 'medium', 'medium', 'high']
const words = 'new upstream release fix build with the current compiler add patch drop old'.split(
  ' ',
)

/** The changelog of a bumped stanza's package: the same stanza, the same text. */
export function changelogOf(stanza: string): DebChangelog {
  const source = sourceOf(stanza)
  const version =
    /\((\S+)\)$/.exec(fieldOf(stanza, 'Source') ?? '')?.[1] ?? needField(stanza, 'Version')
  const random = randomFrom([...source].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7))
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)]
  const entry = (own: string): string => {
    const lines = Array.from({ length: 2 + Math.floor(random() * 6) }, () => {
      const text = Array.from({ length: 9 }, () => pick(words)).join(' ')
      const cve = random() < 0.04 ? ` (CVE-2026-${10_000 + Math.floor(random() * 90_000)})` : ''
      return `  * ${text}${cve}\n`
    })
    const by = ' -- A. Uthor <a@archive.example>  Mon, 02 Mar 2026 10:00:00 +0000'
    return `${source} (${own}) unstable; urgency=${pick(urgencies)}\n\n${lines.join('')}\n${by}\n`
  }
  const before = version.replace(/\+bench\d+$/, '')
  const older = Array.from({ length: ENTRIES - 2 }, (_, at) => `0~${ENTRIES - at}`)
  return {
    package: needField(stanza, 'Package'),
    text: [version, before, ...older].map(entry).join('\n'),
  }
}
