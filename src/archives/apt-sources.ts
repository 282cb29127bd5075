/**
 * The apt sources of the machine, read for the first start: which archives it uses, and whom it trusts for them.
 *
 * Nothing is fetched here and no key is read. What Sluice cannot carry is left out, each with its reason: sources that
 * apt takes unsigned (Trusted), other ways than http and https. Disabled ones are passed over. A deb-src
 * switches on the sources of a suite that a deb names, too.
 */
import { access, readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Abortable } from '../base/abortable.ts'
import { systemCode } from '../base/errors.ts'
import { type Environment, type Login, loginFor, parseAuth, proxyFor } from './apt-access.ts'
import { type AptConfig, ownArchitecture, readAptConfig } from './apt-config.ts'
import { parseAptFile } from './apt-entries.ts'
import {
  type AptSource,
  type LeftOut,
  resolveEntry,
  type SourceDefaults,
  type SourceLine,
  withoutLogin,
} from './apt-source.ts'

export interface AptSetup {
  /** No two of one URI, suite and set of architectures. */
  readonly sources: readonly AptSource[]
  readonly leftOut: readonly LeftOut[]
  /** The files that have a source which Sluice can carry. */
  readonly files: readonly string[]
  readonly nativeArchitecture: string
  /** The native one first. */
  readonly architectures: readonly string[]
  readonly checkValidUntil: boolean
  readonly checkDate: boolean
  /** The proxy that apt would use, its login in it; undefined for the direct way. */
  proxyFor(url: string): string | undefined
  /** The login from the source's own URI, else from auth.conf. */
  authFor(url: string): Login | undefined
}

export interface AptReadOptions extends Abortable {
  /** For `APT_CONFIG`, `http_proxy`, `https_proxy` and `no_proxy`; none of them unless told. */
  readonly environment?: Environment
}

/** Reads the setup of the system whose root directory is `root`. What cannot be read is left out, never an error. */
export async function readAptSetup(
  root = '/',
  { signal, environment = {} }: AptReadOptions = {},
): Promise<AptSetup> {
  const leftOut: LeftOut[] = []
  const { config, problem } = await readAptConfig(root, environment, { signal })
  if (problem !== undefined) leftOut.push({ what: 'apt.conf', reason: problem })
  leftOut.push(...unusedSettings(config))
  const nativeArchitecture = config.get('APT::Architecture') ?? ownArchitecture()
  const architectures = [
    ...new Set([nativeArchitecture, ...config.list('APT::Architectures')]),
  ].filter((name) => name !== 'all')
  const checkDate = config.isOn('Acquire::Check-Date', true)
  const defaults: SourceDefaults = {
    root: resolve(root),
    architectures,
    trusted: await filesOf(config, trustFiles),
    checkValidUntil: config.isOn('Acquire::Check-Valid-Until', true),
    checkDate,
  }
  const auth = (await readAll(await filesOf(config, authFiles), leftOut)).flatMap(({ text }) =>
    parseAuth(text),
  )
  const proxy = (url: string): string | undefined => {
    const parsed = URL.parse(url)
    return parsed === null ? undefined : proxyFor(parsed, config, { environment, auth })
  }
  const files = await readAll(await filesOf(config, sourceFiles), leftOut)
  const read = readSources(files, nativeArchitecture, defaults)
  leftOut.push(...read.leftOut)
  const carried = distinct(read.sources, leftOut).filter((one) => canReach(one, proxy, leftOut))
  const { sources, used } = withSources(carried, read.sourceLines, leftOut)
  return {
    sources,
    leftOut,
    files: files.map(({ path }) => path).filter((path) => read.used.has(path) || used.has(path)),
    nativeArchitecture,
    architectures,
    checkValidUntil: defaults.checkValidUntil,
    checkDate,
    proxyFor: proxy,
    authFor: (text) => {
      const url = URL.parse(text)
      if (url === null) return undefined
      const own = read.urls.find((each) => isBelow(text, withoutLogin(each)) && hasLogin(each))
      return loginFor(hasLogin(url) ? url : (own ?? url), auth)
    },
  }
}

interface TextFile {
  readonly path: string
  readonly text: string
}

function readSources(files: readonly TextFile[], architecture: string, defaults: SourceDefaults) {
  const sources: AptSource[] = []
  const sourceLines: SourceLine[] = []
  const leftOut: LeftOut[] = []
  const urls: URL[] = []
  const used = new Set<string>()
  for (const { path, text } of files) {
    for (const entry of parseAptFile(path, text, architecture)) {
      if ('problem' in entry) {
        leftOut.push({ what: entry.origin, reason: entry.problem })
        continue
      }
      const resolved = resolveEntry(entry, defaults)
      sources.push(...resolved.sources)
      sourceLines.push(...resolved.sourceLines)
      if (resolved.sources.length > 0) used.add(path)
      leftOut.push(...resolved.leftOut)
      urls.push(...resolved.urls)
    }
  }
  return { sources, sourceLines, leftOut, urls, used }
}

