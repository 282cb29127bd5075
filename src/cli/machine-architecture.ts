/**
 * Debian's word for what this machine is.
 */
import { execFile } from 'node:child_process'
import { arch } from 'node:process'
import { promisify } from 'node:util'

/** dpkg's word for this machine, or Node's translated where there is no dpkg. */
export async function machineArchitecture(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('dpkg', ['--print-architecture'])
    return stdout.trim()
  } catch {
    return { x64: 'amd64', arm: 'armhf', ia32: 'i386' }[String(arch)] ?? arch
  }
}
