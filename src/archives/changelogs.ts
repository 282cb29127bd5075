/**
 * Changelogs as they are asked for over and over: each is read once, however many ask, and kept packed in memory while
 * there is room. Reading goes on when who asked is gone; a few are read at a time.
 *
 *   /changelogs/<archive>/<component>/<prefix>/<source>/<source>_<version>_changelog
 *
 * The path behind the archive is what apt puts for @CHANGEPATH@ in the template of the Release (apt: pkgAcqChangelog).
 */
import { type Abortable, waitFor } from '../base/abortable.ts'
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
}

const KEPT_BYTES = 8 * 1024 ** 2
const LANES = 2

/** Nothing is kept yet. */
export function createChangelogs(parts: ArchiveParts): Changelogs {
  const kept = createLru<string, Packed>(KEPT_BYTES)
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
    } finally {
      running.delete(key)
    }
  }
  return {
    read: async (name, { signal } = {}) => {
      const key = [name.archive, name.source, name.version].join(' ')
      const packed = kept.get(key)
      if (packed !== undefined) return gunzipMember(packed.data, packed.plainSize)
      const work = running.get(key) ?? start(key, name)
      running.set(key, work)
      work.catch(() => undefined)
      return waitFor(work, signal)
    },
    close: () => stop.abort(),
  }
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
