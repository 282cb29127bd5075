/**
 * Settings of the server: flags over `SLUICE_*` variables over `sluice.toml` in the data directory.
 *
 * The table below is the whole of it: the key as the file calls it, which is the flag too (`--refresh-minutes`) and the
 * variable (`SLUICE_REFRESH_MINUTES`), its default and its reader. All that is wrong is told at once, each by its key
 * and where it came from; a key of the file that nobody knows is wrong too.
 */
import { parse } from 'smol-toml'
import type { Config } from './config-type.ts'
import { findDataDir } from './data-dir.ts'
import { AppError } from './errors.ts'
import {
  ANY_HOST,
  OF_ARCHIVES,
  readHosts,
  readLearnHosts,
  readTunnelHosts,
} from './host-patterns.ts'
import {
  type HostFile,
  type Listen,
  type LogLevel,
  type MailServer,
  privateNetworks,
  type Reader,
  readAddress,
  readAvahi,
  readBoolean,
  readCommand,
  readHostFiles,
  readListen,
  readLogLevel,
  readMailServer,
  readMinutes,
  readNetworks,
  readNoNetworks,
  readPath,
  readPrefix,
  readProxy,
  readSize,
  readUrl,
  readWhole,
} from './setting-readers.ts'

export type { Config }

/** Settings as they come in: parsed flags, the environment, the text of `sluice.toml`. */
export interface RawConfig {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly env: NodeJS.ProcessEnv
  readonly toml?: string | undefined
}

interface Setting<T> {
  readonly read: Reader<T>
  readonly fallback: T
}

const settings = {
  listen: setting(readListen, { host: '::', port: 3142 }),
  'public-url': setting<string | undefined>(readUrl, undefined),
  import: setting(readBoolean, true),
  'refresh-minutes': setting(readMinutes, 60),
  'retain-generations': setting(readWhole(10, 1_000_000), 100),
  'retain-days': setting(readWhole(10, 36_500), 30),
  offline: setting(readBoolean, false),
  'max-size': setting<number | undefined>(readSize, undefined),
  'disk-reserve': setting<number | undefined>(readSize, undefined),
  'scrub-days': setting(readWhole(0, 3650), 30),
  clients: setting<readonly string[]>(readNetworks, privateNetworks),
  'pass-hosts': setting<readonly string[]>(readHosts, []),
  'learn-hosts': setting<readonly string[]>(readLearnHosts, [ANY_HOST]),
  'learn-keyrings': setting<string | undefined>(readPath, undefined),
  'web-cache-mb': setting(readWhole(0, 100_000_000), 2048),
  'tunnel-hosts': setting<readonly string[]>(readTunnelHosts, [OF_ARCHIVES]),
  'max-connections': setting(readWhole(16, 1_000_000), 4096),
  workers: setting(readWhole(0, 64), 0),
  'parallel-ranges': setting(readWhole(0, 16), 0),
  'api-remote': setting(readBoolean, false),
  'tls-listen': setting<Listen | undefined>(readListen, undefined),
  'tls-cert': setting<string | undefined>(readPath, undefined),
  'tls-key': setting<string | undefined>(readPath, undefined),
  'upstream-proxy': setting<string | undefined>(readProxy, undefined),
  'upstream-ca': setting<string | undefined>(readPath, undefined),
  'upstream-certs': setting<readonly HostFile[]>(readHostFiles, []),
  'access-log': setting<string | undefined>(readPath, undefined),
  incoming: setting<string | undefined>(readPath, undefined),
  front: setting<readonly string[]>(readNoNetworks, []),
  'accel-redirect': setting<string | undefined>(readPrefix, undefined),
  'front-files': setting(readBoolean, false),
  avahi: setting<string | undefined>(readAvahi, undefined),
  'log-level': setting<LogLevel>(readLogLevel, 'warn'),
  'sign-command': setting<readonly string[] | undefined>(readCommand, undefined),
  'mail-server': setting<MailServer | undefined>(readMailServer, undefined),
  'mail-from': setting<string | undefined>(readAddress, undefined),
  'mail-login-file': setting<string | undefined>(readPath, undefined),
  'webhook-secret-file': setting<string | undefined>(readPath, undefined),
}

type Key = keyof typeof settings

