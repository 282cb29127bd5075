/**
 * A complete signed archive at Debian's real scale, and the same archive a little later.
 *
 * Each stanza of a real index becomes one `.deb` at its real pool path, with its real control fields. Suites:
 * `bookworm` for amd64 and, from the same list, for arm64 (packages for all architectures are shared, as in Debian);
 * `bookworm-updates` holds a few of its packages in a newer version. Same input, same bytes, except for the
 * signatures: the key is made once for each directory.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { buildDeb, type DebChangelog } from './deb.ts'
import { randomFrom, sample } from './random.ts'
import { endAgent, ensureKey } from './signing.ts'
import {
  controlOf,
  fieldOf,
  followVersions,
  forArchitecture,
  needField,
  readStanzas,
  sourceOf,
  splitStanzas,
  takeStanzas,
  withDigests,
  withNewVersion,
} from './stanzas.ts'
import {
  archiveRoot,
  type IndexFile,
  indexPath,
  releaseDate,
  translationFiles,
  writeIndex,
  writeRelease,
  writeTranslation,
} from './suite.ts'
import { translationsOf } from './translation.ts'

export const mainSuite = 'bookworm'
export const updatesSuite = `${mainSuite}-updates`

export interface ArchivePlan {
  readonly directory: string
  /** 0: all that the list has. */
  readonly stanzas: number
  /** The first is that of the list. */
  readonly architectures: readonly string[]
  /** An uncompressed index; undefined: the machine's own. */
  readonly list: string | undefined
  /** Payload of each `.deb`; 0 for the smallest there can be. */
  readonly padBytes: number
  /** Payload of the first package alone, if it is to be a large one. */
  readonly largeBytes: number
  /** How many more files its Releases name, which nobody fetches; Debian's make 150 kB of it. None unless told. */
  readonly otherFiles?: number
  /** The Release's Date, in seconds since 1970. */
  readonly epochSeconds: number
}

export interface ArchiveFacts {
  readonly debs: number
  readonly stanzas: Readonly<Record<string, number>>
}

/** What an archive of the same plan holds: another number where that changed. */
const FORMAT = 2

type Progress = (line: string) => void

/** Makes the archive and tells how much is in it. */
export async function buildArchive(plan: ArchivePlan, progress: Progress): Promise<ArchiveFacts> {
  mkdirSync(plan.directory, { recursive: true })
  ensureKey(plan.directory, plan.epochSeconds)
  const taken = takeStanzas(readStanzas(mainSuite, plan.list), plan.stanzas)
  progress(`${taken.length} stanzas taken`)
  const [large] = taken
  const padding = (stanza: string) => {
    return plan.largeBytes > 0 && stanza === large ? plan.largeBytes : plan.padBytes
  }
  const pool = openPool(plan.directory, plan.epochSeconds, progress, padding)
  const counts: Record<string, number> = {}
  for (const suite of [mainSuite, updatesSuite]) {
    const indexes = []
    const described = stanzasOf(suite, plan.architectures[0] ?? '', taken)
    for (const architecture of plan.architectures) {
      const stanzas = stanzasOf(suite, architecture, taken).map((stanza) => pool.add(stanza))
      counts[`${suite}/${architecture}`] = stanzas.length
      indexes.push(writeIndex(plan.directory, { ...plan, suite, architecture }, stanzas))
      // The compressors run while the next architecture's packages are made.
    }
    indexes.push(writeTranslation(plan.directory, { ...plan, suite }, translationsOf(described)))
    const files = [...(await Promise.all(indexes)).flat(), ...namedOnly(plan.otherFiles ?? 0)]
    writeRelease(plan.directory, { ...plan, suite }, files)
    progress(`suite ${suite} signed`)
  }
  endAgent(plan.directory)
  const facts = { debs: pool.count(), stanzas: counts }
  writeFileSync(
    join(plan.directory, 'archive.json'),
    `${JSON.stringify({ format: FORMAT, plan, facts }, null, 2)}\n`,
  )
  return facts
}

/** Whether `plan.directory` holds a complete archive of this plan, bumped or not. */
export function hasArchive(plan: ArchivePlan): boolean {
  const path = join(plan.directory, 'archive.json')
  if (!existsSync(path)) return false
  const made: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const wanted = JSON.stringify(plan)
  return (
    typeof made === 'object' &&
    made !== null &&
    'plan' in made &&
    'format' in made &&
    made.format === FORMAT &&
    JSON.stringify(made.plan) === wanted
  )
}

function namedOnly(count: number): IndexFile[] {
  return Array.from({ length: count }, (_, at) => {
    const sha256 = createHash('sha256').update(String(at)).digest('hex')
    return {
      path: `main/other/binary-other-${at}/Contents-other-${at}.gz`,
      sizeBytes: 1000 + at,
      sha256,
    }
  })
}

const updatesCount = 40

function stanzasOf(suite: string, architecture: string, taken: readonly string[]): string[] {
  if (suite === mainSuite) return taken.map((stanza) => forArchitecture(stanza, architecture))
  const step = Math.max(1, Math.floor(taken.length / updatesCount))
  return taken
    .filter((_, at) => at % step === step - 1)
    .slice(0, updatesCount)
    .map((stanza) => withNewVersion(forArchitecture(stanza, architecture), '+updates'))
}

