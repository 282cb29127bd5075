/**
 * Which server a command talks to, and with which token.
 *
 * The server is the one of `--url` or `SLUICE_URL`, with the token in `SLUICE_TOKEN` (a flag would show in `ps`). Without
 * them it is the one that runs on the data directory (`--data`, `SLUICE_DATA`, `./var`, and last the `var` of the
 * checkout that this program lies in): its URL stands in `server.json` there, its token in `token`. A token of a data
 * directory is sent to its own server and to no other.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { dataFiles, findDataDir } from '../base/data-dir.ts'
import { AppError, systemCode } from '../base/errors.ts'

export interface ClientOptions {
  readonly url?: string | undefined
  readonly data?: string | undefined
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

export interface Server {
  readonly url: string
  readonly token: string
  /** What to say when nothing answers there. */
  readonly gone: AppError
}

/** The server that the options mean; `ERR_NO_SERVER` if none runs on the data directory. */
export async function findServer({ url, data, env }: ClientOptions): Promise<Server> {
  const said = url ?? (data === undefined ? env.SLUICE_URL : undefined)
  if (said !== undefined && said !== '') {
    const token = env.SLUICE_TOKEN
    if (URL.parse(said) === null || !/^https?:/.test(said)) {
      throw new AppError('ERR_USAGE', {
        message: `${said} is no URL of a server`,
        hint: 'http://127.0.0.1:3142',
      })
    }
    if (token === undefined || token === '') {
      throw new AppError('ERR_UNAUTHORIZED', {
        message: `there is no token for ${said}`,
        hint: 'set SLUICE_TOKEN; on the server: sluice token create NAME',
      })
    }
    return { url: said.replace(/\/+$/, ''), token, gone: noServer(`no server answers at ${said}`) }
  }
  return findLocal(chooseDataDir(data, env), env)
}

function chooseDataDir(data: string | undefined, env: NodeJS.ProcessEnv): string {
  const dir = findDataDir(data, env)
  const isTold = data !== undefined || (env.SLUICE_DATA ?? '') !== ''
  if (isTold || existsSync(dataFiles(dir).server)) return dir
  const own = join(import.meta.dirname, '../../var')
  return existsSync(dataFiles(own).server) ? relative('.', own) : dir
}

async function findLocal(dir: string, env: NodeJS.ProcessEnv): Promise<Server> {
  const files = dataFiles(dir)
  const start = dir === './var' ? 'npm start' : `sluice serve --data ${dir}`
  const gone = noServer(`no server runs on ${dir}`, start)
  const text = await readIfThere(files.server)
  if (text === undefined) throw gone
  const url = parseServerUrl(text)
  if (url === undefined) throw gone
  const token = env.SLUICE_TOKEN || (await readIfThere(files.token))?.trim()
  if (token === undefined || token === '') {
    throw new AppError('ERR_UNAUTHORIZED', {
      message: `there is no token in ${files.token}`,
      hint: 'a server that starts makes one',
    })
  }
  return { url, token, gone }
}

function parseServerUrl(text: string): string | undefined {
  try {
    const server: unknown = JSON.parse(text)
    const url = typeof server === 'object' && server !== null && 'url' in server ? server.url : ''
    return typeof url === 'string' && /^https?:/.test(url) ? url : undefined
  } catch {
    return undefined
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    const isDenied = systemCode(error) === 'EACCES'
    throw new AppError(isDenied ? 'ERR_UNAUTHORIZED' : 'ERR_INTERNAL', {
      message: isDenied ? `${path} may not be read` : `${path} cannot be read`,
      hint: 'run the command as the user that the server runs as, or set SLUICE_URL and SLUICE_TOKEN',
      cause: error,
    })
  }
}

function noServer(message: string, hint?: string): AppError {
  return new AppError('ERR_NO_SERVER', { message, hint })
}