/** The settings in force. Throws `ERR_CONFIG` with all that is wrong (`details.problems`). */
export function parseConfig(raw: RawConfig): Config {
  const problems: string[] = []
  const file = readFile(raw.toml, problems)
  const take = <T>(key: Key, { read, fallback }: Setting<T>): T => {
    const said = find(key, raw, file)
    if (said === undefined) return fallback
    const result = read(said.value)
    if ('value' in result) return result.value
    problems.push(`${key}: ${result.problem} (${said.from})`)
    return fallback
  }
  const config = {
    dataDir: findDataDir(textOf(raw.flags.data), raw.env),
    listen: take('listen', settings.listen),
    publicUrl: take('public-url', settings['public-url']),
    importSources: take('import', settings.import),
    refreshMinutes: take('refresh-minutes', settings['refresh-minutes']),
    retainGenerations: take('retain-generations', settings['retain-generations']),
    retainDays: take('retain-days', settings['retain-days']),
    maxSizeBytes: take('max-size', settings['max-size']),
    offline: take('offline', settings.offline),
    diskReserveBytes: take('disk-reserve', settings['disk-reserve']),
    scrubDays: take('scrub-days', settings['scrub-days']),
    clients: take('clients', settings.clients),
    passHosts: take('pass-hosts', settings['pass-hosts']),
    learnHosts: take('learn-hosts', settings['learn-hosts']),
    learnKeyrings: take('learn-keyrings', settings['learn-keyrings']),
    webCacheMb: take('web-cache-mb', settings['web-cache-mb']),
    tunnelHosts: take('tunnel-hosts', settings['tunnel-hosts']),
    maxConnections: take('max-connections', settings['max-connections']),
    workers: take('workers', settings.workers),
    parallelRanges: take('parallel-ranges', settings['parallel-ranges']),
    apiRemote: take('api-remote', settings['api-remote']),
    tls: tlsOf(
      {
        listen: take('tls-listen', settings['tls-listen']),
        cert: take('tls-cert', settings['tls-cert']),
        key: take('tls-key', settings['tls-key']),
      },
      problems,
    ),
    upstreamProxy: take('upstream-proxy', settings['upstream-proxy']),
    upstreamCa: take('upstream-ca', settings['upstream-ca']),
    upstreamCerts: take('upstream-certs', settings['upstream-certs']),
    accessLog: take('access-log', settings['access-log']),
    incoming: take('incoming', settings.incoming),
    front: take('front', settings.front),
    accelRedirect: take('accel-redirect', settings['accel-redirect']),
    frontFiles: take('front-files', settings['front-files']),
    avahi: take('avahi', settings.avahi),
    logLevel: take('log-level', settings['log-level']),
    signCommand: take('sign-command', settings['sign-command']),
    mailServer: take('mail-server', settings['mail-server']),
    mailFrom: take('mail-from', settings['mail-from']),
    mailLoginFile: take('mail-login-file', settings['mail-login-file']),
    webhookSecretFile: take('webhook-secret-file', settings['webhook-secret-file']),
    environment: { ...raw.env },
  }
  if (problems.length > 0) {
    throw new AppError('ERR_CONFIG', {
      message: `wrong settings: ${problems.join('; ')}`,
      hint: 'sluice serve --help tells them',
      details: { problems },
    })
  }
  return freeze(config)
}

/** https needs all three. */
function tlsOf(
  {
    listen,
    cert,
    key,
  }: { listen?: Listen | undefined; cert?: string | undefined; key?: string | undefined },
  problems: string[],
): Config['tls'] {
  if (listen !== undefined && cert !== undefined && key !== undefined) return { listen, cert, key }
  if (listen !== undefined || cert !== undefined || key !== undefined) {
    problems.push('tls-listen, tls-cert and tls-key: there must be all three, or none')
  }
  return undefined
}

function setting<T>(read: Reader<T>, fallback: T): Setting<T> {
  return { read, fallback }
}

function textOf(value: string | boolean | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** The highest place that says something about `key`. An empty variable says nothing. */
function find(
  key: Key,
  raw: RawConfig,
  file: Readonly<Record<string, unknown>>,
): { value: unknown; from: string } | undefined {
  const flag = raw.flags[key]
  if (flag !== undefined) return { value: flag, from: `--${key}` }
  const name = `SLUICE_${key.toUpperCase().replaceAll('-', '_')}`
  const variable = raw.env[name]
  if (variable !== undefined && variable !== '') return { value: variable, from: name }
  return file[key] === undefined ? undefined : { value: file[key], from: 'sluice.toml' }
}

function readFile(text: string | undefined, problems: string[]): Readonly<Record<string, unknown>> {
  if (text === undefined) return {}
  try {
    const file = parse(text)
    for (const key of Object.keys(file)) {
      if (!Object.hasOwn(settings, key)) {
        problems.push(
          `${key}: no such setting (sluice.toml); there are ${Object.keys(settings).join(', ')}`,
        )
      }
    }
    return file
  } catch (error) {
    // The parser's message goes on with an excerpt of the file.
    const message = error instanceof Error ? error.message.split('\n')[0] : String(error)
    const line = error instanceof Error && 'line' in error ? ` in line ${error.line}` : ''
    problems.push(`sluice.toml: ${message}${line}`)
    return {}
  }
}

function freeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) freeze(part)
  }
  return Object.freeze(value)
}
