/**
 * What digests have to keep to themselves: logins go over TLS that is verified, or not at all; secrets stand in no answer, log,
 * audit or export.
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeCertificate } from '../support/digest-world.ts'
import { startProgram } from '../support/program.ts'
import { type PythonServer, startPython } from '../support/python-server.ts'
import { makeWorld } from '../support/world.ts'

const login = ['sluice', 'pa55-w0rd'] as const
const recipients = ['admins@updates.example']

interface Bed {
  readonly dir: string
  readonly dataDir: string
  readonly loginFile: string
  readonly secretFile: string
}

/** A data directory with digests `morning` (mail) and `chat` (webhook), and files with secrets. */
async function makeBed(t: Test, webhook: string): Promise<Bed> {
  const { dir, sluice } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  await sluice.api('POST', '/digests', { name: 'morning', recipients, always: true })
  await sluice.api('POST', '/digests', { name: 'chat', webhook, always: true })
  await sluice.close()
  const [loginFile, secretFile] = [join(dir, 'login'), join(dir, 'secret')]
  await writeFile(loginFile, `${login.join('\n')}\n`, { mode: 0o600 })
  await writeFile(secretFile, 'hm4c-s3cret\n', { mode: 0o600 })
  return { dir, dataDir: sluice.dataDir, loginFile, secretFile }
}

