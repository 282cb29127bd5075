/**
 * The archive's own server, as a child on loopback: nginx where it is installed, else `static-server.ts`.
 *
 * Both log `STATUS BYTES since|- PATH` for each request, so a step can tell what it asked for.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Daemon, freePort, startDaemon, untilReady } from './processes.ts'

export interface Traffic {
  readonly requests: number
  /** Requests that carried If-Modified-Since. */
  readonly conditional: number
  readonly bytes: number
}

export interface Upstream {
  /** Without a slash at the end; the archive is below `/debian`. */
  readonly url: string
  readonly program: string
  readonly pid: number
  /** What was asked for since the last call. */
  takeTraffic(): Promise<Traffic>
  end(): Promise<void>
}

/**
 * Serves `root` on a free port, by so many workers of nginx; configuration and log go to `directory`. The port is one that
 * apt-cacher-ng takes, too.
 */
export async function startUpstream(
  root: string,
  directory: string,
  workers = 1,
): Promise<Upstream> {
  mkdirSync(directory, { recursive: true })
  const port = await freePort(20_000, 32_767)
  const logPath = join(directory, 'access.log')
  writeFileSync(logPath, '')
  const program = hasNginx() ? 'nginx' : 'node'
  const daemon =
    program === 'nginx'
      ? startNginx(root, directory, { port, logPath, workers })
      : startNode(root, directory, port, logPath)
  const url = `http://127.0.0.1:${port}`
  await untilReady(program, 10_000, () => answers(url), daemon)
  let offset = await settledLength(logPath)
  const takeTraffic = async () => {
    const end = await settledLength(logPath)
    const lines = readFileSync(logPath, 'latin1').slice(offset, end).split('\n').filter(Boolean)
    offset = end
    const bytes = lines.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0)
    const conditional = lines.filter((line) => line.split(' ')[2] === 'since').length
    return { requests: lines.length, conditional, bytes }
  }
  return { url, program, pid: daemon.pid, takeTraffic, end: daemon.end }
}

// A request is logged after its last byte is sent: the reader may be ahead of the log.
async function settledLength(logPath: string): Promise<number> {
  let length = -1
  for (;;) {
    const now = readFileSync(logPath, 'latin1').length
    if (now === length) return length
    length = now
    await wait(50)
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/debian/dists/bookworm/Release`)
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

function hasNginx(): boolean {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function startNode(root: string, directory: string, port: number, logPath: string): Daemon {
  const args = [join(import.meta.dirname, 'static-server.ts'), root, String(port), logPath]
  return startDaemon({
    program: process.execPath,
    args,
    directory,
    logPath: join(directory, 'out'),
  })
}

function startNginx(
  root: string,
  directory: string,
  { port, logPath, workers }: { port: number; logPath: string; workers: number },
): Daemon {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${directory}/${kind};`)
    .join(' ')
  // Workers that root starts run as nobody, who cannot look into a directory below a private /tmp.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const since = `map $http_if_modified_since $since { '' '-'; default 'since'; }`
  const configuration = `daemon off; ${user} worker_processes ${workers}; pid ${directory}/pid; error_log ${directory}/error.log;
events { worker_connections 1024; }
http {
  ${temporary} default_type application/octet-stream; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  ${since}
  log_format bench '$status $body_bytes_sent $since $request_uri';
  access_log ${logPath} bench;
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`
  const path = join(directory, 'nginx.conf')
  writeFileSync(path, configuration)
  const args = ['-p', directory, '-c', path]
  return startDaemon({ program: 'nginx', args, directory, logPath: join(directory, 'out') })
}
