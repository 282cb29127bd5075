/**
 * The machine's apt configuration, as the real `apt-config dump` prints it (apt.conf(5)).
 *
 * Names compare without case. A list is the values of its unnamed members. Paths are made whole as apt makes them: a
 * relative one stands below the nearest ancestor with a value. Without apt-config the defaults of apt hold.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Abortable } from '../base/abortable.ts'
import { systemCode } from '../base/errors.ts'

export interface AptConfig {
  /** Undefined if it is not set, or empty. */
  get(name: string): string | undefined
  list(name: string): readonly string[]
  /** As apt reads yes and no; `fallback` for all else. */
  isOn(name: string, fallback: boolean): boolean
  /** The absolute path that a `Dir::…` item stands for; undefined for `/dev/null`. */
  path(name: string): string | undefined
}

export interface AptConfigRead {
  readonly config: AptConfig
  /** Why these are apt's defaults instead of what the machine says. */
  readonly problem?: string
}

const execute = promisify(execFile)
const maxDumpBytes = 16 * 1024 * 1024
const defaults: readonly (readonly [string, string])[] = [
  ['Dir::Etc', 'etc/apt'],
  ['Dir::Etc::sourcelist', 'sources.list'],
  ['Dir::Etc::sourceparts', 'sources.list.d'],
  ['Dir::Etc::netrc', 'auth.conf'],
  ['Dir::Etc::netrcparts', 'auth.conf.d'],
  ['Dir::Etc::trusted', 'trusted.gpg'],
  ['Dir::Etc::trustedparts', 'trusted.gpg.d'],
]
const debianNames: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: 'i386',
  arm: 'armhf',
  ppc64: 'ppc64el',
  loong64: 'loong64',
}

/** Reads the configuration of the system below `root`; never throws for what apt-config says about it. */
export async function readAptConfig(
  root: string,
  environment: Readonly<Record<string, string | undefined>>,
  { signal }: Abortable,
): Promise<AptConfigRead> {
  try {
    return { config: parseDump(await dump(root, environment, signal)) }
  } catch (error) {
    if (signal?.aborted) throw error
    const problem =
      systemCode(error) === 'ENOENT' ? 'there is no apt-config on this machine' : firstLine(error)
    return { config: configOf([['Dir', root], ...defaults]), problem }
  }
}

/** apt's yes and no in any of their spellings; undefined for what is neither. */
export function parseAptBool(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  if (['no', 'false', 'without', 'off', 'disable', '0'].includes(word)) return false
  if (['yes', 'true', 'with', 'on', 'enable', '1'].includes(word)) return true
  return undefined
}

/** Debian's name of the architecture that this program runs on, for where apt cannot be asked. */
export function ownArchitecture(): string {
  return debianNames[process.arch] ?? process.arch
}

async function dump(
  root: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal | undefined,
): Promise<string> {
  const args = ['dump', '--format', '%F %V%n']
  const options = { maxBuffer: maxDumpBytes, timeout: 20_000, ...(signal ? { signal } : {}) }
  const path = '/usr/local/bin:/usr/bin:/bin'
  const env = { PATH: path, LC_ALL: 'C', ...pick(environment, 'APT_CONFIG') }
  if (resolve(root) === '/') return (await execute('apt-config', args, { ...options, env })).stdout
  // Only a file named by APT_CONFIG is read before apt.conf.d, and so decides whose that is.
  const dir = await mkdtemp(join(tmpdir(), 'sluice-apt-'))
  try {
    const file = join(dir, 'apt.conf')
    await writeFile(file, `Dir "${resolve(root)}/";\n`)
    const own = { ...options, env: { ...env, APT_CONFIG: file } }
    return (await execute('apt-config', args, own)).stdout
  } finally {
    await rm(dir, { recursive: true })
  }
}

function pick(
  environment: Readonly<Record<string, string | undefined>>,
  name: string,
): Record<string, string> {
  const value = environment[name]
  return value === undefined ? {} : { [name]: value }
}

/** Lines of `NAME VALUE`, the value percent-encoded; a name that ends in `::` is an unnamed member of a list. */
function parseDump(text: string): AptConfig {
  const items: [string, string][] = []
  for (const line of text.split('\n')) {
    const at = line.indexOf(' ')
    if (at > 0) items.push([percentDecode(line.slice(0, at)), percentDecode(line.slice(at + 1))])
  }
  return configOf(items)
}

function configOf(items: readonly (readonly [string, string])[]): AptConfig {
  const values = new Map<string, string>()
  const members = new Map<string, string[]>()
  for (const [name, value] of items) {
    const key = name.toLowerCase()
    const list = key.endsWith('::') ? key.slice(0, -2) : undefined
    if (list === undefined) values.set(key, value)
    else members.set(list, [...(members.get(list) ?? []), value])
  }
  const get = (name: string): string | undefined => values.get(name.toLowerCase()) || undefined
  return {
    get,
    list: (name) => {
      const listed = members.get(name.toLowerCase())
      return listed ?? get(name)?.split(',').filter(Boolean) ?? []
    },
    isOn: (name, fallback) => parseAptBool(get(name) ?? '') ?? fallback,
    path: (name) => wholePath(name, get),
  }
}

function wholePath(name: string, get: (name: string) => string | undefined): string | undefined {
  let path = get(name)
  if (path === undefined) return undefined
  const parts = name.split('::')
  while (!path.startsWith('/') && !/^(~|\.{1,2})\//.test(path) && parts.length > 1) {
    parts.pop()
    const parent = get(parts.join('::'))
    if (parent !== undefined) path = join(parent, path)
  }
  const rootDir = get('RootDir')
  if (path.startsWith('/dev/null')) return undefined
  return resolve(rootDir === undefined ? path : join(rootDir, path))
}

function percentDecode(text: string): string {
  const bytes = text.replace(/%[0-9a-f]{2}/gi, (code) =>
    String.fromCharCode(Number.parseInt(code.slice(1), 16)),
  )
  // apt encodes byte by byte, and leaves no byte over 127 as it is.
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

function firstLine(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
  const line = text.split('\n').find((each) => each.trim() !== '') ?? 'unknown'
  return `apt-config failed: ${line.replace(/^E: /, '')}`
}
