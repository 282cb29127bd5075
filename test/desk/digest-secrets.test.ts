/**
 * Logins of mail servers go over TLS that is verified, or not at all; secrets stand in no answer, log, audit or export.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { login, makeBed, recipients, secrets, sendFrom } from '../support/digest-bed.ts'
import { makeCertificate } from '../support/digest-world.ts'
import { type PythonServer, startPython } from '../support/python-server.ts'
import { makeWorld } from '../support/world.ts'

const mailFlags = (server: PythonServer, scheme: string, host = '127.0.0.1'): string[] => [
  ...['--mail-server', `${scheme}://${host}:${server.port}`],
  ...['--mail-from', 'sluice@updates.example'],
]
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
