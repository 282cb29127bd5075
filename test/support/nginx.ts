/**
 * A real nginx with the configuration of docs/nginx.md: its text as it stands there, with paths, addresses and ports of the
 * test in place of the documented ones.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

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
export async function startNginx(dir: string, sluice: Behind): Promise<TestNginx> {
  for (let tries = 1; ; tries++) {
    const said: string[] = []
    const nginx = await tryNginx(dir, sluice, said)
    if (nginx !== undefined) return nginx
    // Somebody else was quicker to take the port.
    const isTaken = said.join('').includes('Address already in use')
    if (!isTaken || tries === 5) throw new Error(`nginx ended: ${said.join('')}`)
  }
}

interface Behind {
  readonly url: string
  readonly dataDir: string
}

/** Starts it on a port that was free a moment ago; undefined if it ends at once. */
async function tryNginx(
  dir: string,
  sluice: Behind,
  said: string[],
): Promise<TestNginx | undefined> {
  await mkdir(dir, { recursive: true })
  const port = await freePort()
  const [config, pid] = [join(dir, 'nginx.conf'), join(dir, 'pid')]
  await writeFile(config, configOf(dir, sluice, port))
  await rm(pid, { force: true })
  const child = spawn('/usr/sbin/nginx', ['-p', dir, '-c', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text))
  let hasEnded = false
  const ended = once(child, 'close').then(() => {
    hasEnded = true
  })
  // Which it writes when it listens.
  while ((await readFile(pid, 'utf8').catch(() => '')) === '') {
    if (hasEnded) return undefined
    await sleep(10)
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

function configOf(dir: string, { url, dataDir }: Behind, port: number): string {
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
  return lines.join('\n')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
