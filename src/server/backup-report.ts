/**
 * What a backup and a restore tell of themselves.
 */
import type { Tally } from '../store/save-blobs.ts'

export interface BackupEvent {
  readonly kind: 'backup' | 'restore'
  readonly what: 'database' | 'files'
  readonly done: number
  readonly total: number
}

export interface BackupReport {
  readonly dir: string
  /** The name of this backup in the directory. */
  readonly snapshot: string
  readonly databaseBytes: number
  readonly keys: number
  /** File blobs in it; those of them that the directory had not yet; and those of these that are links. */
  readonly files: Readonly<Tally>
  readonly fresh: Readonly<Tally>
  readonly linked: Readonly<Tally>
  /** Those that were not wanted. */
  readonly leftOut: Readonly<Tally>
  /** Digests of blobs whose files are gone or damaged. */
  readonly missing: readonly string[]
  /** Names of older backups that were taken away. */
  readonly pruned: readonly string[]
  /** Why files that only they named are still there. */
  readonly notPruned?: string | undefined
}

/** One backup of a directory of backups. */
export interface SnapshotInfo {
  readonly name: string
  readonly madeAt?: number | undefined
  readonly version?: string | undefined
  readonly host?: string | undefined
  readonly dataDir?: string | undefined
  readonly databaseBytes?: number | undefined
  readonly files?: Readonly<Tally> | undefined
  readonly keys?: number | undefined
  /** What is wrong with what it says of itself. */
  readonly problem?: string | undefined
}

/** What a check found. */
export interface CheckReport {
  readonly snapshot: string
  readonly madeAt: number
  /** Files that were read. */
  readonly read: number
  readonly problems: readonly { readonly file: string; readonly message: string }[]
}

export interface RestoreReport {
  readonly snapshot: string
  readonly madeAt: number
  readonly dataDir: string
  readonly files: Readonly<Tally>
  readonly keys: number
  /** File blobs that are named and not there: left out of the backup, or of the restore. */
  readonly leftOut: number
  /** Files that no archive is known to have, and that are damaged in the backup; only where the others were not wanted. */
  readonly missing: readonly string[]
}
