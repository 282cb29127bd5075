/**
 * pdiffs: ed scripts by which apt makes today's index out of an older one, and the file `Packages.diff/Index` that lists
 * them (apt: pkgAcqDiffIndex::ParseDiffIndex; Debian wiki, RepositoryFormat).
 *
 * In merged style one patch leads from each older index to the current one, whatever lies between. The three lists have
 * the same names in the same order, oldest index first: apt goes on from the one it has to the end of the list.
 * Scripts know the commands a, c and d alone (apt's rred knows no other), hunks from the end upwards, so that the line
 * numbers are those of the older file. Text is `latin1`: each character is a byte, and nothing is decoded.
 */
import { AppError } from '../base/errors.ts'
import { parseSha256, type Sha256 } from '../base/sha256.ts'
import { parseStanza } from './control.ts'

/** Digest and length of a file. */
export interface PdiffFile {
  readonly sha256: Sha256
  readonly size: number
}

/** The patch that leads from one older index to the current one. */
export interface PdiffEntry {
  /** Its file is `<name>.gz` beside the Index. */
  readonly name: string
  /** The older index, uncompressed. */
  readonly from: PdiffFile
  /** The patch, uncompressed. */
  readonly patch: PdiffFile
  /** The patch as it is fetched. */
  readonly download: PdiffFile
}

/** What an Index says. */
export interface PdiffIndex {
  /** The index that all patches lead to, uncompressed. */
  readonly current: PdiffFile
  /** Oldest first; no older index twice, and never the current one. */
  readonly patches: readonly PdiffEntry[]
}

/** The text of an `Index`. */
export function formatPdiffIndex({ current, patches }: PdiffIndex): string {
  const list = (pick: (entry: PdiffEntry) => PdiffFile, ending: string): string =>
    patches.map((one) => ` ${fileText(pick(one))} ${one.name}${ending}\n`).join('')
  return [
    `SHA256-Current: ${fileText(current)}\n`,
    `SHA256-History:\n${list((one) => one.from, '')}`,
    `SHA256-Patches:\n${list((one) => one.patch, '')}`,
    `SHA256-Download:\n${list((one) => one.download, '.gz')}`,
    'X-Patch-Precedence: merged\n',
  ].join('')
}

/** Reads an `Index` in merged style; `ERR_FORMAT` if it is none. */
export function parsePdiffIndex(text: string): PdiffIndex {
  const stanza = parseStanza(text)
  const [current] = fileLines(`${stanza.get('SHA256-Current') ?? ''} current`)
  if (current === undefined || stanza.get('X-Patch-Precedence') !== 'merged') {
    throw new AppError('ERR_FORMAT', { message: 'not an index of merged pdiffs' })
  }
  const patches = filesByName(stanza.get('SHA256-Patches'))
  const downloads = filesByName(stanza.get('SHA256-Download'))
  return {
    current: current.file,
    patches: fileLines(stanza.get('SHA256-History')).map(({ name, file: from }) => {
      const patch = patches.get(name)
      const download = downloads.get(`${name}.gz`)
      if (patch !== undefined && download !== undefined) return { name, from, patch, download }
      throw new AppError('ERR_FORMAT', { message: `pdiff ${name} is not in all lists` })
    }),
  }
}

/** One place where a newer text differs from an older one. */
export interface Hunk {
  /** Lines of the older text before it. */
  readonly at: number
  /** Lines of the older text that go. */
  readonly removed: number
  /** Lines that come in their place, each with its newline, as latin1. */
  readonly added: string
}

/** The ed script of hunks given in the order of the text, none touching the next, each `offset` lines further down. */
export function formatEdScript(hunks: readonly Hunk[], offset = 0): string {
  let script = ''
  for (let nth = hunks.length - 1; nth >= 0; nth--) {
    const hunk = hunks[nth]
    if (hunk === undefined) continue
    const first = hunk.at + offset + 1
    const last = hunk.at + offset + hunk.removed
    const range = hunk.removed > 1 ? `${first},${last}` : `${first}`
    if (hunk.added === '') script += `${range}d\n`
    else if (hunk.removed > 0) script += `${range}c\n${hunk.added}.\n`
    else script += `${last}a\n${hunk.added}.\n`
  }
  return script
}

/**
 * Whether an ed script can put in this text (latin1): whole lines, and none that is a lone dot, which would end the
 * command, nor one with a NUL, where apt's rred would cut it.
 */
export function isEdText(added: string): boolean {
  return (
    (added === '' || added.endsWith('\n')) &&
    !added.startsWith('.\n') &&
    !added.includes('\n.\n') &&
    !added.includes('\0')
  )
}

function fileText({ sha256, size }: PdiffFile): string {
  return `${sha256} ${size}`
}

function filesByName(value: string | undefined): Map<string, PdiffFile> {
  return new Map(fileLines(value).map(({ name, file }) => [name, file]))
}

function fileLines(value: string | undefined): { name: string; file: PdiffFile }[] {
  return (value ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [, hex = '', size, name = ''] = /^(\S+) +([0-9]{1,15}) +(\S+)$/.exec(line) ?? []
      const sha256 = parseSha256(hex)
      if (sha256 !== undefined) return { name, file: { sha256, size: Number(size) } }
      const shown = JSON.stringify(line.slice(0, 200))
      throw new AppError('ERR_FORMAT', { message: `bad line in an index of pdiffs: ${shown}` })
    })
}
