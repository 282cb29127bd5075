/**
 * Where the data directory is, and how the files in it are called by which a command finds its server.
 *
 * `--data` wins over `SLUICE_DATA`; without both it is `./var`, seen from where the program was started.
 */
import { existsSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { AppError, systemCode } from './errors.ts'

/** What was said about the data directory, as it was said; `./var` if nothing was. */
export function findDataDir(flag: string | undefined, env: NodeJS.ProcessEnv): string {
  const said = flag ?? env.SLUICE_DATA
  return said === undefined || said === '' ? './var' : said
}

/** The files of a data directory that the server and its commands share. */
export interface DataFiles {
  /** The administrator's token and a line feed; mode 0600. */
  readonly token: string
  /** `{"url", "pid"}`, there while a server runs. */
  readonly server: string
  /** Settings; may be absent. */
  readonly settings: string
  /** There while a restore fills the directory, and after one that was cut short. */
  readonly restoring: string
}

/** The paths of those files, absolute. */
export function dataFiles(dataDir: string): DataFiles {
  return {
    token: resolve(dataDir, 'token'),
    server: resolve(dataDir, 'server.json'),
    settings: resolve(dataDir, 'sluice.toml'),
    restoring: resolve(dataDir, 'restoring'),
  }
}

/** Throws `ERR_STORE` for a directory whose restore did not come to its end: part of it is missing. */
export function refuseHalfRestored(dataDir: string): void {
  if (!existsSync(dataFiles(dataDir).restoring)) return
  throw new AppError('ERR_STORE', {
    message: `the restore into ${dataDir} did not come to its end: there is no whole data directory`,
    hint: `repeat it: sluice restore BACKUP --data ${dataDir}`,
  })
}

/** Makes the data directory and its parents where they are missing; `ERR_STORE` if that cannot be. */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await makeDir(resolve(dataDir))
  } catch (error) {
    throw new AppError('ERR_STORE', {
      message: `the data directory ${dataDir} cannot be made: ${systemCode(error) ?? String(error)}`,
      hint: 'say another one: --data DIR',
      cause: error,
    })
  }
}

/** Not by mkdir's `recursive`: where a file system refuses new directories by ENOENT, as /proc does, it never returns. */
async function makeDir(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  })
  if (found?.isDirectory()) return
  if (found === undefined) await makeDir(dirname(path))
  await mkdir(path, 0o755)
}
