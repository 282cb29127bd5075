/**
 * Where the data directory is, and how the files in it are called by which a command finds its server.
 *
 * `--data` wins over `SLUICE_DATA`; without both it is `./var`, seen from where the program was started.
 */
import { resolve } from 'node:path'

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
}

/** The paths of those files, absolute. */
export function dataFiles(dataDir: string): DataFiles {
  return {
    token: resolve(dataDir, 'token'),
    server: resolve(dataDir, 'server.json'),
    settings: resolve(dataDir, 'sluice.toml'),
  }
}
