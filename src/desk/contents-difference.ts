/**
 * How the contents of one .deb differ from those of another: control fields, maintainer scripts, files that make a machine
 * do something, conffiles, and all other files by name. A pure comparison; what is told is bounded, whatever the packages.
 *
 * Paths are compared as on a machine with a merged /usr: a file that moves from /lib to /usr/lib is the same file.
 */
import { breathe } from '../base/mutex.ts'
import { mergedPath, type PlaceKind, placeKind } from '../debian/admin-places.ts'
import type { ContentsFile, DebContents, KeptText } from '../debian/deb-contents.ts'
import { unifiedDiff } from '../debian/line-diff.ts'
import { type Alert, alertsOf } from './contents-alerts.ts'

export type ChangeKind = 'added' | 'removed' | 'changed'

/** A field of the control file; absent where one side has no such field. */
export interface ControlField {
  readonly field: string
  readonly old?: string | undefined
  readonly new?: string | undefined
}

/** A file whose text matters, and how it changed. */
export interface TextChange {
  /** Path below the root, or the name of a control file. */
  readonly name: string
  readonly change: ChangeKind
  /** Lines as of `diff -u`, without its head; absent where a side is no text, or too long. */
  readonly diff?: readonly string[] | undefined
  /** Lines of it that are not told. */
  readonly left?: number | undefined
}

export interface FileChange extends TextChange {
  /** What it is; undefined for a conffile of no special kind. */
  readonly kind?: PlaceKind | undefined
  /** dpkg asks on machines where such a file was edited. */
  readonly isConffile: boolean
}

/** A file that is there, shortly: `4755 root:root 1234`. */
export interface ListedFile {
  readonly path: string
  readonly what: string
}

export interface FileLists {
  readonly added: readonly ListedFile[]
  readonly removed: readonly ListedFile[]
  /** `what` is `content`, or what else differs: `mode 0755 -> 4755`. */
  readonly changed: readonly ListedFile[]
  /** Of all, also those that are not listed. */
  readonly counts: Readonly<Record<ChangeKind, number>>
}

export interface ContentsDifference {
  /** What is to be looked at first, the most dangerous on top. */
  readonly alerts: readonly Alert[]
  readonly fields: readonly ControlField[]
  readonly scripts: readonly TextChange[]
  readonly notable: readonly FileChange[]
  readonly files: FileLists
}

const MAX_DIFF_LINES = 400
const MAX_LINE_CHARS = 300
const MAX_ALL_LINES = 3000
const MAX_DIFFED_CHARS = 256 * 1024
const MAX_LISTED = 1000
const MAX_NOTABLE = 500
const BREATHE_EVERY = 2000

/** Told by other means, or of no interest. */
const untoldFields = new Set(['package', 'version', 'architecture', 'source'])
const untoldControlFiles = new Set(['md5sums', 'conffiles'])

/** A file on both sides, under its path on a machine. */
export interface FilePair {
  readonly path: string
  readonly old?: ContentsFile | undefined
  readonly new?: ContentsFile | undefined
}

/** How `fresh` differs from `old`; without an old one all of it is new. */
export async function compareContents(
  old: DebContents | undefined,
  fresh: DebContents,
): Promise<ContentsDifference> {
  const pairs = await filePairs(old, fresh)
  const budget = { lines: MAX_ALL_LINES }
  const scripts = controlChanges(old, fresh, budget)
  const notable = notableChanges(pairs, { old, fresh, budget })
  await breathe()
  return {
    alerts: alertsOf(old, fresh, pairs),
    fields: old === undefined ? [] : fieldsOf(old, fresh),
    scripts,
    notable,
    files: listsOf(pairs),
  }
}

