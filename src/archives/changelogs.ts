/**
 * Changelogs as they are asked for over and over: each is read once, however many ask, and kept packed in memory while
 * there is room. Reading goes on when who asked is gone; a few are read at a time, and some wait: anybody may ask. What
 * cannot be had is not looked for again at once, since that may mean to unpack a package to its end.
 *
 *   /changelogs/<archive>/<component>/<prefix>/<source>/<source>_<version>_changelog
 *
 * The path behind the archive is what apt puts for @CHANGEPATH@ in the template of the Release (apt: pkgAcqChangelog).
 */
import { type Abortable, waitFor } from '../base/abortable.ts'
import { AppError, isAppError } from '../base/errors.ts'
import { createLru } from '../base/lru.ts'
import { createMutex } from '../base/mutex.ts'
import { gunzipMember, gzipMember } from '../debian/compression.ts'
import type { ArchiveParts } from './archive-parts.ts'
import { type ChangelogName, readChangelog } from './changelog.ts'

export interface Changelogs {
  /** The text; errors as `readChangelog`. */
  read(name: ChangelogName, abortable?: Abortable): Promise<Buffer>
  /** Ends what is under way. */
  close(): void
}

interface Packed {
  readonly data: Buffer
  readonly plainSize: number
  /** While somebody still has it, all others get the same bytes. */
  text?: WeakRef<Buffer> | undefined
  opening?: Promise<Buffer> | undefined
}

interface Failure {
  readonly error: AppError
  /** Epoch milliseconds. */
  readonly until: number
}

const KEPT_BYTES = 8 * 1024 ** 2
const LANES = 2
/** Being read, or about to be. */
const MAX_RUNNING = 50
const MAX_FAILURES = 1000
const REMEMBER_MS = 60_000
/** What the next try would say again. */
const lasting = ['ERR_NOT_FOUND', 'ERR_TOO_LARGE', 'ERR_FORMAT'] as const

/** Nothing is kept yet. */
export function createChangelogs(parts: ArchiveParts): Changelogs {
  const kept = createLru<string, Packed>(KEPT_BYTES)
  const failures = createLru<string, Failure>(MAX_FAILURES)
  const running = new Map<string, Promise<Buffer>>()
  const lanes = Array.from({ length: LANES }, () => createMutex())
  const stop = new AbortController()
  let turn = 0
  const start = async (key: string, name: ChangelogName): Promise<Buffer> => {
    const lane = lanes[turn++ % LANES] ?? createMutex()
    try {
      const text = await lane(() => readChangelog(parts, name, stop))
      const data = await gzipMember(text)
      kept.set(key, { data, plainSize: text.length }, data.length)
      return text
    } catch (error) {
      if (error instanceof AppError && lasting.some((code) => isAppError(error, code))) {
        failures.set(key, { error, until: parts.clock.now() + REMEMBER_MS })
      }
      throw error
    } finally {
      running.delete(key)
    }
  }
  return {
    read: async (name, { signal } = {}) => {
      const key = [name.archive, name.source, name.version].join(' ')
      const packed = kept.get(key)
      if (packed !== undefined) return packed.text?.deref() ?? unpack(packed)
      const failure = failures.get(key)
      if (failure !== undefined && parts.clock.now() < failure.until) throw failure.error
      if (!running.has(key) && running.size >= MAX_RUNNING) throw busy()
      const work = running.get(key) ?? start(key, name)
      running.set(key, work)
      work.catch(() => undefined)
      return waitFor(work, signal)
    },
    close: () => stop.abort(),
  }
}

/** Unpacks it once for all who ask meanwhile. */
function unpack(packed: Packed): Promise<Buffer> {
  packed.opening ??= gunzipMember(packed.data, packed.plainSize)
    .then((text) => {
      packed.text = new WeakRef(text)
      return text
    })
    .finally(() => {
      packed.opening = undefined
    })
  return packed.opening
}

function busy(): AppError {
  return new AppError('ERR_UPSTREAM_TIMEOUT', {
    message: `${MAX_RUNNING} changelogs are being read already`,
    hint: 'ask again',
  })
}

/** What a path below `/changelogs/` names; undefined if it is none. */
export function parseChangelogPath(path: string): ChangelogName | undefined {
  const [archive = '', ...segments] = path.split('/')
  const [source = '', file = ''] = segments.slice(-2)
  const start = `${source}_`
  const end = '_changelog'
  if (segments.length < 3 || !file.startsWith(start) || !file.endsWith(end)) return undefined
  const version = file.slice(start.length, -end.length)
  return version === '' ? undefined : { archive, source, version }
}
