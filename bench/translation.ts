/**
 * A `Translation-en` for the stanzas of an index, of Debian's real shape: an entry for each description, some 500 bytes of
 * prose with lines of 70 characters. The prose is made of the index's own short descriptions, the same for the same name.
 */
import { randomFrom } from './random.ts'
import { fieldOf, needField } from './stanzas.ts'

const WORDS = [12, 76] as const
const WIDTH = 70
/** Words are taken in runs, so that the text packs about as well as real prose. */
const RUN = 4

/** The entries for these stanzas, in their order. */
export function translationsOf(stanzas: readonly string[]): string[] {
  const corpus = stanzas.flatMap((stanza) => (fieldOf(stanza, 'Description') ?? '').split(/\s+/))
  const entries = new Map<string, string>()
  for (const stanza of stanzas) {
    const md5 = fieldOf(stanza, 'Description-md5')
    const name = needField(stanza, 'Package')
    if (md5 === undefined || entries.has(`${name} ${md5}`)) continue
    const random = randomFrom(Number.parseInt(md5.slice(0, 8), 16))
    const head = `Package: ${name}\nDescription-md5: ${md5}`
    const short = fieldOf(stanza, 'Description') ?? ''
    entries.set(`${name} ${md5}`, `${head}\nDescription-en: ${short}\n${prose(corpus, random)}`)
  }
  return [...entries.values()]
}

function prose(corpus: readonly string[], random: () => number): string {
  const [least, most] = WORDS
  const count = least + Math.floor(random() ** 2 * (most - least) * 2)
  const lines: string[] = []
  let line = ''
  for (let words = 0; words < count; words += RUN) {
    const at = Math.floor(random() * Math.max(1, corpus.length - RUN))
    line += ` ${corpus.slice(at, at + RUN).join(' ')}`
    if (line.length < WIDTH) continue
    lines.push(line)
    line = ''
  }
  if (line !== '') lines.push(line)
  if (lines.length > 8) lines.splice(5, 0, ' .')
  return lines.join('\n')
}
