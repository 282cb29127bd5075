/**
 * Servers of their own process that send digests, with secrets in files beside, and all that they print and tell.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startProgram } from './program.ts'
import { makeWorld } from './world.ts'

/** User and password for the mail server; the secret that calls are signed with. */
export const login = ['sluice', 'pa55-w0rd'] as const
export const secret = 'hm4c-s3cret'
/** What must be in nothing that is told: these, as AUTH PLAIN has them, and what tests put into webhooks' URLs. */
export const secrets = /pa55-w0rd|AHNsdWljZQBwYTU1LXcwcmQ|hm4c-s3cret|t0ken|k3y/
export const recipients = ['admins@updates.example']

export interface Bed {
  readonly dir: string
  readonly dataDir: string
  readonly loginFile: string
  readonly secretFile: string
}

/** A data directory with digests `morning` (mail) and `chat` (webhook), and files with secrets. */
export async function makeBed(t: Test, webhook: string): Promise<Bed> {
  const { dir, sluice } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  await sluice.api('POST', '/digests', { name: 'morning', recipients, always: true })
  await sluice.api('POST', '/digests', { name: 'chat', webhook, always: true })
  await sluice.close()
  const [loginFile, secretFile] = [join(dir, 'login'), join(dir, 'secret')]
  await writeFile(loginFile, `${login.join('\n')}\n`, { mode: 0o600 })
  await writeFile(secretFile, `${secret}\n`, { mode: 0o600 })
  return { dir, dataDir: sluice.dataDir, loginFile, secretFile }
}

/** Sends a digest from a server of its own process; the answer, and all that the server printed and tells of it. */
export async function sendFrom(
  t: Test,
  dataDir: string,
  name: string,
  { flags, ca }: { readonly flags: readonly string[]; readonly ca?: string },
) {
  const args = ['serve', '--json', '--data', dataDir, '--listen', '127.0.0.1:0', '--no-import']
  const env = ca === undefined ? {} : { NODE_EXTRA_CA_CERTS: ca }
  const server = startProgram(t, [...args, '--log-level', 'trace', ...flags], { env })
  const url = await server.says(/"kind":"ready","url":"([^"]+)"/)
  const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const call = async (path: string, init: object = {}): Promise<string> =>
    (await fetch(`${url}${path}`, { headers, ...init })).text()
  const path = `/api/v1/digests/${name}/send`
  const sent = await call(path, { method: 'POST', body: '{"reason":"to try it"}' })
  const paths = ['digests', `digests/${name}`, 'audit', 'export']
  const told = await Promise.all(paths.map((one) => call(`/api/v1/${one}`)))
  const metrics = await call('/metrics')
  server.signal('SIGTERM')
  const { text } = await server.ended
  return { sent: JSON.parse(sent), all: [sent, ...told, metrics, text].join('\n') }
}
