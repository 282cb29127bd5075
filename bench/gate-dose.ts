/**
 * dose-debcheck as the judge of a change in a whole archive. It takes 20 s for all packages of a suite; so after a change it is
 * asked about those alone that the change can reach by names (whatever versions say), in an index of what these can reach. A
 * change that reaches an essential package reaches all. What is not reached is as it was: `--whole` of the bench tests that, too.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../test/support/run.ts'
import type { Package, State } from './gate-states.ts'
import { fieldOf, needField } from './stanzas.ts'

/** Packages of one state that go, and others that come in their place. */
export interface Change {
  readonly before: State
  readonly removed: readonly Package[]
  readonly added: readonly Package[]
}

export interface Dose {
  /** The names of a state of which no version can be installed. */
  uninstallable(state: State): Promise<ReadonlySet<string>>
  /** The names that the change breaks. */
  broken(change: Change, options?: { readonly isWhole?: boolean }): Promise<string[]>
}

export interface Links {
  /** Name -> names of packages that mention it among what they need. */
  readonly needers: ReadonlyMap<string, ReadonlySet<string>>
  /** Name -> packages that have or provide it. */
  readonly givers: ReadonlyMap<string, readonly Package[]>
}

/**
 * A judge whose files, and its verdicts on states, are in the directory. It takes `name:any` for any package of the name, of any
 * version; `asApt` has it know better.
 */
export function openDose(directory: string, { asApt = false } = {}): Dose {
  mkdirSync(directory, { recursive: true })
  const links = new WeakMap<State, Links>()
  const verdicts = new WeakMap<State, ReadonlySet<string>>()
  const linksOf = (state: State): Links => {
    const known = links.get(state) ?? linkPackages(state.packages)
    links.set(state, known)
    return known
  }
  const verdictOn = async (state: State): Promise<ReadonlySet<string>> => {
    const known = verdicts.get(state)
    if (known !== undefined) return known
    const text = indexOf(state.packages, asApt)
    const file = join(directory, createHash('sha256').update(text).digest('hex').slice(0, 32))
    if (!existsSync(file)) {
      const found = await judge({ directory, asApt }, state.packages, [])
      writeFileSync(file, JSON.stringify([...found]))
    }
    const verdict = new Set<string>(JSON.parse(readFileSync(file, 'utf8')))
    verdicts.set(state, verdict)
    return verdict
  }
  return {
    uninstallable: verdictOn,
    broken: async (change, { isWhole = false } = {}) => {
      const known = await verdictOn(change.before)
      const after = packagesAfter(change)
      const reached = isWhole ? undefined : reachedBy(change, linksOf(change.before))
      const asked = reached === undefined ? after : after.filter(({ name }) => reached.has(name))
      const others =
        reached === undefined ? [] : reachableFrom(change, linksOf(change.before), asked)
      const found = await judge({ directory, asApt }, asked, others)
      return [...found].filter((name) => !known.has(name)).sort()
    },
  }
}

/** What there is after a change. */
export function packagesAfter({ before, removed, added }: Change): Package[] {
  const gone = new Set(removed)
  return [...before.packages.filter((one) => !gone.has(one)), ...added]
}

/** The names of which dose-debcheck can install no version, of those asked for. */
async function judge(
  { directory, asApt }: { readonly directory: string; readonly asApt: boolean },
  asked: readonly Package[],
  others: readonly Package[],
): Promise<Set<string>> {
  if (asked.length === 0) return new Set()
  // Of this process alone: two runs would judge each other's packages.
  const [fg, bg] = [join(directory, `fg-${process.pid}`), join(directory, `bg-${process.pid}`)]
  writeFileSync(fg, indexOf(asked, asApt), 'latin1')
  writeFileSync(bg, indexOf(others, asApt), 'latin1')
  const inputs = others.length === 0 ? [fg] : [`--fg=${fg}`, `--bg=${bg}`]
  const args = ['--deb-native-arch=amd64', '-f', ...inputs]
  const { code, stdout, stderr } = await run('dose-debcheck', args, { timeoutMs: 900_000 })
  for (const file of [fg, bg]) rmSync(file)
  if (code !== 0 && code !== 1) throw new Error(`dose-debcheck: ${stderr}`)
  const failed = new Set<string>()
  for (const [, name, version] of stdout.matchAll(/^ {2}package: (\S+)\n {2}version: (\S+)$/gm)) {
    failed.add(`${name} ${version}`)
  }
  const good = new Set<string>()
  for (const { name, version } of asked) if (!failed.has(`${name} ${version}`)) good.add(name)
  return new Set(asked.map(({ name }) => name).filter((name) => !good.has(name)))
}

