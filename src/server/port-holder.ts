/**
 * Who listens on a port of this machine, read from /proc (proc(5), proc_pid_net(5)), since `ss` is not on every machine.
 * Programs of other users can be seen by root only.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'

/** `/proc/net/tcp`: the state of a socket that listens. */
const LISTENING = '0A'
/** What Node calls its first thread, and so every program that runs on it. */
const NODE_THREAD = 'MainThread'

/** Name and process id of a program that listens on the port, `nginx (pid 812)`; undefined if that cannot be told. */
export async function findPortHolder(port: number): Promise<string | undefined> {
  const inodes = await listeningInodes(port)
  if (inodes.size === 0) return undefined
  for (const pid of await namesIn('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    for (const fd of await namesIn(`/proc/${pid}/fd`)) {
      const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
      if (inodes.has(target)) return `${await nameOf(pid)} (pid ${pid})`
    }
  }
  return undefined
}

/** The sockets that listen on the port, as links of `/proc/PID/fd` name them. */
async function listeningInodes(port: number): Promise<ReadonlySet<string>> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const found = new Set<string>()
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const lines = (await readFile(file, 'latin1').catch(() => '')).split('\n').slice(1)
    for (const line of lines) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
      if (state === LISTENING && local?.endsWith(wanted)) found.add(`socket:[${inode}]`)
    }
  }
  return found
}

async function nameOf(pid: string): Promise<string> {
  const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim()
  return name === NODE_THREAD || name === '' ? 'node' : name
}

/** The names in a folder that may be gone, or closed to us. */
async function namesIn(path: string): Promise<string[]> {
  return readdir(path).catch(() => [])
}
