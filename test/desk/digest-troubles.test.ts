/**
 * Digests that mail servers and webhooks do not take, by real ones that behave badly: they are tried again with pauses, given
 * up in the end, and all of it is told.
 */
import t from 'tap'
import { HOUR_MS, makeDigestWorld, pack } from '../support/digest-world.ts'
import { runSluice } from '../support/program.ts'
import { startPython } from '../support/python-server.ts'

const MINUTE_MS = 60_000
/** Where one of them hangs: long enough for a slow machine to take what is taken. */
const deliverWithinMs = 5000
const seven = (day: number): number => Date.UTC(2026, 0, day, 7)
const recipients = ['admins@updates.example', 'chief@updates.example']
const morning = { name: 'morning', recipients, timeZone: 'UTC' }

t.test('a mail that is not taken is tried again, and told meanwhile', async (t) => {
  const server = await startPython(t, 'mail-server.py')
  const flags = {
    'mail-server': `smtp://127.0.0.1:${server.port}`,
    'mail-from': 'sluice@updates.example',
  }
  const { sluice, clock, renew, goTo } = await makeDigestWorld(t, flags, { deliverWithinMs })
  const { api } = sluice
  const show = () => api('GET', '/digests/morning')
  await api('POST', '/digests', morning)
  await renew([pack('hello', '2')])

  await server.behave({ accept: '451 4.3.0 come back later' })
  await goTo(seven(6))
  t.same(await server.next(), { refused: 'accept' })
  const [first] = await api('GET', '/digests')
  t.match(first.trouble, {
    code: 'ERR_DELIVERY',
    message: /^the mail server 127\.0\.0\.1:\d+ did not take the digest: .*451 4\.3\.0 come back/,
    due: seven(6),
    tries: 1,
  })
  t.notOk(first.sentAt)
  const list = await runSluice(['--data', sluice.dataDir, 'digest', 'list'])
  t.match(list.stdout, /^morning .* the mail server .* 451 4\.3\.0 come back later$/m)
  const metrics = await (await fetch(`${sluice.url}/metrics`)).text()
  t.match(metrics, /^sluice_digest_failed_tries\{digest="morning"\} 1$/m)

  await server.behave({ hang: 'accept' })
  await goTo(first.nextAt)
  t.same(await server.next(), { hung: 'accept' })
  const second = await show()
  t.match(second.trouble, { tries: 2, message: /did not take the digest within 5 s$/ })
  t.ok(second.nextAt - clock.now() > MINUTE_MS, 'the pause is longer then')
  t.same(server.rest(), [], 'it was tried once in that time')

  await server.behave({})
  await goTo(second.nextAt)
  const { mail } = await server.next()
  t.match(mail, { wrong: [], recipients, headers: { subject: 'Sluice: 1 waits for approved' } })
  const third = await show()
  t.notOk(third.trouble)
  t.equal(third.nextAt, seven(7))
  t.ok(third.sentAt)
  await goTo(seven(6) + 12 * HOUR_MS)
  t.same(server.rest(), [])
})

t.test('what is refused for good is given up, and the next one tells of it', async (t) => {
  const server = await startPython(t, 'mail-server.py')
  const { sluice, renew, goTo } = await makeDigestWorld(t, {
    'mail-server': `smtp://127.0.0.1:${server.port}`,
    'mail-from': 'sluice@updates.example',
  })
  const { api } = sluice
  await api('POST', '/digests', morning)
  await renew([pack('hello', '2')])
  await api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  await server.behave({ data: '554 5.7.1 not from you' })
  await goTo(seven(6))
  t.same(await server.next(), { refused: 'data' })
  const given = await api('GET', '/digests/morning')
  t.match(given.trouble, { code: 'ERR_DELIVERY_REFUSED', tries: 1 })
  t.notOk(given.trouble.retryAt)
  t.equal(given.nextAt, seven(7))

  await server.behave({ rcpt: { 'chief@updates.example': '550 5.1.1 no such user' } })
  await goTo(seven(7))
  const told = (await server.next()).mail
  t.same(told.recipients, ['admins@updates.example'])
  t.match(told.text, /the digest before this one was not sent: .*554 5\.7\.1\s+not from\s+you/s)
  t.match(told.text, /hello 1 -> 2 \(stable\)/, 'what went since the last one that was taken')
  const partly = await api('GET', '/digests/morning')
  t.match(partly.trouble, { isPartly: true, message: /did not take it for chief@updates.example$/ })

  await server.behave({})
  await goTo(seven(8))
  const last = (await server.next()).mail
  t.match(last.text, /the digest before this one was not sent to all: /)
  t.notMatch(last.text, /hello/)
  t.notOk((await api('GET', '/digests/morning')).trouble)
  await goTo(seven(9))
  t.same(server.rest(), [], 'there is nothing to tell any more')
})

