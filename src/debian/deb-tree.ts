/**
 * The files that a package would put on a machine, entry by entry: nothing above the root, nothing through a link that the
 * package brings itself, no path in two meanings. dpkg unpacks in the order of the archive, other programs need not: what
 * is refused here is refused in any order.
 *
 * Links to anywhere are fine as long as nothing is put behind them. Memory: one entry for each path and directory, bounded.
 */
import type { DebWarning } from './deb-fields.ts'
import type { TarItem, TarType } from './tar-entries.ts'
import { beyond, buildAgain, quoted, refused } from './upload-refusal.ts'

export interface TreeLimits {
  /** Of entries, and of directories that paths name without having an entry. */
  readonly maxEntries: number
  /** Characters of all paths. */
  readonly maxPathChars: number
  /** Takes devices and named pipes, which Policy 10.6 forbids. */
  readonly allowSpecialFiles: boolean
}

export interface DebTree {
  /** Refuses the entry, or takes it. */
  add(item: TarItem): void
  /** Paths of all that is no directory, without a leading slash, in the archive's order. */
  files(): string[]
  has(path: string): boolean
  warnings(): DebWarning[]
}

const longestPath = 4095
const longestSegment = 255
const deepest = 128
const examples = 3
/** Numbers up to here are the same on every machine (Policy 9.2.2). */
const lastSystemId = 99

/** An empty tree, for the member of this name. */
export function createDebTree(member: string, limits: TreeLimits): DebTree {
  const kinds = new Map<string, TarType>([['', 'directory']])
  const odd = new Map<string, { count: number; paths: string[] }>()
  let [entries, chars] = [0, 0]

  const put = (path: string, kind: TarType): void => {
    chars += path.length
    kinds.set(path, kind)
    if (kinds.size > limits.maxEntries + 1)
      throw beyond('entries', `more than ${limits.maxEntries} files and directories`, { member })
    if (chars > limits.maxPathChars)
      throw beyond('path-chars', `more than ${limits.maxPathChars} characters of paths`, { member })
  }
  const note = (reason: string, path: string): void => {
    const seen = odd.get(reason) ?? { count: 0, paths: [] }
    seen.count += 1
    if (seen.paths.length < examples) seen.paths.push(path)
    odd.set(reason, seen)
  }
  const putParent = (parent: string): void => {
    put(parent, 'directory')
    note('no-directory', parent)
  }
  const add = (item: TarItem): void => {
    const bad = (reason: string, what: string, hint = buildAgain): Error =>
      refused({ reason, what, hint, member, offset: item.offset })
    entries += 1
    if (entries > limits.maxEntries)
      throw beyond('entries', `more than ${limits.maxEntries} entries`, { member })
    const path = checkPath(item.name, bad)
    if (path === '' && item.type !== 'directory') throw bad('path', 'the root is no directory')
    enterParents(path, kinds, putParent, bad)
    const before = kinds.get(path)
    const kind = item.type === 'hard-link' ? linkedKind(item, kinds, bad) : item.type
    if (before !== undefined && (before !== 'directory' || kind !== 'directory'))
      throw bad('path-twice', `${quoted(path)} is there twice`)
    const isSpecial = /device$|^fifo$/.test(kind)
    if (isSpecial && !limits.allowSpecialFiles) {
      const hint = 'make it in postinst, or leave it to systemd-tmpfiles (Policy 10.6)'
      throw bad('special-file', `${quoted(path)} is a ${kind.replace('-', ' ')}`, hint)
    }
    if (before === undefined) put(path, kind)
    if (item.type !== 'hard-link') noteOdd(item, path, note)
  }
  return {
    add,
    files: () => [...kinds].flatMap(([path, kind]) => (kind === 'directory' ? [] : [path])),
    has: (path) => kinds.has(path),
    warnings: () => [...odd].map(([reason, seen]) => ({ reason, message: tell(reason, seen) })),
  }
}

