/**
 * `sluice serve`: starts the server in this process, tells what happens, and stops it when it is asked to.
 *
 * Everything heavy (the server, its store, OpenPGP) is loaded here and by no other command.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type Config, parseConfig } from '../base/config.ts'
import { dataFiles, findDataDir } from '../base/data-dir.ts'
import { AppError, systemCode, toAppError } from '../base/errors.ts'
import type { RunningServer } from '../server/start.ts'
import type { StartEvent } from '../server/start-event.ts'
import type { Context } from './context.ts'
import { flagsOf, type ServeOptions } from './serve-options.ts'
import { createServeReport, placeLines } from './serve-report.ts'
import { setupLines } from './setup-lines.ts'
import { plural } from './words.ts'

/** Serves until the signal; then lets what is under way end, for at most 10 s. */
export async function serve(
  context: Context,
  _args: readonly string[],
  options: ServeOptions,
): Promise<void> {
  const { env, signal, out, global } = context
  // What `ps`, `ss` and another server that finds the port taken call it; Node calls itself MainThread.
  process.title = 'sluice'
  const dataDir = findDataDir(global.data, env)
  const toml = await readSettings(dataFiles(dataDir).settings)
  const config = parseConfig({ flags: flagsOf(options, global.data), env, toml })
  const { startServer } = await import('../server/start.ts')
  const report = createServeReport(out)
  const onEvent = (event: StartEvent): void => {
    if (out.isJson) context.stdout.write(`${JSON.stringify(event)}\n`)
    else report(event)
  }
  const server = await startServer(config, { signal, onEvent })
  if (!out.isJson) await tellClients(context, server)
  const reload = (): void => {
    server.reload().catch((error: unknown) => out.error(toAppError(error).message))
  }
  // Without files that are read anew it means what it always meant: that the terminal is gone.
  if (hasFiles(config)) process.on('SIGHUP', reload)
  if (!signal.aborted) await once(signal, 'abort')
  out.lines(stoppingLine(server.active))
  await server.close()
  out.lines('stopped')
}

function hasFiles({ accessLog, tls, upstreamCa, upstreamCerts }: Config): boolean {
  const all = [accessLog, tls, upstreamCa, upstreamCerts[0]]
  return all.some((one) => one !== undefined)
}

async function readSettings(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined
    const reason = systemCode(error) ?? String(error)
    throw new AppError('ERR_CONFIG', { message: `${path} cannot be read: ${reason}`, cause: error })
  }
}

async function tellClients({ out }: Context, server: RunningServer): Promise<void> {
  const setups = await server.setups()
  const setup = setups.find((one) => one.channel === 'approved') ?? setups.at(-1)
  if (setup === undefined) {
    out.lines(
      'no channel holds anything yet: sluice archive list tells why, sluice archive add changes it',
    )
    return
  }
  out.lines(...(server.isFirstStart ? ['', ...setupLines(setup)] : placeLines(setup)))
}

function stoppingLine(active: number): string {
  if (active === 0) return 'stopping'
  const are = active === 1 ? 'is' : 'are'
  const them = active === 1 ? 'it' : 'them'
  return `stopping: ${plural(active, 'download')} ${are} let finish (10 s; Ctrl-C again ends ${them})`
}
