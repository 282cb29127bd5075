/**
 * Patterns of hosts in settings: a name or address, or `*.` before a domain for all below it; `:PORT` behind it for
 * others than the web's own.
 */
import { hostKey, tunnelKey } from './host-key.ts'
import type { Read } from './setting-readers.ts'

/** The word for what archives have by themselves. */
export const OF_ARCHIVES = 'archives'

/** The word for all hosts of the internet. */
export const ANY_HOST = 'any'

/**
 * A list, or text with commas, of patterns; `none` is an empty one. `*` alone is refused: that would be an open relay.
 */
export function readHosts(raw: unknown): Read<readonly string[]> {
  return readPatterns(raw, (host) => keyOf(`http://${host}`, hostKey))
}

/** The same for tunnels, whose port is 443 unless told; the word `archives` may stand among them. */
export function readTunnelHosts(raw: unknown): Read<readonly string[]> {
  return readPatterns(raw, (host) =>
    host === OF_ARCHIVES ? host : keyOf(`https://${host}`, tunnelKey),
  )
}

/** The same for hosts whose archives are learned; the word `any` may stand among them. */
export function readLearnHosts(raw: unknown): Read<readonly string[]> {
  return readPatterns(raw, (host) => (host === ANY_HOST ? host : keyOf(`http://${host}`, hostKey)))
}

function readPatterns(
  raw: unknown,
  read: (host: string) => string | undefined,
): Read<readonly string[]> {
  const names = Array.isArray(raw) ? raw.map(String) : String(raw).split(/[\s,]+/)
  const patterns: string[] = []
  for (const name of names.filter((text) => text !== '' && text !== 'none')) {
    const [, wild = '', host = ''] = /^(\*\.)?([^/?#@*]+)$/.exec(name) ?? []
    const key = host === '' ? undefined : read(host)
    const isWord = key === OF_ARCHIVES || key === ANY_HOST
    if (key === undefined || (wild !== '' && isWord)) {
      const like = 'a host like deb.archive.example, or *.archive.example'
      return { problem: `${JSON.stringify(name)} is not ${like}` }
    }
    patterns.push(`${wild}${key}`)
  }
  return { value: [...new Set(patterns)] }
}

function keyOf(text: string, key: (url: URL) => string): string | undefined {
  const url = URL.parse(text)
  return url === null ? undefined : key(url)
}

/** Whether one of the patterns fits the host, which is as `hostKey` writes it. */
export function matchesHost(patterns: readonly string[], host: string): boolean {
  return patterns.some((pattern) =>
    pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern,
  )
}
