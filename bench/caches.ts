/**
 * Other caches of an upstream, each as a child on loopback with a configuration and an empty cache of its own: nginx with
 * proxy_cache, and apt-cacher-ng. What the system would start of them is left alone.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { send } from './client.ts'
import { type Daemon, freePort, startDaemon, untilReady } from './processes.ts'

export interface Cache {
  readonly pid: number
  /** Shows what upstream has below `/debian`. */
  readonly url: string
  end(): Promise<void>
}

/**
 * nginx with the lock that makes of many requests one. Whoever waits for it is sent nothing until the file is whole; after
 * the lock's time-out everybody would fetch it for himself, so that is long.
 */
export async function startNginxCache(
  directory: string,
  upstream: string,
  workers = 2,
): Promise<Cache> {
  mkdirSync(directory, { recursive: true })
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${directory}/${kind};`)
    .join(' ')
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const path = join(directory, 'nginx.conf')
  writeFileSync(
    path,
    `daemon off; ${user} worker_processes ${workers}; pid ${directory}/pid; error_log ${directory}/error.log;
events { worker_connections 1024; }
http {
  ${temporary} default_type application/octet-stream; sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000;
  proxy_cache_path ${directory}/cache levels=1:2 keys_zone=debs:16m max_size=10g inactive=30d use_temp_path=off;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${upstream}; proxy_http_version 1.1; proxy_set_header Connection '';
      proxy_cache debs; proxy_cache_valid 200 1d;
      proxy_cache_lock on; proxy_cache_lock_timeout 300s; proxy_cache_lock_age 300s;
      proxy_buffers 16 64k; proxy_buffer_size 64k; proxy_max_temp_file_size 4096m;
    }
  }
}
`,
  )
  const args = ['-p', directory, '-c', path]
  const daemon = startDaemon({ program: 'nginx', args, directory, logPath: join(directory, 'out') })
  return ready('nginx', daemon, `http://127.0.0.1:${port}`, '/debian')
}

/** apt-cacher-ng in the foreground, upstream under a name of its own. It knows no port above 32767, nor may upstream's be. */
export async function startAptCacherNg(directory: string, upstream: string): Promise<Cache> {
  for (const name of ['cache', 'log']) mkdirSync(join(directory, name), { recursive: true })
  const port = await freePort(20_000, 32_767)
  const lines = [
    ...[`CacheDir: ${directory}/cache`, `LogDir: ${directory}/log`, `PidFile: ${directory}/pid`],
    ...[`Port: ${port}`, 'BindAddress: 127.0.0.1', 'ForeGround: 1', 'AllowUserPorts: 0'],
    ...[`Remap-bench: /debian ; ${upstream}/debian`, 'ReportPage: report.html'],
    ...['ExThreshold: 4', 'VerboseLog: 0', 'ReuseConnections: 1', 'NetworkTimeout: 120'],
  ]
  writeFileSync(join(directory, 'acng.conf'), `${lines.join('\n')}\n`)
  const daemon = startDaemon({
    ...{ program: 'apt-cacher-ng', args: ['-c', directory], directory },
    logPath: join(directory, 'out'),
  })
  return ready('apt-cacher-ng', daemon, `http://127.0.0.1:${port}`, '/debian')
}

async function ready(name: string, daemon: Daemon, url: string, below: string): Promise<Cache> {
  const answers = async (): Promise<boolean> => {
    const answer = await send(`${url}${below}/dists/bookworm/Release`).catch(() => undefined)
    return answer?.status === 200
  }
  await untilReady(name, 20_000, answers, daemon)
  return { pid: daemon.pid, url: `${url}${below}`, end: daemon.end }
}
