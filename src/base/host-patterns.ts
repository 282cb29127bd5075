/**
 * Patterns of hosts in settings: a name or address, or `*.` before a domain for all below it; `:PORT` behind it for
 * others than the web's own.
 */
import { hostKey } from './host-key.ts'
import type { Reader } from './setting-readers.ts'

/**
 * A list, or text with commas, of patterns; `none` is an empty one. `words` are taken as they are. `*` alone is refused:
 * that would be an open relay.
 */
export function readHosts(words: readonly string[] = []): Reader<readonly string[]> {
  return (raw) => {
    const names = Array.isArray(raw) ? raw.map(String) : String(raw).split(/[\s,]+/)
    const patterns: string[] = []
    for (const name of names.filter((text) => text !== '' && text !== 'none')) {
      const pattern = words.includes(name) ? name : readPattern(name)
      if (pattern === undefined) {
        return {
          problem: `${JSON.stringify(name)} is not a host like deb.archive.example, or *.archive.example`,
        }
      }
      patterns.push(pattern)
    }
    return { value: [...new Set(patterns)] }
  }
}

function readPattern(text: string): string | undefined {
  const [, wild = '', host = ''] = /^(\*\.)?([^/?#@*]+)$/.exec(text) ?? []
  const url = URL.parse(`http://${host}`)
  return host === '' || url === null ? undefined : `${wild}${hostKey(url)}`
}

/** Whether one of the patterns fits the host, which is as `hostKey` writes it. */
export function matchesHost(patterns: readonly string[], host: string): boolean {
  return patterns.some((pattern) =>
    pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern,
  )
}