/** Sends a digest from a server of its own process; the answer, and all that the server printed and tells of it. */
async function sendFrom(
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

const mailFlags = (server: PythonServer, scheme: string, host = '127.0.0.1'): string[] => [
  ...['--mail-server', `${scheme}://${host}:${server.port}`],
  ...['--mail-from', 'sluice@updates.example'],
]
const secrets = /pa55-w0rd|cGE1NS13MHJk|hm4c-s3cret|t0ken|k3y/

t.test('logins go over verified TLS only', async (t) => {
  const { dir, dataDir, loginFile } = await makeBed(t, 'http://127.0.0.1:9/')
  await mkdir(join(dir, 'wrong'))
  const right = await makeCertificate(dir, '127.0.0.1')
  const wrong = await makeCertificate(join(dir, 'wrong'), 'other.example')
  const withLogin = ['--mail-login-file', loginFile]
  for (const tls of ['starttls', 'smtps'] as const) {
    const scheme = tls === 'smtps' ? 'smtps' : 'smtp'
    const good = await startPython(t, 'mail-server.py', { tls, ...right, login })
    const flags = [...mailFlags(good, scheme), ...withLogin]
    const unknown = await sendFrom(t, dataDir, 'morning', { flags })
    t.match(unknown.sent, { error: { code: 'ERR_DELIVERY', message: /certificate/ } })
    t.same(good.rest(), [], `${tls}: an authority that is not known gets nothing`)
    const known = await sendFrom(t, dataDir, 'morning', { flags, ca: right.ca })
    t.match(known.sent, { isSent: true, rejected: [] })
    t.match((await good.next()).mail, { wrong: [], tls: true, login, recipients })
    t.notMatch(known.all, secrets)

    const bad = await startPython(t, 'mail-server.py', { tls, ...wrong, login })
    const other = [...mailFlags(bad, scheme), ...withLogin]
    const named = await sendFrom(t, dataDir, 'morning', { flags: other, ca: wrong.ca })
    t.match(named.sent, { error: { code: 'ERR_DELIVERY', message: /altnames/ } })
    t.same(bad.rest(), [])
  }

  const plain = await startPython(t, 'mail-server.py', { login })
  const flags = [...mailFlags(plain, 'smtp'), ...withLogin]
  const without = await sendFrom(t, dataDir, 'morning', { flags })
  t.match(without.sent, { error: { code: 'ERR_DELIVERY' } })
  t.same(plain.rest(), [], 'without TLS nothing is said')
  t.notMatch(without.all, secrets)

  const strict = await startPython(t, 'mail-server.py', {
    tls: 'starttls',
    ...right,
    login: ['sluice', 'another'],
  })
  const more = [...mailFlags(strict, 'smtp'), ...withLogin]
  const refused = await sendFrom(t, dataDir, 'morning', { flags: more, ca: right.ca })
  t.match(refused.sent, { error: { code: 'ERR_DELIVERY_REFUSED', message: /535 5\.7\.8/ } })
  t.same(strict.rest(), [{ refused: 'login' }])
  t.notMatch(refused.all, secrets, 'also where the mail server says it again')
})

t.test('without a login TLS is taken where it is offered, as mail servers do', async (t) => {
  const { dir, dataDir } = await makeBed(t, 'http://127.0.0.1:9/')
  const own = await makeCertificate(dir, 'other.example')
  const server = await startPython(t, 'mail-server.py', { tls: 'starttls', ...own })
  const { sent } = await sendFrom(t, dataDir, 'morning', { flags: mailFlags(server, 'smtp') })
  t.match(sent, { isSent: true })
  t.match((await server.next()).mail, { tls: true, login: null, wrong: [] })
})

t.test('calls are signed with the secret, which nobody else may read', async (t) => {
  const secret = 'hm4c-s3cret'
  const server = await startPython(t, 'webhook-server.py', { secret })
  const webhook = `http://127.0.0.1:${server.port}/hooks/k3y?token=t0ken`
  const { dataDir, secretFile } = await makeBed(t, webhook)
  const flags = ['--webhook-secret-file', secretFile]
  const first = await sendFrom(t, dataDir, 'chat', { flags })
  t.match(first.sent, { isSent: true })
  t.match((await server.next()).call, { isSigned: true, path: '/hooks/k3y?token=t0ken' })
  t.notMatch(first.all, secrets)

  await server.behave({ status: 404 })
  const failed = await sendFrom(t, dataDir, 'chat', { flags })
  t.match(failed.sent, {
    error: { message: /the webhook at http:\/\/127\.0\.0\.1:\d+ answered 404$/ },
  })
  t.notMatch(failed.all, secrets)
  t.ok((await server.next()).call.isSigned)

  await chmod(secretFile, 0o604)
  const open = await sendFrom(t, dataDir, 'chat', { flags })
  t.match(open.sent, { error: { message: /everybody may read/ } })
  await writeFile(secretFile, '')
  await chmod(secretFile, 0o600)
  t.match((await sendFrom(t, dataDir, 'chat', { flags })).sent, {
    error: { hint: /first line/ },
  })
  t.same(server.rest(), [], 'rather not than unsigned')
  const database = await readFile(join(dataDir, 'sluice.db'))
  t.notOk(database.includes(secret))
})

t.test('a webhook over https is verified', async (t) => {
  const place = t.testdir({ ca: {} })
  const own = await makeCertificate(join(place, 'ca'), '127.0.0.1')
  const server = await startPython(t, 'webhook-server.py', own)
  await t.test('by authorities that are known', async (t) => {
    const { dataDir } = await makeBed(t, `https://127.0.0.1:${server.port}/hooks/k3y`)
    const unknown = await sendFrom(t, dataDir, 'chat', { flags: [] })
    t.match(unknown.sent, { error: { message: /does not answer: [A-Z_]*(CERT|SIGNATURE)/ } })
    t.notMatch(unknown.all, secrets)
    t.same(server.rest(), [])
    t.match((await sendFrom(t, dataDir, 'chat', { flags: [], ca: own.ca })).sent, { isSent: true })
    t.match((await server.next()).call, { path: '/hooks/k3y', isSigned: null })
  })
})

t.test('what is no address, and what is no URL, is refused and not said again', async (t) => {
  const { sluice } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  const post = (body: object) => sluice.api('POST', '/digests', { name: 'x', ...body })
  for (const address of [
    'a@b.example\r\nBcc: c@d.example',
    'A <a@b.example>',
    'a@b.example, c@d.example',
    '@b.example',
  ]) {
    t.match((await post({ recipients: [address] })).error, { code: 'ERR_USAGE' }, address)
  }
  for (const webhook of [
    'https://user:t0ken@chat.example/',
    'ftp://chat.example/t0ken',
    'chat.example/t0ken',
    'https://chat.example/#t0ken',
  ]) {
    const { error } = await post({ webhook })
    t.match(error, { code: 'ERR_USAGE', message: /^a webhook is an http or https URL/ })
    t.notMatch(JSON.stringify(error), /t0ken/)
  }
  const often = { recipients, schedule: '*/30 * * * *' }
  t.match((await post(often)).error, { message: /comes more than once an hour$/ })
  t.match((await post({})).error, { message: 'a digest needs somebody to go to' })
  t.match((await post({ recipients, webhook: 'http://c.example/' })).error, { code: 'ERR_USAGE' })
  t.match((await post({ recipients, from: 'nosuch' })).error, { code: 'ERR_NOT_FOUND' })
  t.match((await post({ recipients, from: 'approved' })).error, { code: 'ERR_USAGE' })
  t.same(await sluice.api('GET', '/digests'), [])
})
