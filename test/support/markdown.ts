/**
 * What a page of Markdown holds that can be tried: code spans, blocks, commands, tables, links. Reads as much of the
 * format as README.md and docs/ use.
 */

/** A block between fences (its word in `kind`), or one indented by four blanks (`kind` is empty). */
export interface CodeBlock {
  readonly kind: string
  readonly text: string
}

/** The cells of a table, the heading's first. */
export type Table = readonly (readonly string[])[]

/** All blocks, from the top. */
export function blocksOf(page: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  const pattern = /^```(\w*)\n(.*?)\n```$|(?<=\n\n)((?: {4}[^\n]*\n)+)/gms
  for (const [, kind = '', fenced, indented] of page.matchAll(pattern)) {
    blocks.push({ kind, text: fenced ?? (indented ?? '').replace(/^ {4}/gm, '').trimEnd() })
  }
  return blocks
}

/** Texts in backticks outside of blocks. */
export function spansOf(page: string): string[] {
  const prose = page.replace(/^```.*?^```$/gms, '').replace(/^ {4}.*$/gm, '')
  return [...prose.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span.replace(/\s*\n\s*/g, ' '))
}

/**
 * Commands of these programs, in the order of the page: lines of blocks (behind `$ `, where the block has such lines),
 * and spans that have a word after the program.
 */
export function commandsOf(page: string, programs: readonly string[]): string[] {
  const isCommand = (text: string): boolean =>
    programs.some((program) => text.startsWith(`${program} `))
  const found: { at: number; text: string }[] = []
  const lines = blocksOf(page).flatMap(({ text }) => {
    const all = text.split('\n')
    const typed = all.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2))
    return typed.length > 0 ? typed : all
  })
  for (const text of [...lines, ...spansOf(page)].filter(isCommand)) {
    found.push({ at: page.replace(/\s*\n\s*/g, ' ').indexOf(text), text })
  }
  return [...new Set(found.sort((a, b) => a.at - b.at).map(({ text }) => text))]
}

/** All tables, their cells as they stand, marks and all. */
export function tablesOf(page: string): Table[] {
  const texts = page.match(/(?:^\|.*\|\n)+/gm) ?? []
  return texts.map((text) =>
    text
      .trimEnd()
      .split('\n')
      .filter((line) => !/^[|\s:-]+$/.test(line))
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      ),
  )
}

/** Where links lead that stay in the repository. */
export function linksOf(page: string): string[] {
  return [...page.matchAll(/\]\(([^)#]+)[^)]*\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
}