type Bad = (reason: string, what: string, hint?: string) => Error

/** The path below the root: `./usr/a` and `usr/a` alike, nothing else. */
function checkPath(name: string, bad: Bad): string {
  if (name.startsWith('/')) throw bad('path-absolute', `the path ${quoted(name)} is absolute`)
  const isRoot = name === '.' || name === './'
  const path = isRoot ? '' : name.replace(/^\.\//, '').replace(/\/$/, '')
  if (name.length > longestPath) throw bad('path-long', `a path of ${name.length} characters`)
  if (/[^\P{Cc}]/u.test(path)) throw bad('path', `a control character in the path ${quoted(name)}`)
  if (isRoot) return path
  const segments = path.split('/')
  if (segments.length > deepest) throw bad('path-deep', `a path of ${segments.length} directories`)
  for (const segment of segments) {
    if (segment === '..') throw bad('path-outside', `the path ${quoted(name)} leads out by ".."`)
    if (segment === '' || segment === '.')
      throw bad('path', `the path ${quoted(name)} is not written plainly`)
    if (Buffer.byteLength(segment) > longestSegment)
      throw bad('path-long', `a name of more than ${longestSegment} bytes in ${quoted(name)}`)
  }
  return path
}

/** All that the path lies in must be directories. */
function enterParents(
  path: string,
  kinds: ReadonlyMap<string, TarType>,
  put: (path: string) => void,
  bad: Bad,
): void {
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    const parent = path.slice(0, at)
    const kind = kinds.get(parent)
    if (kind === 'symlink') {
      const hint = 'a package must not put files behind a link that it brings itself'
      throw bad(
        'path-through-link',
        `${quoted(path)} goes through the link ${quoted(parent)}`,
        hint,
      )
    }
    if (kind === undefined) put(parent)
    else if (kind !== 'directory')
      throw bad('path-twice', `${quoted(path)} lies in ${quoted(parent)}, a ${kind}`)
  }
}

/** What a hard link is: what it leads to, which came before in the same package. */
function linkedKind(item: TarItem, kinds: ReadonlyMap<string, TarType>, bad: Bad): TarType {
  const hint = 'a hard link may lead to a file of the same package alone, which comes before it'
  const what = `the hard link ${quoted(item.name)} leads to ${quoted(item.linkTarget)}`
  const isOutside = item.linkTarget.startsWith('/') || item.linkTarget.split('/').includes('..')
  if (isOutside) throw bad('link-outside', `${what}, outside of the package`, hint)
  const kind = kinds.get(item.linkTarget.replace(/^\.\//, ''))
  if (kind === undefined || kind === 'directory')
    throw bad('link-target', `${what}, which is no file before it`, hint)
  return kind
}

function noteOdd(
  { type, mode, uid, gid }: TarItem,
  path: string,
  note: (reason: string, path: string) => void,
): void {
  if (type === 'symlink') return
  if (type !== 'directory' && (mode & 0o6000) !== 0) note('setuid', path)
  if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0) note('world-writable', path)
  if (uid > lastSystemId || gid > lastSystemId) note('owner', path)
  if (/^(usr\/local|home|root|tmp|run|proc|sys|dev)\/./.test(path)) note('odd-place', path)
}

const words: Readonly<Record<string, string>> = {
  setuid: 'run with the rights of their owner or group (setuid, setgid)',
  'world-writable': 'can be written by everybody',
  owner: 'belong to a user who is another one on each machine (build with --root-owner-group)',
  'no-directory': 'are directories which it has files in, but not themselves: dpkg makes none',
  'odd-place': 'lie where packages put nothing (Policy 9.1)',
}

function tell(reason: string, { count, paths }: { count: number; paths: string[] }): string {
  const more = count > paths.length ? ` and ${count - paths.length} more` : ''
  return `files that ${words[reason] ?? reason}: ${paths.map((path) => quoted(path)).join(', ')}${more}`
}
