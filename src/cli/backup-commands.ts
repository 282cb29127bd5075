/**
 * `sluice backup` and `sluice restore`. A backup is made by the server that runs, or where none does by the command
 * itself; a restore, and all that looks at backups, needs no server.
 */
import { readFile } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import type { Command } from 'commander'
import { findDataDir } from '../base/data-dir.ts'
import { AppError, isAppError, systemCode } from '../base/errors.ts'
import type { BackupInput } from '../server/backup.ts'
import type { BackupEvent, BackupReport } from '../server/backup-report.ts'
import { backupLines, checkLines, restoreLines, snapshotTable } from './backup-report.ts'
import type { Client } from './client.ts'
import { type Context, run, type Surroundings } from './context.ts'
import { readNumber } from './number.ts'
import { bar, createPace, type Pace } from './progress.ts'
import { formatCount, formatSize } from './words.ts'

interface BackupOptions {
  readonly passphraseFile?: string
  readonly files: boolean
  readonly keep: string
}

interface RestoreOptions {
  readonly passphraseFile?: string
  readonly files: boolean
  readonly snapshot?: string
  readonly check?: boolean
  readonly list?: boolean
}

const passphraseOption = [
  '--passphrase-file <file>',
  'its first line is the passphrase of the keys (or SLUICE_BACKUP_PASSPHRASE)',
] as const

/** Adds the commands. */
export function backupCommands(program: Command, around: Surroundings): void {
  const backup = program
    .command('backup <dir>')
    .description('back up database, keys, settings and files into a directory of backups')
    .option(...passphraseOption)
    .option('--no-files', 'leave out the files that archives can be asked for again')
    .option('--keep <number>', 'how many backups stay in the directory, this one included', '3')
    .addHelpText(
      'after',
      '\nThe server goes on meanwhile. A further backup into the same directory copies only what is new.',
    )
  run(around, backup, backUp)
  const restore = program
    .command('restore <dir>')
    .description('restore a backup into an empty data directory (--data NEW), or check one')
    .option(...passphraseOption)
    .option('--snapshot <name>', 'which backup of the directory (default: the newest)')
    .option('--list', 'which backups there are')
    .option('--check', 'only read and compare all of it')
    .option('--no-files', 'leave out the files that archives can be asked for again')
  run(around, restore, restoreOrLook)
}

async function backUp(
  context: Context,
  [given = '']: readonly string[],
  options: BackupOptions,
): Promise<void> {
  const passphrase = await readPassphrase(context, options.passphraseFile)
  const keep = readNumber('--keep', options.keep)
  const input = { passphrase, keep, onEvent: progressOf(context) }
  const client = await findRunning(context)
  const report =
    client === undefined
      ? await backUpHere(context, { ...input, dir: resolve(given), withFiles: options.files })
      : await client.task<BackupReport, BackupEvent>(
          '/backup',
          { dir: serverPath(context, given), passphrase, files: options.files, keep },
          input.onEvent,
        )
  context.out.clear()
  context.out.result(report, backupLines)
  if (report.missing.length > 0 || report.notPruned !== undefined) context.setExitCode(3)
}

/** The server, if one runs; an error if one was named and does not. */
async function findRunning(context: Context): Promise<Client | undefined> {
  try {
    const client = await context.connect()
    await client.call('GET', '/status')
    return client
  } catch (error) {
    if (!isAppError(error, 'ERR_NO_SERVER') || isServerNamed(context)) throw error
    return undefined
  }
}

function isServerNamed({ global, env }: Context): boolean {
  return global.url !== undefined || (global.data === undefined && (env.SLUICE_URL ?? '') !== '')
}

/** A server elsewhere has directories of its own. */
function serverPath(context: Context, dir: string): string {
  return isServerNamed(context) && !isAbsolute(dir) ? dir : resolve(dir)
}

async function backUpHere(
  { global, env, signal, out }: Context,
  input: Omit<BackupInput, 'who'>,
): Promise<BackupReport> {
  const { backUpOffline } = await import('../server/backup.ts')
  const dataDir = findDataDir(global.data, env)
  const report = await backUpOffline(dataDir, input, { signal })
  out.lines(`no server runs on ${dataDir}: it was backed up as it lies there`)
  return report
}

async function restoreOrLook(
  context: Context,
  [given = '']: readonly string[],
  options: RestoreOptions,
): Promise<void> {
  const { out, global, env, signal } = context
  const dir = resolve(given)
  const { snapshot } = options
  if (options.list === true) {
    const { listBackups } = await import('../server/check-backup.ts')
    out.result(await listBackups(dir), (all) => snapshotTable(all, out.width))
    return
  }
  const passphrase = await readPassphrase(context, options.passphraseFile)
  const look = { dir, snapshot, passphrase, onEvent: progressOf(context) }
  if (options.check === true) {
    const { checkBackup } = await import('../server/check-backup.ts')
    const report = await checkBackup(look, { signal })
    out.clear()
    out.result(report, checkLines)
    if (report.problems.length > 0) context.setExitCode(1)
    return
  }
  const { restoreBackup } = await import('../server/restore.ts')
  const { systemClock } = await import('../base/clock.ts')
  const dataDir = findDataDir(global.data, env)
  const input = { ...look, dataDir, withFiles: options.files, clock: systemClock }
  const report = await restoreBackup(input, { signal })
  out.clear()
  out.result(report, restoreLines)
  if (report.missing.length > 0) context.setExitCode(3)
}

async function readPassphrase(
  { env }: Context,
  file: string | undefined,
): Promise<string | undefined> {
  if (file === undefined) return env.SLUICE_BACKUP_PASSPHRASE || undefined
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new AppError('ERR_USAGE', {
      message: `${file} cannot be read: ${systemCode(error) ?? String(error)}`,
      cause: error,
    })
  }
  const [first = ''] = text.split(/\r?\n/)
  if (first !== '') return first
  throw new AppError('ERR_USAGE', { message: `the first line of ${file} is empty: no passphrase` })
}

function progressOf({ out }: Context): (event: BackupEvent) => void {
  let what = ''
  let pace: Pace = createPace()
  return (event) => {
    if (what !== event.what) pace = createPace()
    what = event.what
    const { kind, done, total } = event
    const count =
      what === 'files'
        ? `${formatCount(done)} of ${formatCount(total)}`
        : `${formatSize(done * PAGE_BYTES)} of ${formatSize(total * PAGE_BYTES)}`
    const left = [count, pace.left(done, total)].filter(Boolean).join(', ')
    out.progress(`${kind.padEnd(8)} ${what}  ${bar(done / total)} ${left}`)
  }
}

/** Of the database. */
const PAGE_BYTES = 4096
