/**
 * Contents files, which tell who has which path: `PATH  SECTION/NAME[,SECTION/NAME…]`, sorted by path, as Debian writes them.
 * Read, merged and written piece by piece, so that memory does not grow with them.
 *
 * Paths are strings of one character a byte (latin1): their order is that of bytes, whatever they mean. For the same reason
 * nothing here asks for white space: half of a letter may look like it. Spaces at the end of a path are lost in the format.
 */
import { breathe } from '../base/mutex.ts'
import { type ByteSource, toBuffer } from './byte-source.ts'

/** A path, and who has it: sorted, each once. */
export interface ContentsLine {
  readonly path: string
  readonly owners: readonly string[]
}

/** Sorted by path, each once, some at a time. */
export type ContentsLines = AsyncIterable<readonly ContentsLine[]>

/** The width of the first column. */
const WIDTH = 55
const LINES_TOGETHER = 1000
const sectionPattern = /^[A-Za-z0-9][A-Za-z0-9.+_/-]*$/

/** A package as the second column names it; a section that would break the line is left out. */
export function ownerName(section: string | undefined, name: string): string {
  return section !== undefined && sectionPattern.test(section) ? `${section}/${name}` : name
}

/** The path of a file as it stands in Contents; undefined for what cannot stand there. */
export function contentsPath(path: string): string | undefined {
  const bytes = Buffer.from(path).toString('latin1')
  const text = withoutPadding(bytes, bytes.length)
  return text === '' || text.includes('\n') ? undefined : text
}

/** The lines of a Contents file, of its plain bytes. */
export async function* readContentsLines(source: ByteSource): AsyncGenerator<ContentsLine[]> {
  for await (const texts of byteLines(source)) {
    yield texts.map((text) => {
      const at = text.lastIndexOf(' ')
      return { path: withoutPadding(text, at), owners: text.slice(at + 1).split(',') }
    })
  }
}

/** The text up to `end`, without the spaces before it. */
function withoutPadding(text: string, end: number): string {
  let last = end
  while (last > 0 && text[last - 1] === ' ') last -= 1
  return text.slice(0, last)
}

/** The lines of a plain text, without their ends; one character a byte. */
export async function* byteLines(source: ByteSource): AsyncGenerator<string[]> {
  let open = ''
  for await (const piece of source) {
    const texts = (open + toBuffer(piece).toString('latin1')).split('\n')
    open = texts.pop() ?? ''
    if (texts.length > 0) yield texts
  }
  if (open !== '') yield [open]
}

/** The lines as bytes. */
export function formatContents(lines: readonly ContentsLine[]): Buffer {
  const texts = lines.map(({ path, owners }) => `${path.padEnd(WIDTH)} ${owners.join(',')}\n`)
  return Buffer.from(texts.join(''), 'latin1')
}

/** What is left of lines without the packages of these names, whatever their sections. */
export async function* withoutOwners(
  lines: ContentsLines,
  names: ReadonlySet<string>,
): AsyncGenerator<ContentsLine[]> {
  const stays = (owner: string): boolean => !names.has(owner.slice(owner.lastIndexOf('/') + 1))
  for await (const some of lines) {
    yield some.flatMap((line) => {
      if (line.owners.every(stays)) return line
      const owners = line.owners.filter(stays)
      return owners.length === 0 ? [] : { path: line.path, owners }
    })
  }
}

interface Head {
  lines: readonly ContentsLine[]
  at: number
  readonly rest: AsyncIterator<readonly ContentsLine[]>
}

/** The lines of all of them; how they are parcelled out depends on what they say alone. */
export async function* mergeLines(
  sources: readonly ContentsLines[],
): AsyncGenerator<ContentsLine[]> {
  const all = sources.map((source): Head => {
    return { lines: [], at: 0, rest: source[Symbol.asyncIterator]() }
  })
  try {
    let heads: Head[] = []
    for (const head of all) if (await refill(head)) heads.push(head)
    let out: ContentsLine[] = []
    while (heads.length > 0) {
      out.push(takeFirst(heads))
      if (out.length === LINES_TOGETHER) {
        yield out
        out = []
        await breathe()
      }
      const over = new Set<Head>()
      for (const head of heads)
        if (head.at === head.lines.length && !(await refill(head))) over.add(head)
      if (over.size > 0) heads = heads.filter((head) => !over.has(head))
    }
    if (out.length > 0) yield out
  } finally {
    for (const { rest } of all) await rest.return?.()
  }
}

/** Whether it has a next line. */
async function refill(head: Head): Promise<boolean> {
  do {
    const next = await head.rest.next()
    if (next.done === true) return false
    head.lines = next.value
    head.at = 0
  } while (head.lines.length === 0)
  return true
}

function takeFirst(heads: readonly Head[]): ContentsLine {
  let first: ContentsLine | undefined
  for (const { lines, at } of heads) {
    const line = lines[at]
    if (line !== undefined && (first === undefined || line.path < first.path)) first = line
  }
  const path = first?.path ?? ''
  const same: ContentsLine[] = []
  for (const head of heads) {
    const line = head.lines[head.at]
    if (line?.path !== path) continue
    same.push(line)
    head.at += 1
  }
  if (same.length === 1 && first !== undefined) return first
  return { path, owners: [...new Set(same.flatMap(({ owners }) => owners))].sort() }
}