t.test('a mail server that stays away is asked ever more seldom, for six hours', async (t) => {
  const server = await startPython(t, 'mail-server.py')
  const { sluice, clock, renew, goTo } = await makeDigestWorld(t, {
    'mail-server': `smtp://127.0.0.1:${server.port}`,
    'mail-from': 'sluice@updates.example',
  })
  const { api } = sluice
  await api('POST', '/digests', morning)
  await renew([pack('hello', '2')])
  await server.stop()
  await goTo(seven(6))
  const pauses: number[] = []
  for (;;) {
    const { trouble } = await api('GET', '/digests/morning')
    t.match(trouble, { tries: pauses.length + 1, message: /ECONNREFUSED/ })
    if (trouble.retryAt === undefined) break
    pauses.push(Math.round((trouble.retryAt - clock.now()) / MINUTE_MS))
    await goTo(trouble.retryAt)
  }
  t.same(pauses.slice(0, 7), [1, 2, 4, 8, 16, 30, 30])
  const spent = clock.now() - seven(6)
  t.ok(spent > 5 * HOUR_MS && spent <= 6 * HOUR_MS, `${spent / HOUR_MS} hours`)
  t.equal((await api('GET', '/digests/morning')).nextAt, seven(7))
})

t.test('a webhook gets signed JSON; redirects are not followed; what fails is told', async (t) => {
  const [server, other] = [
    await startPython(t, 'webhook-server.py'),
    await startPython(t, 'webhook-server.py'),
  ]
  const { sluice, renew, goTo } = await makeDigestWorld(t, {}, { deliverWithinMs })
  const { api } = sluice
  const webhook = `http://127.0.0.1:${server.port}/hooks/k3y?token=t0ken`
  await api('POST', '/digests', { name: 'chat', webhook, timeZone: 'UTC' })
  await renew([pack('hello', '2')])
  const faults = [
    [{ status: 503 }, { code: 'ERR_DELIVERY', message: / answered 503$/ }],
    [{ status: 429 }, { code: 'ERR_DELIVERY', message: / answered 429$/ }],
    [{ hang: true }, { code: 'ERR_DELIVERY', message: /did not take the digest within 5 s$/ }],
  ] as const
  await server.behave(faults[0][0])
  await goTo(seven(6))
  const ids = new Set([(await server.next()).call.headers['x-sluice-delivery']])
  t.match((await api('GET', '/digests/chat')).trouble, faults[0][1])
  for (const [behavior, trouble] of faults.slice(1)) {
    await server.behave(behavior)
    await goTo((await api('GET', '/digests/chat')).nextAt)
    ids.add((await server.next()).call.headers['x-sluice-delivery'])
    t.match((await api('GET', '/digests/chat')).trouble, trouble)
  }
  await server.behave({})
  await goTo((await api('GET', '/digests/chat')).nextAt)
  const { call } = await server.next()
  ids.add(call.headers['x-sluice-delivery'])
  t.equal(ids.size, 1, 'all tries have one id')
  t.match(call, {
    path: '/hooks/k3y?token=t0ken',
    isSigned: null,
    headers: { 'content-type': 'application/json', 'user-agent': /^sluice\// },
    body: {
      event: 'digest',
      name: 'chat',
      subject: 'Sluice: 1 waits for approved',
      from: { channel: 'testing', serial: 2 },
      to: { channel: 'approved', serial: 1 },
      until: seven(6),
      waits: { sources: 1, entries: [{ source: 'hello', old: ['1'], new: ['2'] }] },
    },
  })
  t.equal(call.body.id, call.headers['x-sluice-delivery'])

  for (const [day, status] of [307, 302].entries()) {
    const headers = { Location: `http://127.0.0.1:${other.port}/` }
    await server.behave({ status, headers })
    await goTo(seven(7 + day))
    await server.next()
    const { trouble } = await api('GET', '/digests/chat')
    t.match(trouble, { code: 'ERR_DELIVERY_REFUSED', message: new RegExp(`answered ${status}$`) })
    t.notOk(trouble.retryAt)
  }
  t.same(other.rest(), [])
  await server.stop()
  await goTo(seven(9))
  t.match((await api('GET', '/digests/chat')).trouble, { message: /ECONNREFUSED$/ })
  t.notMatch(JSON.stringify(await api('GET', '/digests')), /k3y|t0ken/)
})

t.test('one that fails keeps no other from being sent, which tells of it', async (t) => {
  const mails = await startPython(t, 'mail-server.py')
  const hooks = await startPython(t, 'webhook-server.py')
  const { sluice, upstream, renew, goTo } = await makeDigestWorld(t, {
    'mail-server': `smtp://127.0.0.1:${mails.port}`,
    'mail-from': 'sluice@updates.example',
  })
  const { api } = sluice
  const webhook = `http://127.0.0.1:${hooks.port}/hooks/k3y`
  await api('POST', '/digests', { name: 'chat', webhook, timeZone: 'UTC' })
  await api('POST', '/digests', morning)
  await api('POST', '/policies', {
    ...{ name: 'night', from: 'testing', to: 'approved', schedule: '0 6 * * *' },
    rules: ['after 0 days'],
  })
  await renew([pack('hello', '2')])
  await upstream.close()
  await hooks.behave({ status: 503 })
  await goTo(seven(6) - HOUR_MS)
  while ((await api('GET', '/policies/night')).last?.endedAt === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await goTo(seven(6))
  const { mail } = await mails.next()
  t.equal(mail.headers.subject, 'Sluice: 1 waits for approved, 2 problems')
  const text = mail.text.replace(/\s+/g, ' ')
  t.match(text, / the last digest chat was not sent: the webhook at http:\S+ answered 503 /)
  t.match(text, / the last run of policy night failed: .* sluice policy history night /)
  t.notMatch(mail.text + mail.html, /k3y/)
})
