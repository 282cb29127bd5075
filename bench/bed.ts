/**
 * What each measured system starts with: its own copy of the archive with its own server, an empty directory, and the
 * same changes upstream in the same order. And the labels of the rows, so that the systems' figures meet in one table.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type BumpChoice, bumpArchive, type Sizes } from './archive.ts'
import { randomFrom, sample } from './random.ts'
import { endAgent, gnupgHome } from './signing.ts'
import { largeSources } from './stanzas.ts'
import { startUpstream, type Traffic, type Upstream } from './upstream.ts'

export const labels = {
  import: 'first import, verified',
  texts: 'its Translation-en, verified',
  publish: 'first publication of all of it',
  refresh0: 'refresh, nothing changed',
  refresh100: 'refresh, 100 packages changed',
  refresh1: 'refresh, 1 package changed',
  promote: 'promote 1 source',
  copy: 'copy of a channel',
  rollback: 'rollback',
  snapshot: 'snapshot',
  gcNothing: 'gc, nothing to delete',
  gcAll: 'gc, all but the newest generations',
  disk: 'bytes on disk at the end',
  memory: 'peak memory, largest process',
} as const

/** What changes upstream and what is promoted: the same for every system. */
export interface Changes {
  readonly seed: number
  readonly architectures: readonly string[]
  readonly hundred: BumpChoice
  readonly one: BumpChoice
  /** The largest, promoted first, each a figure of its own. */
  readonly large: readonly string[]
  /** Promoted one after the other and timed: drawn from all others. */
  readonly promoted: readonly string[]
  /** Sources of one package each, for generations by the hundred. */
  readonly single: readonly string[]
}

/** Chooses by the seed from what the archive has. */
export function chooseChanges(
  sizes: Sizes,
  count: { readonly promotions: number; readonly generations: number },
  seed: number,
  architectures: readonly string[],
): Changes {
  const random = randomFrom(seed)
  const names = [...sizes.keys()].sort()
  const large = largeSources.filter((name) => sizes.has(name)).slice(0, count.promotions)
  const others = names.filter((name) => !large.some((other) => other === name))
  const promoted = sample(others, count.promotions, random)
  const left = others.filter((name) => sizes.get(name) === 1 && !promoted.includes(name))
  return {
    seed,
    architectures,
    hundred: { kind: 'packages', count: 100, seed },
    one: { kind: 'packages', count: 1, seed: seed + 1 },
    large,
    promoted,
    single: sample(left, count.generations, random),
  }
}

export interface Bed {
  /** The archive's directory: key, keyring and what the upstream serves. */
  readonly archive: string
  readonly upstream: Upstream
  /** Empty at first; for the system's own files. */
  readonly directory: string
  readonly logPath: string
  readonly changes: Changes
  /** How long one step may take. */
  readonly limitMs: number
  readonly progress: (line: string) => void
  /** Makes upstream newer. */
  bump(choice: BumpChoice): Promise<void>
  end(): Promise<void>
}

/** A bed for `name` below `directory`. The archive is copied by hard links: only what changes takes room. */
export async function makeBed(
  name: string,
  from: {
    readonly archive: string
    readonly directory: string
    readonly changes: Changes
    readonly limitMs: number
    readonly progress: (line: string) => void
  },
): Promise<Bed> {
  const own = join(from.directory, name)
  rmSync(own, { recursive: true, force: true })
  mkdirSync(join(own, 'work'), { recursive: true })
  const archive = join(own, 'archive')
  execFileSync('cp', ['-al', from.archive, archive])
  // gpg writes its files in place: the key's home is a real copy.
  rmSync(gnupgHome(archive), { recursive: true })
  cpSync(gnupgHome(from.archive), gnupgHome(archive), { recursive: true })
  const upstream = await startUpstream(join(archive, 'www'), join(own, 'upstream'))
  const progress = (line: string) => from.progress(`${name}: ${line}`)
  return {
    ...from,
    archive,
    upstream,
    directory: join(own, 'work'),
    logPath: join(own, 'log'),
    progress,
    bump: async (choice) => {
      const bumped = await bumpArchive(archive, choice)
      progress(`upstream: ${bumped.stanzas} stanzas newer (${bumped.names.length} ${choice.kind})`)
    },
    end: async () => {
      endAgent(archive)
      await upstream.end()
    },
  }
}

/** Traffic for people: requests, how many of them conditional, and bytes. */
export function describeTraffic(traffic: Traffic): string {
  const megabytes = (traffic.bytes / 1e6).toFixed(traffic.bytes < 1e6 ? 3 : 1)
  const conditional = traffic.conditional === 0 ? '' : `, ${traffic.conditional} conditional`
  return `${traffic.requests} requests${conditional}, ${megabytes} MB`
}
