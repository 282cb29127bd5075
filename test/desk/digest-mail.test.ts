/**
 * Digests by mail, end to end: made by a command, taken by a real SMTP server, and judged by Python's email package.
 */
import t from 'tap'
import { DAY_MS, makeDigestWorld, settled } from '../support/digest-world.ts'
import { runSluice } from '../support/program.ts'
import { startPython } from '../support/python-server.ts'
import { startSluice } from '../support/sluice.ts'
import { makeWorld } from '../support/world.ts'

const pack = (name: string, version: string) => ({ name, version, arch: 'amd64' }) as const

t.test('a digest is made by a command, and its mail is a proper one', async (t) => {
  const server = await startPython(t, 'mail-server.py')
  const flags = {
    'mail-server': `smtp://127.0.0.1:${server.port}`,
    'mail-from': 'sluice@updates.example',
    'log-level': 'silent',
  }
  const { sluice, publish } = await makeWorld(t, [pack('hello', '1'), pack('other', '1')], {
    start: { flags },
  })
  const run = (...args: string[]) => runSluice(['--data', sluice.dataDir, ...args])
  await publish([pack('hello', '2'), pack('other', '2')])
  await sluice.api('POST', '/archives/refresh')
  const promote = { from: 'testing', to: 'approved', reason: 'für die Prüfung ✓ <b>&' }
  t.notOk(
    (await sluice.api('POST', '/promotions', { ...promote, sources: [{ name: 'other' }] })).error,
  )

  const mail = ['--mail', 'admins@updates.example', 'chief@updates.example']
  const made = await run('digest', 'create', 'morning', ...mail, '--time-zone', 'UTC')
  t.match(made, { code: 0, stderr: '' })
  t.match(made.stdout, /^goes to +admins@updates\.example, chief@updates\.example$/m)
  t.match(made.stdout, /^schedule +0 7 \* \* \* \(UTC\)$/m)

  const dry = await run('digest', 'send', 'morning', '--dry-run')
  t.match(dry.stdout, /^Subject: Sluice: 1 waits for approved$/m)
  t.match(dry.stdout, /^ {2}hello 1 -> 2 \(stable, .*\)$/m)
  t.same(server.rest(), [], 'a dry run sends nothing')

  const sent = await run('digest', 'send', 'morning', '--reason', 'to try it')
  t.match(sent, { code: 0, stdout: /^digest morning sent: Sluice: 1 waits for approved$/m })
  const told = (await server.next()).mail
  t.match(told, {
    wrong: [],
    structure: ['multipart/alternative', 'text/plain', 'text/html'],
    charsets: ['utf-8', 'utf-8'],
    recipients: ['admins@updates.example', 'chief@updates.example'],
    headers: {
      from: 'Sluice <sluice@updates.example>',
      subject: 'Sluice: 1 waits for approved',
      'auto-submitted': 'auto-generated',
      'message-id': /^<sluice\.[\w.-]+@updates\.example>$/,
    },
  })
  t.match(told.text, /^1 source waits from testing for approved, none for security\.$/m)
  t.match(told.text, /promote by admin: für die Prüfung ✓ <b>&$/m)
  t.match(told.text, /^ {6}other 1 -> 2 \(stable\)$/m)
  t.match(told.html, /promote by admin: für die Prüfung ✓ &lt;b&gt;&amp;/)
  t.equal(told.text.split('\n').filter((line: string) => line.length > 76).length, 0)
  t.match(await sluice.api('GET', '/audit?limit=1'), [
    { who: 'admin', what: 'digest send', object: 'digest morning', why: 'to try it' },
  ])
})

t.test('many recipients and odd texts make no odd mail', async (t) => {
  const server = await startPython(t, 'mail-server.py')
  const flags = {
    'mail-server': `smtp://127.0.0.1:${server.port}`,
    'mail-from': 'sluice@updates.example',
    'log-level': 'silent',
  }
  const { sluice, publish } = await makeWorld(t, [pack('hello', '1')], { start: { flags } })
  const recipients = Array.from(
    { length: 50 },
    (_, at) => `${'some.body'.repeat(5)}.${at}@department-${at}.updates.example`,
  )
  await sluice.api('POST', '/digests', { name: 'all', recipients })
  await publish([pack('hello', '2')])
  await sluice.api('POST', '/archives/refresh')
  const reason = `.\r\n.\r\nBcc: x@y.example\r\n\r\n\u202e${'wörd'.repeat(200)} \u{1f4a5}\u0000`
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true, reason })
  t.match(await sluice.api('POST', '/digests/all/send', {}), { isSent: true })
  const { mail } = await server.next()
  t.match(mail, { wrong: [], recipients })
  t.same(mail.headers.to.split(/,\s+/), recipients)
  t.notOk(mail.headers.bcc)
  t.match(mail.text, /promote by admin: \.\?\?\.\?\?Bcc:\s+x@y\.example\?{5}/)
  t.match(mail.text, '\u{1f4a5}?')
  t.equal(mail.text.split('\n').filter((line: string) => line.length > 76).length, 0)
  t.same(server.rest(), [])
})

t.test('a server stops while a mail server hangs, and sends the digest later', async (t) => {
  const server = await startPython(t, 'mail-server.py')
  const flags = {
    'mail-server': `smtp://127.0.0.1:${server.port}`,
    'mail-from': 'sluice@updates.example',
  }
  const { sluice, clock } = await makeDigestWorld(t, flags, { deliverWithinMs: 600_000 })
  const recipients = ['admins@updates.example']
  await sluice.api('POST', '/digests', { name: 'morning', recipients, timeZone: 'UTC' })
  await server.behave({ hang: 'accept' })
  clock.advance(DAY_MS)
  t.same(await server.next(), { hung: 'accept' })
  await sluice.close()
  await server.behave({})
  const again = await startSluice(sluice.dataDir, {
    clock,
    flags: { 'log-level': 'silent', ...flags },
  })
  t.teardown(() => again.close())
  t.match((await server.next()).mail, { wrong: [], recipients })
  await settled(again, clock)
  t.notOk((await again.api('GET', '/digests/morning')).trouble)
})