/** All files that differ. */
async function filePairs(old: DebContents | undefined, fresh: DebContents): Promise<FilePair[]> {
  const before = new Map<string, ContentsFile>()
  let count = 0
  for (const [path, file] of old?.files ?? []) {
    before.set(machinePath(path, file), file)
    if (++count % BREATHE_EVERY === 0) await breathe()
  }
  const pairs: FilePair[] = []
  for (const [own, file] of fresh.files) {
    const path = machinePath(own, file)
    const known = before.get(path)
    before.delete(path)
    if (known === undefined || !isSame(known, file)) pairs.push({ path, old: known, new: file })
    if (++count % BREATHE_EVERY === 0) await breathe()
  }
  for (const [path, file] of before) pairs.push({ path, old: file })
  return pairs.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** `lib` itself is merged too, but for the link that does it. */
function machinePath(path: string, { type }: ContentsFile): string {
  return type === 'directory' ? mergedPath(`${path}/`).slice(0, -1) : mergedPath(path)
}

function isSame(a: ContentsFile, b: ContentsFile): boolean {
  return (
    a.digest === b.digest &&
    a.mode === b.mode &&
    a.type === b.type &&
    a.owner === b.owner &&
    a.linkTarget === b.linkTarget
  )
}

function fieldsOf(old: DebContents, fresh: DebContents): ControlField[] {
  const names = new Map(
    [...old.control, ...fresh.control].map(([name]) => [name.toLowerCase(), name]),
  )
  return [...names].flatMap(([key, field]) => {
    const [before, after] = [old.control.get(key), fresh.control.get(key)]
    return untoldFields.has(key) || before === after ? [] : [{ field, old: before, new: after }]
  })
}

/** Lines of diffs that may still be told of this package. */
interface Budget {
  lines: number
}

function controlChanges(
  old: DebContents | undefined,
  fresh: DebContents,
  budget: Budget,
): TextChange[] {
  const names = [...new Set([...(old?.controlFiles.keys() ?? []), ...fresh.controlFiles.keys()])]
  return names
    .filter((name) => !untoldControlFiles.has(name))
    .sort()
    .flatMap((name) => {
      const [before, after] = [old?.controlFiles.get(name), fresh.controlFiles.get(name)]
      if (before?.digest === after?.digest) return []
      return [{ name, change: changeOf(before, after), ...diffOf(before, after, budget) }]
    })
}

/** Files of a kind that matters, and conffiles. */
function notableChanges(
  pairs: readonly FilePair[],
  sides: {
    readonly old: DebContents | undefined
    readonly fresh: DebContents
    readonly budget: Budget
  },
): FileChange[] {
  const isConffile = (path: string): boolean =>
    sides.fresh.conffiles.has(path) || sides.old?.conffiles.has(path) === true
  return pairs
    .filter(({ path, old, new: fresh }) => {
      if (fresh?.type === 'directory' || (fresh ?? old)?.type === 'directory') return false
      return placeKind(path) !== undefined || isConffile(path)
    })
    .slice(0, MAX_NOTABLE)
    .map(({ path, old, new: fresh }) => ({
      name: path,
      kind: placeKind(path),
      isConffile: isConffile(path),
      change: changeOf(old, fresh),
      ...diffOf(shownText(old), shownText(fresh), sides.budget),
    }))
}

/** A link is told as the text of where it leads. */
function shownText(file: ContentsFile | undefined): Pick<KeptText, 'text'> | undefined {
  return file?.type === 'symlink' ? { text: `-> ${file.linkTarget}\n` } : file
}

export function changeOf(old: unknown, fresh: unknown): ChangeKind {
  if (old === undefined) return 'added'
  return fresh === undefined ? 'removed' : 'changed'
}

/** Nothing where a side has no text; what is taken out as a whole needs no lines. */
function diffOf(
  old: Pick<KeptText, 'text'> | undefined,
  fresh: Pick<KeptText, 'text'> | undefined,
  budget: Budget,
): Pick<TextChange, 'diff' | 'left'> {
  if (fresh === undefined || (old !== undefined && old.text === undefined)) return {}
  const [before, after] = [old?.text ?? '', fresh.text]
  if (after === undefined || before.length + after.length > MAX_DIFFED_CHARS) return {}
  const all = unifiedDiff(before, after)
  const diff = all
    .slice(0, Math.min(MAX_DIFF_LINES, budget.lines))
    .map((line) => (line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)}…` : line))
  budget.lines -= diff.length
  const left = all.length - diff.length
  return left > 0 ? { diff, left } : { diff }
}

function listsOf(pairs: readonly FilePair[]): FileLists {
  const counts = { added: 0, removed: 0, changed: 0 }
  const lists: Record<ChangeKind, ListedFile[]> = { added: [], removed: [], changed: [] }
  for (const { path, old, new: fresh } of pairs) {
    const change = changeOf(old, fresh)
    const file = fresh ?? old
    if (file === undefined) continue
    counts[change] += 1
    if (lists[change].length >= MAX_LISTED) continue
    const what = old !== undefined && fresh !== undefined ? changedIn(old, fresh) : facts(file)
    lists[change].push({ path, what })
  }
  return { ...lists, counts }
}

/** `4755 root:root 1234`, `directory 0755 root:root`, `symlink -> target`. */
function facts({ type, mode, owner, size, linkTarget }: ContentsFile): string {
  if (type === 'symlink') return `symlink -> ${linkTarget}`
  const own = `${octal(mode)} ${owner}`
  return type === 'file' || type === 'hard-link' ? `${own} ${size}` : `${type} ${own}`
}

function changedIn(old: ContentsFile, fresh: ContentsFile): string {
  const change = (name: string, a: string | undefined, b: string | undefined): string[] =>
    a === b ? [] : [`${name} ${a ?? '–'} -> ${b ?? '–'}`]
  const other = [
    ...change('type', old.type, fresh.type),
    ...change('mode', octal(old.mode), octal(fresh.mode)),
    ...change('owner', old.owner, fresh.owner),
    ...change('target', old.linkTarget, fresh.linkTarget),
  ]
  return [...(old.digest === fresh.digest ? [] : ['content']), ...other].join(', ')
}

/** Permission bits as they are written: `4755`. */
export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
