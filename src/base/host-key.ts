/**
 * Names of hosts as they are compared: in lower case, without a dot at the end, with the port only if it is neither of
 * the two that the web has. So `http://Deb.Archive.example.:80` and `https://deb.archive.example` are one host.
 */

/** `deb.archive.example`, `mirror.example.org:8080`, `[::1]:3142`. */
export function hostKey(url: Pick<URL, 'hostname' | 'port'>): string {
  return withPort(url, ['', '80', '443'])
}

/** The same of an https URL, for tunnels: only its own port goes without saying. */
export function tunnelKey(url: Pick<URL, 'hostname' | 'port'>): string {
  return withPort(url, ['', '443'])
}

function withPort({ hostname, port }: Pick<URL, 'hostname' | 'port'>, silent: string[]): string {
  const bare = hostname.toLowerCase().replace(/^\[|\]$|\.$/g, '')
  const name = bare.includes(':') ? `[${bare}]` : bare
  return silent.includes(port) ? name : `${name}:${port}`
}