/** Sources of one URI and suite joined; apt refuses them if they differ in whom to trust, here the first counts. */
function distinct(sources: readonly AptSource[], leftOut: LeftOut[]): AptSource[] {
  const kept = new Map<string, AptSource>()
  const trust = new Map<string, AptSource>()
  for (const source of sources) {
    const suite = `${source.uri} ${source.suite}`
    const first = trust.get(suite) ?? source
    trust.set(suite, first)
    if (rulesOf(first) !== rulesOf(source)) {
      const reason = `its options are not those of ${first.origin}, which names the same suite`
      leftOut.push({ what: `deb ${suite} (${source.origin})`, reason })
      continue
    }
    const key = `${suite} ${source.architectures.join()}`
    const same = kept.get(key)
    const components = [...new Set([...(same?.components ?? []), ...source.components])]
    kept.set(key, { ...(same ?? source), components })
  }
  return [...kept.values()]
}

/** Marks the sources that a deb-src names too; what only a deb-src names is left out. */
function withSources(
  sources: readonly AptSource[],
  lines: readonly SourceLine[],
  leftOut: LeftOut[],
): { sources: AptSource[]; used: Set<string> } {
  const named = new Set<string>()
  const used = new Set<string>()
  const suiteOf = ({ uri, suite }: SourceLine): string => `${uri} ${suite}`
  for (const line of lines) {
    if (sources.some((source) => suiteOf(source) === suiteOf(line))) {
      named.add(suiteOf(line))
      used.add(line.origin.replace(/:\d+$/, ''))
      continue
    }
    const reason = 'no deb line names this suite, and source packages are carried with the binaries'
    leftOut.push({ what: `deb-src ${suiteOf(line)} (${line.origin})`, reason })
  }
  const marked = sources.map((one) => ({ ...one, hasSources: named.has(suiteOf(one)) }))
  return { sources: marked, used }
}

function rulesOf({ signedBy, checkValidUntil, checkDate }: AptSource): string {
  return JSON.stringify([signedBy, checkValidUntil, checkDate])
}

function canReach(
  source: AptSource,
  proxy: (url: string) => string | undefined,
  leftOut: LeftOut[],
): boolean {
  const through = proxy(source.uri)
  if (through === undefined || /^https?:\/\//i.test(through)) return true
  const scheme = URL.parse(through)?.protocol ?? 'what is no URL'
  leftOut.push({
    what: `deb ${source.uri} ${source.suite} (${source.origin})`,
    reason: `apt reaches it through a proxy of ${scheme}; Sluice takes http and https proxies`,
  })
  return false
}

function unusedSettings(config: AptConfig): LeftOut[] {
  const names = ['http', 'https'].flatMap((scheme) => [
    `Acquire::${scheme}::Proxy-Auto-Detect`,
    `Acquire::${scheme}::ProxyAutoDetect`,
  ])
  return names
    .filter((name) => config.get(name) !== undefined)
    .map((what) => ({
      what,
      reason: 'Sluice asks no program for its proxy; set Acquire::http::Proxy',
    }))
}

interface FilePlace {
  /** Items of the configuration: a file, and a directory of more. */
  readonly file: string
  readonly parts: string
  readonly extensions: readonly string[]
}

const etc = (file: string, parts: string, extensions: readonly string[]): FilePlace => ({
  file: `Dir::Etc::${file}`,
  parts: `Dir::Etc::${parts}`,
  extensions,
})
const sourceFiles = etc('sourcelist', 'sourceparts', ['list', 'sources'])
const authFiles = etc('netrc', 'netrcparts', ['conf'])
const trustFiles = etc('trusted', 'trustedparts', ['gpg', 'asc'])

/** The files that apt would read, by name; only those that exist, and whose names it takes. */
async function filesOf(config: AptConfig, place: FilePlace): Promise<string[]> {
  const file = config.path(place.file)
  const dir = config.path(place.parts)
  const names = dir === undefined ? [] : await readdir(dir).catch(() => [])
  const taken = names.filter((name) => {
    const extension = /^[A-Za-z0-9_:-][A-Za-z0-9_.:-]*\.([a-z]+)$/.exec(name)?.[1]
    return extension !== undefined && place.extensions.includes(extension)
  })
  const parts = taken.sort().map((name) => join(dir ?? '', name))
  return file !== undefined && (await exists(file)) ? [file, ...parts] : parts
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function readAll(paths: readonly string[], leftOut: LeftOut[]): Promise<TextFile[]> {
  const files: TextFile[] = []
  for (const path of paths) {
    try {
      files.push({ path, text: await readFile(path, 'utf8') })
    } catch (error) {
      const code = systemCode(error)
      if (code === undefined) throw error
      if (code === 'EISDIR') continue
      leftOut.push({ what: path, reason: `it cannot be read (${code})` })
    }
  }
  return files
}

function isBelow(url: string, root: string): boolean {
  return url === root || url.startsWith(`${root}/`)
}

function hasLogin(url: URL): boolean {
  return url.username !== '' || url.password !== ''
}
