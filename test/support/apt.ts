/**
 * A real apt with a root of its own: its lists, cache, settings, keys and dpkg's database lie below one directory,
 * and nothing of the machine's apt.conf.d, keys, sources or proxies reaches it.
 *
 * Packages are installed by the real dpkg with `--root`; fixture packages have no maintainer scripts. Commands wait
 * without blocking, because the servers they talk to run in the test's own process.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type RunResult, run, runOk } from './run.ts'

export interface AptOptions {
  /** One-line sources, or deb822 stanzas (told by a line `Types:`). */
  readonly sources: string
  /** Acquire::http::Proxy. */
  readonly proxy?: string
  /** amd64 unless told. */
  readonly arch?: string
  /** Foreign architectures. */
  readonly foreign?: readonly string[]
  /** More lines of apt.conf, each with its semicolon. */
  readonly config?: readonly string[]
  /** Options for every command: `['-o', 'Acquire::Retries=0']`. */
  readonly options?: readonly string[]
}

export interface AptRun {
  readonly code: number
  /** Both streams, standard output first. */
  readonly output: string
  /** Lines that apt began with `W:`, `E:` and `N:`, without that beginning. */
  readonly warnings: readonly string[]
  readonly errors: readonly string[]
  readonly notices: readonly string[]
  /** URLs and names of `Err:` and `Ign:` lines of the progress. */
  readonly failed: readonly string[]
  readonly ignored: readonly string[]
  /** From the line `Fetched …`, as exact as apt prints it. */
  readonly fetchedBytes: number
}

export interface AptPolicy {
  readonly installed: string | undefined
  readonly candidate: string | undefined
  /** Best first; `lines` name priority and source of each place that has it. */
  readonly versions: readonly { readonly version: string; readonly lines: readonly string[] }[]
}

export interface TestApt {
  /** All of apt's files are below. */
  readonly dir: string
  /** `DIR/var/lib/apt/lists`. */
  readonly listsDir: string
  setSources(sources: string): Promise<void>
  update(...options: string[]): Promise<AptRun>
  /** Fetches into the cache and no more. `hello`, `hello=1`, `hello:arm64`. */
  download(...names: string[]): Promise<AptRun>
  /** Fetches and unpacks below `dir`, with dependencies. */
  install(...names: string[]): Promise<AptRun>
  upgrade(): Promise<AptRun>
  policy(name: string): Promise<AptPolicy>
  /** Names of the files in `listsDir`, `lock` and directories apart. */
  lists(): Promise<string[]>
  /** Names of the .deb files in apt's cache. */
  cached(): Promise<string[]>
  /** `name=version` of what is installed, sorted. */
  installed(): Promise<string[]>
  /** Any of apt's programs (and gpgv, dpkg) with these settings. */
  run(command: string, args: readonly string[]): Promise<RunResult>
}