function indexOf(packages: readonly Package[], asApt: boolean): string {
  return packages.map(({ text }) => (asApt ? withAny(text) : text)).join('\n')
}

/** `name:any` as a name that packages provide which are Multi-Arch: allowed, with their version. */
function withAny(text: string): string {
  const isAllowed = /^Multi-Arch: allowed$/m.test(text)
  if (!isAllowed && !text.includes(':any')) return text
  const plain = text
    .replace(/^(Depends|Pre-Depends): .*$/gm, (line) => line.replaceAll(':any', '--any'))
    .replace(/^(Conflicts|Breaks): .*$/gm, (line) => line.replaceAll(':any', ''))
  if (!isAllowed) return plain
  const given = (fieldOf(plain, 'Provides') ?? '').split(/,\s*/).filter((one) => one !== '')
  const own = `${needField(plain, 'Package')} (= ${needField(plain, 'Version')})`
  const all = [...given, ...[own, ...given].map((one) => one.replace(/^[^ ]+/, '$&--any'))]
  return `${plain.replace(/^Provides:.*\n/m, '')}Provides: ${all.join(', ')}\n`
}

/** Who mentions and who has each name. */
export function linkPackages(packages: readonly Package[]): Links {
  const needers = new Map<string, Set<string>>()
  const givers = new Map<string, Package[]>()
  for (const one of packages) {
    for (const need of one.needs.flat()) {
      const users = needers.get(need)
      if (users === undefined) needers.set(need, new Set([one.name]))
      else users.add(one.name)
    }
    for (const name of one.gives) {
      const others = givers.get(name)
      if (others === undefined) givers.set(name, [one])
      else others.push(one)
    }
  }
  return { needers, givers }
}

/** The names of packages that lead to a name that comes or goes; undefined: all. */
function reachedBy({ before, removed, added }: Change, base: Links): Set<string> | undefined {
  const more = linkPackages(added)
  const reached = new Set<string>()
  const seen = new Set([...removed, ...added].flatMap(({ gives }) => gives))
  const queue = [...seen]
  const essential = new Set(
    [...before.packages, ...added].filter((one) => one.isEssential).map(({ name }) => name),
  )
  for (const { name } of [...removed, ...added]) reached.add(name)
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    for (const { needers } of [base, more]) {
      for (const user of needers.get(name) ?? []) {
        if (reached.has(user)) continue
        reached.add(user)
        const versions = [...(base.givers.get(user) ?? []), ...(more.givers.get(user) ?? [])]
        for (const { gives } of versions.filter((one) => one.name === user)) {
          for (const given of gives) {
            if (seen.has(given)) continue
            seen.add(given)
            queue.push(given)
          }
        }
      }
    }
  }
  return [...essential].some((name) => reached.has(name)) ? undefined : reached
}

/** What these and the essential packages can need after the change, themselves aside. */
function reachableFrom(change: Change, base: Links, asked: readonly Package[]): Package[] {
  const gone = new Set(change.removed)
  const more = linkPackages(change.added)
  const isAsked = new Set(asked)
  const essential = packagesAfter(change).filter((one) => one.isEssential)
  const found = new Set<Package>([...asked, ...essential])
  const queue = [...found]
  const seen = new Set<string>()
  for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
    for (const name of one.needs.flat()) {
      if (seen.has(name)) continue
      seen.add(name)
      for (const { givers } of [base, more]) {
        for (const giver of givers.get(name) ?? []) {
          if (gone.has(giver) || found.has(giver)) continue
          found.add(giver)
          queue.push(giver)
        }
      }
    }
  }
  return [...found].filter((one) => !isAsked.has(one))
}
