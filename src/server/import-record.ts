/**
 * How far the import of the first start is: the file `imported.json` of the data directory. A start that was cut short, or
 * whose archives could not be reached, is gone on with later.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../base/config.ts'
import { writeDurable } from '../base/durable-file.ts'
import { systemCode } from '../base/errors.ts'

export interface ImportRecord {
  /** Whether the channels are made: nothing is left to do. */
  readonly isDone: boolean
  /** The sources files that were read. */
  readonly files: readonly string[]
}

/**
 * The record of this data directory; a new directory gets one if it is to import. Undefined where nothing was imported.
 * To be called before the database is made.
 */
export async function beginImport(config: Config): Promise<ImportRecord | undefined> {
  const isNew = !existsSync(join(config.dataDir, 'sluice.db'))
  if (isNew && config.importSources) await saveImport(config.dataDir, { isDone: false, files: [] })
  return readImport(config.dataDir)
}

/** The record of this data directory; undefined where nothing was imported. */
export async function readImport(dataDir: string): Promise<ImportRecord | undefined> {
  try {
    const record: ImportRecord = JSON.parse(await readFile(recordPath(dataDir), 'utf8'))
    return record
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Writes the record; durable when it returns. */
export async function saveImport(dataDir: string, record: ImportRecord): Promise<void> {
  await writeDurable(recordPath(dataDir), `${JSON.stringify(record)}\n`)
}

function recordPath(dataDir: string): string {
  return join(dataDir, 'imported.json')
}