/** Makes the root in `dir`, which may exist; nothing runs yet. */
export async function createApt(dir: string, options: AptOptions): Promise<TestApt> {
  const root = resolve(dir)
  const listsDir = join(root, 'var/lib/apt/lists')
  const archives = join(root, 'var/cache/apt/archives')
  await makeRoot(root, options)
  const env = { APT_CONFIG: join(root, 'apt.conf'), HOME: root, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (command: string, args: readonly string[]): Promise<RunResult> => {
    const isApt = command.startsWith('apt-')
    return run(command, [...(isApt ? (options.options ?? []) : []), ...args], { env })
  }
  const get = async (...args: string[]): Promise<AptRun> => read(await apt('apt-get', args))
  const setSources = (text: string): Promise<void> => writeSources(root, text)
  await setSources(options.sources)
  return {
    dir: root,
    listsDir,
    setSources,
    update: (...more) => get('update', ...more),
    download: (...names) => get('install', '--yes', '--reinstall', '--download-only', ...names),
    install: (...names) => get('install', '--yes', ...names),
    upgrade: () => get('dist-upgrade', '--yes'),
    policy: async (name) => readPolicy((await apt('apt-cache', ['policy', name])).stdout),
    lists: async () => (await filesIn(listsDir)).filter((name) => name !== 'lock'),
    cached: async () => (await filesIn(archives)).filter((name) => name.endsWith('.deb')),
    installed: async () => {
      const format = ['--show', `--showformat=\${Package}=\${Version}\n`]
      const { stdout } = await runOk('dpkg-query', [`--root=${root}`, ...format])
      return stdout.split('\n').filter(Boolean).sort()
    },
    run: apt,
  }
}

async function makeRoot(root: string, options: AptOptions): Promise<void> {
  const dirs = [
    ...['etc/apt/sources.list.d', 'etc/apt/trusted.gpg.d', 'etc/apt/auth.conf.d'],
    ...['etc/apt/apt.conf.d', 'etc/apt/preferences.d', 'var/lib/apt/lists/partial'],
    ...['var/cache/apt/archives/partial', 'var/lib/dpkg/info', 'var/lib/dpkg/updates', 'tmp'],
    ...['var/lib/dpkg/triggers', 'var/log/apt'],
  ]
  for (const dir of dirs) await mkdir(join(root, dir), { recursive: true })
  const status = join(root, 'var/lib/dpkg/status')
  await writeFile(status, '', { flag: 'a' })
  await writeFile(join(root, 'var/lib/dpkg/available'), '', { flag: 'a' })
  const arch = options.arch ?? 'amd64'
  const config = [
    // Below this directory lie etc/apt with apt.conf.d, sources and keys, var/lib/apt and var/cache/apt.
    `Dir "${root}/";`,
    `Dir::State::status "${status}";`,
    `APT::Architecture "${arch}";`,
    `APT::Architectures { ${[arch, ...(options.foreign ?? [])].map((name) => `"${name}";`).join(' ')} };`,
    'APT::Sandbox::User "root";',
    'APT::Install-Recommends "false";',
    `DPkg::Options { "--root=${root}"; "--force-not-root"; "--force-bad-path"; "--force-architecture"; };`,
    ...(options.proxy === undefined ? [] : [`Acquire::http::Proxy "${options.proxy}";`]),
    ...(options.config ?? []),
  ]
  await writeFile(join(root, 'apt.conf'), `${config.join('\n')}\n`)
}

async function writeSources(root: string, sources: string): Promise<void> {
  const isDeb822 = /^Types:/im.test(sources)
  const oneLine = join(root, 'etc/apt/sources.list')
  const deb822 = join(root, 'etc/apt/sources.list.d/test.sources')
  await writeFile(oneLine, isDeb822 ? '' : `${sources}\n`)
  await writeFile(deb822, isDeb822 ? `${sources}\n` : '')
}

async function filesIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort()
}

function read({ code, stdout, stderr }: RunResult): AptRun {
  const output = `${stdout}${stderr}`
  const lines = output.split('\n')
  const after = (start: RegExp): string[] =>
    lines.filter((line) => start.test(line)).map((line) => line.replace(start, ''))
  return {
    code,
    output,
    warnings: after(/^W: /),
    errors: after(/^E: /),
    notices: after(/^N: /),
    failed: after(/^Err:\d+ /),
    ignored: after(/^Ign:\d+ /),
    fetchedBytes: fetched(output),
  }
}

function fetched(output: string): number {
  const found = /^Fetched ([\d.,]+) ([kMG]?)B in/m.exec(output)
  const factor = { k: 1e3, M: 1e6, G: 1e9 }[found?.[2] ?? ''] ?? 1
  return Number(found?.[1]?.replaceAll(',', '') ?? 0) * factor
}

function readPolicy(text: string): AptPolicy {
  const field = (name: string): string | undefined => {
    const value = new RegExp(`^  ${name}: (.*)$`, 'm').exec(text)?.[1]
    return value === '(none)' ? undefined : value
  }
  const versions: { version: string; lines: string[] }[] = []
  const table = text.slice(text.indexOf('  Version table:')).split('\n').slice(1)
  for (const line of table) {
    const version = /^ (?:\*\*\*| {3}) (\S+) -?\d+$/.exec(line)?.[1]
    if (version !== undefined) versions.push({ version, lines: [] })
    else if (line.trim() !== '') versions.at(-1)?.lines.push(line.trim())
  }
  return { installed: field('Installed'), candidate: field('Candidate'), versions }
}