interface Pool {
  /** Writes the stanza's `.deb` unless it is there; gives the stanza that fits it. */
  add(stanza: string): string
  count(): number
}

function openPool(
  directory: string,
  epochSeconds: number,
  progress: Progress,
  padding: (stanza: string) => number = () => 0,
  changelogOf: (stanza: string) => DebChangelog | undefined = () => undefined,
): Pool {
  const root = join(directory, archiveRoot)
  const made = new Set<string>()
  const written = new Map<string, string>()
  return {
    add: (stanza) => {
      const filename = needField(stanza, 'Filename')
      const known = written.get(filename)
      if (known !== undefined) return known
      const path = join(root, filename)
      const parent = dirname(path)
      if (!made.has(parent)) {
        mkdirSync(parent, { recursive: true })
        made.add(parent)
      }
      const control = Buffer.from(controlOf(stanza), 'latin1')
      const deb = buildDeb(control, epochSeconds, padding(stanza), changelogOf(stanza))
      // A new file, never an old one's bytes: the pool may be hard links to another archive's.
      writeFileSync(`${path}.new`, deb)
      renameSync(`${path}.new`, path)
      const md5 = createHash('md5').update(deb).digest('hex')
      const sha256 = createHash('sha256').update(deb).digest('hex')
      const finished = withDigests(stanza, { sizeBytes: deb.length, md5, sha256 })
      written.set(filename, finished)
      if (written.size % 10_000 === 0) progress(`${written.size} debs made`)
      return finished
    },
    count: () => written.size,
  }
}

/** What gets a new version: packages or whole source packages, by name or so many by a seed. */
export type BumpChoice =
  | { readonly kind: 'packages' | 'sources'; readonly names: readonly string[] }
  | { readonly kind: 'packages' | 'sources'; readonly count: number; readonly seed: number }

export interface Bumped {
  readonly names: readonly string[]
  /** Changed stanzas over all architectures. */
  readonly stanzas: number
  readonly epochSeconds: number
}

/**
 * Gives some packages of the main suite a new version, whose `.deb`s have these changelogs, if any; the old `.deb`s stay,
 * the Release is a minute later.
 */
export async function bumpArchive(
  directory: string,
  choice: BumpChoice,
  changelogOf?: (stanza: string) => DebChangelog,
): Promise<Bumped> {
  const epochSeconds = releaseDate(directory, mainSuite) + 60
  const architectures = architecturesOf(directory)
  const nothing = () => undefined
  const pool = openPool(directory, epochSeconds, nothing, undefined, changelogOf)
  const nameOf = choice.kind === 'sources' ? sourceOf : packageOf
  let names: ReadonlySet<string> | undefined
  let stanzas = 0
  const indexes = []
  for (const architecture of architectures) {
    const path = indexPath(directory, mainSuite, architecture)
    const old = splitStanzas(readFileSync(path, 'latin1'))
    names ??= chooseNames(old, choice, nameOf)
    const wanted = names
    const bumped = old.map((stanza) =>
      wanted.has(nameOf(stanza)) ? withNewVersion(stanza, '+bench') : stanza,
    )
    // What a source builds often needs the rest of it in just its version.
    const follow = followVersions(old, bumped)
    const next = bumped.map((stanza, at) => {
      if (stanza === old[at]) return stanza
      stanzas += 1
      return pool.add(follow(stanza))
    })
    indexes.push(writeIndex(directory, { suite: mainSuite, architecture, epochSeconds }, next))
  }
  const files = [...(await Promise.all(indexes)).flat(), ...translationFiles(directory, mainSuite)]
  writeRelease(directory, { suite: mainSuite, architectures, epochSeconds }, files)
  endAgent(directory)
  return { names: [...(names ?? [])], stanzas, epochSeconds }
}

function architecturesOf(directory: string): string[] {
  const release = readFileSync(
    join(directory, archiveRoot, 'dists', mainSuite, 'Release'),
    'latin1',
  )
  return (fieldOf(release, 'Architectures') ?? '').split(' ').filter((name) => name !== '')
}

/** Each source of the archive's main suite and how many packages it has in the first architecture. */
export type Sizes = ReadonlyMap<string, number>

/** What a benchmark may choose from. */
export function sourceSizes(directory: string): Sizes {
  const [architecture] = architecturesOf(directory)
  if (architecture === undefined) throw new Error(`no archive in ${directory}`)
  const sizes = new Map<string, number>()
  for (const stanza of splitStanzas(
    readFileSync(indexPath(directory, mainSuite, architecture), 'latin1'),
  )) {
    const source = sourceOf(stanza)
    sizes.set(source, (sizes.get(source) ?? 0) + 1)
  }
  return sizes
}

function packageOf(stanza: string): string {
  return needField(stanza, 'Package')
}

function chooseNames(
  stanzas: readonly string[],
  choice: BumpChoice,
  nameOf: (stanza: string) => string,
): Set<string> {
  const all = new Set(stanzas.map(nameOf))
  if ('names' in choice) {
    const unknown = choice.names.filter((name) => !all.has(name))
    if (unknown.length > 0) throw new Error(`not in the archive: ${unknown.join(', ')}`)
    return new Set(choice.names)
  }
  return new Set(sample([...all].sort(), choice.count, randomFrom(choice.seed)))
}
