/**
 * A real nginx with the configuration of docs/nginx.md: its text as it stands there, with paths, addresses and ports of the
 * test in place of the documented ones.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'

const page = await readFile(join(import.meta.dirname, '../../docs/nginx.md'), 'utf8')

/** What stands in the page's block of this language. */
export function blockOf(language: string): string {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(page)?.[1] ?? ''
}

export interface TestNginx {
  readonly url: string
  close(): Promise<void>
}

/** Starts nginx in front of the Sluice at `url`; its own files are in `dir`. */
export async function startNginx(
  dir: string,
  { url, dataDir }: { readonly url: string; readonly dataDir: string },
): Promise<TestNginx> {
  await mkdir(dir, { recursive: true })
  const port = await freePort()
  const told = blockOf('nginx')
    .replace('127.0.0.1:3143', new URL(url).host)
    .replace('listen 3142;', `listen 127.0.0.1:${port};`)
    .replace('listen [::]:3142;', '')
    .replaceAll('/var/lib/sluice', dataDir)
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const lines = [
    'daemon off; master_process off; error_log stderr;',
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    `pid ${join(dir, 'pid')};`,
    'events { }',
    'http {',
    'access_log off;',
    ...temps.map((name) => `${name}_temp_path ${join(dir, name)};`),
    told,
    '}',
  ]
  const config = join(dir, 'nginx.conf')
  await writeFile(config, lines.join('\n'))
  const child = spawn('/usr/sbin/nginx', ['-p', dir, '-c', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = once(child, 'close')
  while (!(await takesConnections(port))) {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${said}`)
  }
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      child.kill('SIGQUIT')
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const is = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return is
}
