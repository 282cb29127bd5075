/**
 * What generations take on disk. pdiffs are told apart: they are the price of small updates, and go with the generation.
 */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Column } from './figures.ts'
import { diskUsage } from './processes.ts'

/** What a data directory takes, and how much of that is pdiffs: patches and their Index files. */
export interface Taken {
  readonly disk: number
  readonly pdiffs: number
}

/** Of a data directory whose server has ended. */
export function measureDisk(data: string): Taken {
  return { disk: diskUsage(data), pdiffs: pdiffBytes(data) }
}

/**
 * Of a data directory whose server runs, in bytes: its files, and of the database the pages in use. Its write-ahead log is
 * left out: what was written over a few times is in there as often, and it is emptied again and again.
 */
export function measureRunning(data: string): number {
  const files = diskUsage(data, (name) => name.startsWith('sluice.db'))
  const db = new Database(join(data, 'sluice.db'), { readonly: true })
  const pragma = (name: string): number => Number(db.pragma(name, { simple: true }))
  try {
    return files + (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
  } finally {
    db.close()
  }
}

/** Their share of the database is taken by their share of what its pages hold: a row of half a page costs a page. */
function pdiffBytes(data: string): number {
  const db = new Database(join(data, 'sluice.db'), { readonly: true })
  const sum = (query: string): number => Number(db.prepare(query).pluck().get() ?? 0)
  try {
    const patches = sum('SELECT sum(gz_size) FROM pdiff')
    const lists = sum('SELECT sum(size) FROM (SELECT DISTINCT sha256, size FROM pdiff_index)')
    const rows = sum("SELECT sum(payload) FROM dbstat WHERE name LIKE 'pdiff%'")
    const [pages, payload] = [
      sum("SELECT sum(pgsize) FROM dbstat WHERE name = 'blob'"),
      sum("SELECT sum(payload) FROM dbstat WHERE name = 'blob'"),
    ]
    return (patches + lists) * (pages / payload) + rows
  } finally {
    db.close()
  }
}

/** Sets the row of what so many generations took. */
export function setGrowth(column: Column, before: Taken, after: Taken, count: number): void {
  if (count === 0) return
  const pdiffs = after.pdiffs - before.pdiffs
  const per1000 = (bytes: number): number => (bytes / count) * 1000
  const note = `from ${count}; and ${(per1000(pdiffs) / 1e6).toFixed(1)} MB of pdiffs`
  const value = per1000(after.disk - before.disk - pdiffs)
  column.set('disk of 1,000 one-package generations', { value, unit: 'bytes', note })
}
