/**
 * Telling the local network of this apt proxy (setting `avahi`): a service file for avahi-daemon, avahi.service(5), which
 * announces it as `_apt_proxy._tcp`. auto-apt-proxy and squid-deb-proxy-client find it so.
 *
 * The file is there while the server is; avahi notices both. After a kill it stays until the next start.
 */
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

/** Writes the file for this port into `dir`; resolves with what removes it. A `dir` that cannot be written to is logged. */
export async function announce(dir: string, port: number, log: Log): Promise<() => Promise<void>> {
  const path = join(dir, `sluice-${port}.service`)
  try {
    // avahi reads no other names, and so no half of it.
    await writeFile(`${path}.new`, serviceFile(port))
    await rename(`${path}.new`, path)
  } catch (error) {
    const problem = systemCode(error) ?? String(error)
    log.error({ path, problem }, 'apt proxy not announced: is avahi-daemon installed')
    return async () => undefined
  }
  return () => rm(path, { force: true })
}

function serviceFile(port: number): string {
  return `<?xml version="1.0" standalone='no'?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group>
  <name replace-wildcards="yes">Sluice on %h</name>
  <service>
    <type>_apt_proxy._tcp</type>
    <port>${port}</port>
  </service>
</service-group>
`
}
