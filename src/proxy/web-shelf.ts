/**
 * What the cache by HTTP rules has on its shelf: entries, their sizes together, and which goes first. A hit writes
 * nothing: when entries were used is written down from time to time.
 */
import type { Clock } from '../base/clock.ts'
import { crashPoint } from '../base/fault.ts'
import { createLru, type Lru } from '../base/lru.ts'
import { createMutex } from '../base/mutex.ts'
import type { Sha256 } from '../base/sha256.ts'
import type { Db } from '../store/database.ts'
import { removeWebFile, sweepWebFiles } from './web-file.ts'
import {
  deleteEntries,
  findEntry,
  listFiles,
  listOldest,
  noteUses,
  saveEntry,
  type WebEntry,
} from './web-table.ts'

const REMEMBERED = 5_000
const NOTE_MS = 60_000
/** What a small file takes of the disk, with its row. */
const LEAST_BYTES = 4096
const EVICTED_AT_ONCE = 20

export interface WebShelf {
  readonly dir: string
  readonly limitBytes: number
  readonly bytes: number
  find(key: Sha256): Promise<WebEntry | undefined>
  /** Puts a whole file there, in place of what was there. */
  put(entry: Omit<WebEntry, 'usedAt'>): Promise<void>
  /** The same file, asked for anew; nothing if it went meanwhile. */
  renew(entry: WebEntry): Promise<void>
  touch(key: Sha256): void
  drop(entry: WebEntry): Promise<void>
  close(): Promise<void>
}

interface ShelfParts {
  readonly db: Db
  readonly clock: Clock
}

interface State extends ShelfParts {
  readonly dir: string
  readonly limitBytes: number
  readonly known: Lru<Sha256, WebEntry>
  readonly uses: Map<Sha256, number>
  bytes: number
  timer: NodeJS.Timeout | undefined
}

/** The shelf in `dir`, after rows and files were brought together. */
export async function openWebShelf(
  { db, clock }: ShelfParts,
  { dir, limitBytes }: { readonly dir: string; readonly limitBytes: number },
): Promise<WebShelf> {
  const state: State = {
    db,
    clock,
    dir,
    limitBytes,
    known: createLru(REMEMBERED),
    uses: new Map(),
    bytes: await sweep(db, dir),
    timer: undefined,
  }
  const alone = createMutex()
  await evict(state)
  return {
    dir,
    limitBytes,
    get bytes() {
      return state.bytes
    },
    find: (key) => find(state, key),
    put: (entry) => alone(() => put(state, entry)),
    renew: (entry) =>
      alone(async () => {
        if ((await findEntry(db, entry.key))?.file !== entry.file) return
        await saveEntry(db, { ...entry, usedAt: clock.now() })
        state.known.set(entry.key, entry)
      }),
    touch: (key) => {
      state.uses.set(key, clock.now())
      state.timer ??= setTimeout(() => {
        noteNow(state).catch(() => undefined)
      }, NOTE_MS).unref()
    },
    drop: (entry) =>
      alone(async () => {
        if ((await findEntry(db, entry.key))?.file === entry.file) await remove(state, [entry])
        else state.known.delete(entry.key)
      }),
    close: () => alone(() => noteNow(state)),
  }
}

async function find({ db, known }: State, key: Sha256): Promise<WebEntry | undefined> {
  const entry = known.get(key) ?? (await findEntry(db, key))
  if (entry !== undefined) known.set(key, entry)
  return entry
}

async function put(state: State, entry: Omit<WebEntry, 'usedAt'>): Promise<void> {
  const { db, clock, dir, known } = state
  const old = await find(state, entry.key)
  const now = { ...entry, usedAt: clock.now() }
  await saveEntry(db, now)
  crashPoint('web: row written')
  known.set(entry.key, now)
  state.bytes += weightOf(entry.size)
  if (old !== undefined) {
    state.bytes -= weightOf(old.size)
    await removeWebFile(dir, old.file)
  }
  await evict(state)
}

async function evict(state: State): Promise<void> {
  if (state.bytes <= state.limitBytes) return
  await noteNow(state)
  while (state.bytes > state.limitBytes) {
    let over = state.bytes - state.limitBytes
    const gone = (await listOldest(state.db, EVICTED_AT_ONCE)).filter(({ size }) => {
      if (over <= 0) return false
      over -= weightOf(size)
      return true
    })
    if (gone.length === 0) return
    await remove(state, gone)
  }
}

async function remove(state: State, entries: readonly WebEntry[]): Promise<void> {
  const keys = entries.map(({ key }) => key)
  for (const key of keys) state.known.delete(key)
  await deleteEntries(state.db, keys)
  crashPoint('web: rows removed, files left')
  for (const { file, size } of entries) {
    state.bytes -= weightOf(size)
    await removeWebFile(state.dir, file)
  }
}

/** Writes down when entries were used. */
async function noteNow(state: State): Promise<void> {
  clearTimeout(state.timer)
  state.timer = undefined
  const noted = new Map(state.uses)
  state.uses.clear()
  if (noted.size > 0) await noteUses(state.db, noted)
}

function weightOf(size: number): number {
  return Math.max(size, LEAST_BYTES)
}

/** What a crash left goes; the sizes of what is here, together. */
async function sweep(db: Db, dir: string): Promise<number> {
  const rows = await listFiles(db)
  const lost = await sweepWebFiles(dir, new Map(rows.map(({ file, size }) => [file, size])))
  const gone = rows.filter(({ file }) => lost.has(file)).map(({ key }) => key)
  for (let at = 0; at < gone.length; at += 500) await deleteEntries(db, gone.slice(at, at + 500))
  return rows.reduce((sum, { file, size }) => sum + (lost.has(file) ? 0 : weightOf(size)), 0)
}
