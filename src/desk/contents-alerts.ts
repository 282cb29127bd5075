/**
 * What of a package's new contents an administrator has to see first: rights, ways in, and what runs by itself. The order
 * of the table is the order in which it is told.
 */
import { mergedPath, type PlaceKind, placeKind } from '../debian/admin-places.ts'
import type { ContentsFile, DebContents, KeptText } from '../debian/deb-contents.ts'
import { listenersOf } from '../debian/listeners.ts'
import type { FilePair } from './contents-difference.ts'
import { type LineKind, newScriptLines } from './script-lines.ts'

export type AlertKind =
  | PlaceKind
  | LineKind
  | 'setuid'
  | 'setgid'
  | 'writable'
  | 'device'
  | 'script'

export interface Alert {
  readonly kind: AlertKind
  /** `new`, or `changed` where the file was there before. */
  readonly is: 'new' | 'changed'
  /** `usr/bin/tool 4755 root:root`, `tcp 8080`, the line of a script. */
  readonly what: string
  /** The file that says so, where `what` does not tell it. */
  readonly where?: string | undefined
}

const MAX_ALERTS = 200

const order: readonly AlertKind[] = [
  'setuid',
  'setgid',
  'device',
  'writable',
  'rights',
  'hidden',
  'network',
  'listener',
  'apt',
  'sudo',
  'pam',
  'polkit',
  'preload',
  'accounts',
  'script',
  'socket',
  'unit',
  'timer',
  'generator',
  'init script',
  'cron',
  'inetd',
  'dbus',
  'udev',
  'modules',
  'sysctl',
  'apparmor',
  'hook',
  'tmpfiles',
  'profile',
]
/** Of these a change of the text matters as much as a new file. */
const alsoChanged = new Set<AlertKind>(['apt', 'sudo', 'pam', 'polkit', 'preload'])
const scriptNames = ['config', 'preinst', 'postinst', 'prerm', 'postrm']

/** The alerts of these files, of which `pairs` are those that differ; at most 200. */
export function alertsOf(
  old: DebContents | undefined,
  fresh: DebContents,
  pairs: readonly FilePair[],
): Alert[] {
  const all = [
    ...pairs.flatMap(ofFile),
    ...pairs.flatMap(ofListeners),
    ...scriptNames.flatMap((name) =>
      ofScript(name, old?.controlFiles.get(name), fresh.controlFiles.get(name)),
    ),
  ]
  return all.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind)).slice(0, MAX_ALERTS)
}

function ofFile({ path, old, new: fresh }: FilePair): Alert[] {
  if (fresh === undefined) return []
  const is = old === undefined ? 'new' : 'changed'
  const alerts: Alert[] = rightsOf(old, fresh).map((kind) => {
    const was = old === undefined ? '' : `, was ${rights(old)}`
    return { kind, is, what: `${path} ${rights(fresh)}${was}` }
  })
  const kind = fresh.type === 'directory' ? undefined : placeKind(path)
  if (kind !== undefined && (is === 'new' || (alsoChanged.has(kind) && isOther(old, fresh)))) {
    alerts.push({ kind, is, what: path })
  }
  return alerts
}

/** Whether more than the owner or mode of the file changed. */
function isOther(old: ContentsFile | undefined, fresh: ContentsFile): boolean {
  return old?.digest !== fresh.digest || old?.linkTarget !== fresh.linkTarget
}

function rights({ mode, owner }: ContentsFile): string {
  return `${mode.toString(8).padStart(4, '0')} ${owner}`
}

/** What the mode of the file lets somebody do that the old one did not. */
function rightsOf(old: ContentsFile | undefined, fresh: ContentsFile): AlertKind[] {
  const { type, mode, owner } = fresh
  if (type === 'symlink') return []
  const isFile = type === 'file' || type === 'hard-link'
  const gained = old?.type === type && old.owner === owner ? mode & ~old.mode : mode
  // Nobody takes another's files out of a directory with the sticky bit.
  const isShared = type === 'directory' && (mode & 0o1000) !== 0
  const isDevice = type === 'character-device' || type === 'block-device'
  return [
    ...(isFile && (gained & 0o4000) !== 0 ? (['setuid'] as const) : []),
    ...(isFile && (gained & 0o2000) !== 0 ? (['setgid'] as const) : []),
    ...(isDevice && old?.type !== type ? (['device'] as const) : []),
    ...((gained & 0o002) !== 0 && !isShared ? (['writable'] as const) : []),
  ]
}

function ofListeners({ path, old, new: fresh }: FilePair): Alert[] {
  if (fresh?.text === undefined) return []
  const kind = placeKind(path)
  const before = listenersOf(path, kind, old?.text ?? '').map(({ what }) => what)
  return listenersOf(mergedPath(path), kind, fresh.text)
    .filter(({ what }) => !before.includes(what))
    .map(({ what, where }) => ({ kind: 'listener', is: 'new', what, where }))
}

function ofScript(name: string, old: KeptText | undefined, fresh: KeptText | undefined): Alert[] {
  if (fresh === undefined || fresh.digest === old?.digest) return []
  const lines = newScriptLines(old?.text ?? '', fresh.text ?? '')
  const count = (fresh.text ?? '').trimEnd().split('\n').length
  const what = fresh.text === undefined ? `${name}, which is no text` : `${name}, ${count} lines`
  return [
    { kind: 'script', is: old === undefined ? 'new' : 'changed', what },
    ...lines.map(({ kind, line }): Alert => ({ kind, is: 'new', what: line, where: name })),
  ]
}
