/**
 * Whom this server believes over TLS, and what it shows of itself: the authorities of the system, those of the setting
 * `upstream-ca` beside them, and for each host of `upstream-certs` a certificate of our own.
 *
 * A certificate is shown to its own host alone, wherever a redirect leads. Files are read at the start, and at a SIGHUP.
 */
import { readFile } from 'node:fs/promises'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { AppError, systemCode } from '../base/errors.ts'
import type { HostFile } from '../base/setting-readers.ts'

/** How to speak TLS; undefined is Node's own way. */
export interface TlsContexts {
  /** For hosts that want no certificate of ours. */
  readonly common: SecureContext | undefined
  /** By host as `hostKey` writes it. */
  readonly byHost: ReadonlyMap<string, SecureContext>
}

export interface UpstreamTls {
  /** As they are now: another object when they were renewed. */
  readonly contexts: TlsContexts
  /** Reads the files anew; what throws as at the start changes nothing. */
  renew(): Promise<void>
}

interface TlsFiles {
  readonly upstreamCa?: string | undefined
  readonly upstreamCerts: readonly HostFile[]
}

/** Reads the files that settings name: all in PEM, of a certificate with its key. `ERR_CONFIG` says which is none. */
export async function readUpstreamTls(files: TlsFiles): Promise<UpstreamTls | undefined> {
  if (files.upstreamCa === undefined && files.upstreamCerts.length === 0) return undefined
  let contexts = await readContexts(files)
  return {
    get contexts() {
      return contexts
    },
    renew: async () => {
      contexts = await readContexts(files)
    },
  }
}

async function readContexts({ upstreamCa, upstreamCerts }: TlsFiles): Promise<TlsContexts> {
  const own = upstreamCa === undefined ? [] : [await readPem('upstream-ca', upstreamCa)]
  const ca = [...getCACertificates('default'), ...own]
  const common = upstreamCa === undefined ? undefined : contextOf('upstream-ca', upstreamCa, { ca })
  const byHost = new Map<string, SecureContext>()
  for (const { host, path } of upstreamCerts) {
    const pem = await readPem('upstream-certs', path)
    byHost.set(host, contextOf('upstream-certs', path, { ca, cert: pem, key: pem }))
  }
  return { common, byHost }
}

async function readPem(setting: string, path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8')
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  } catch (error) {
    const reason = systemCode(error) ?? String(error)
    throw wrong(setting, `${path} cannot be read: ${reason}`, error)
  }
  throw wrong(setting, `${path} has no certificate in it (PEM)`)
}

function contextOf(
  setting: string,
  path: string,
  options: { ca: string[]; cert?: string; key?: string },
): SecureContext {
  try {
    return createSecureContext(options)
  } catch (error) {
    const what = options.key === undefined ? 'certificates' : 'a certificate and its private key'
    throw wrong(setting, `${path} does not hold ${what} (PEM)`, error)
  }
}

function wrong(setting: string, problem: string, cause?: unknown): AppError {
  return new AppError('ERR_CONFIG', {
    message: `wrong settings: ${setting}: ${problem}`,
    hint: 'both in one file: cat client.crt client.key >client.pem',
    cause,
  })
}
