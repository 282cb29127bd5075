/**
 * Digests in the configuration that is exported and applied: whole, but for what may be a secret of a webhook's URL.
 */
import { join } from 'node:path'
import t from 'tap'
import { startPython } from '../support/python-server.ts'
import { startSluice } from '../support/sluice.ts'
import { makeWorld } from '../support/world.ts'

const recipients = ['admins@updates.example', 'chief@updates.example']

t.test('digests are rebuilt on another server, webhooks switched off', async (t) => {
  const server = await startPython(t, 'webhook-server.py')
  const { sluice, dir } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  const { api } = sluice
  const chat = `http://127.0.0.1:${server.port}/hooks/k3y`
  await api('POST', '/digests', { name: 'morning', recipients, timeZone: 'Europe/Berlin' })
  await api('POST', '/digests', { name: 'chat', webhook: chat, schedule: '0 8 * * 1-5' })
  await api('POST', '/digests', { name: 'open', webhook: 'http://hooks.example/', always: true })
  const { text, notes } = await api('GET', '/export')
  t.notMatch(text, /k3y/)
  t.match(notes, ['digest chat: the URL of its webhook is left out, but for the server'])
  t.same(await api('POST', '/apply', { text, prune: true }), { steps: [], left: [] })

  const other = await startSluice(join(dir, 'other'))
  t.teardown(() => other.close())
  const applied = await other.api('POST', '/apply', { text })
  const outcomes = applied.steps.map((one: { outcome: string }) => one.outcome)
  t.same(new Set(outcomes), new Set(['done']))
  t.match(applied.steps.at(-3), {
    object: 'digest chat',
    told: [/^switched off, the URL is not whole: sluice digest set chat --webhook URL --enable$/],
  })
  t.match(await other.api('GET', '/digests'), [
    { name: 'chat', enabled: false, schedule: '0 8 * * 1-5' },
    { name: 'morning', recipients, timeZone: 'Europe/Berlin', from: 'testing', enabled: true },
    { name: 'open', webhook: 'http://hooks.example', always: true, enabled: true },
  ])
  t.same(await other.api('POST', '/apply', { text }), { steps: [], left: [] })
  const tried = await other.api('POST', '/digests/chat/send', { always: true })
  t.match(tried.error, { message: 'of the webhook of digest chat only the server is known' })
  const enabled = await other.api('PATCH', '/digests/chat', { enabled: true })
  t.match(enabled.error, { code: 'ERR_USAGE' })
  await other.api('PATCH', '/digests/chat', { webhook: chat, enabled: true })
  t.same((await other.api('GET', '/export')).text, text)
  t.match(await other.api('POST', '/digests/chat/send', { always: true }), { isSent: true })
  t.match((await server.next()).call, { path: '/hooks/k3y' })
  t.match(await other.api('GET', '/audit?limit=1'), [{ what: 'digest send' }])
})

t.test('what a file says of digests is changed, and removed', async (t) => {
  const { sluice } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  const { api } = sluice
  await api('POST', '/digests', { name: 'morning', recipients, timeZone: 'UTC' })
  const { text } = await api('GET', '/export')
  const changed = text.replace('0 7 * * *', '30 6 * * 1-5').replace('chief@', 'boss@')
  const dry = await api('POST', '/apply', { text: changed, dryRun: true })
  t.match(dry.steps, [
    {
      action: 'change',
      object: 'digest morning',
      changes: [
        { what: 'goes to', before: recipients.join(' '), after: /boss@updates\.example$/ },
        { what: 'schedule', before: '0 7 * * *', after: '30 6 * * 1-5' },
      ],
    },
  ])
  t.match((await api('POST', '/apply', { text: changed, file: 'site.toml' })).steps, [
    { outcome: 'done' },
  ])
  t.match(await api('GET', '/audit?limit=1'), [{ what: 'digest set', why: 'apply site.toml' }])
  const secret = `${text}\n[digest.chat]\nfrom = "testing"\nto = "approved"\nwebhook = "http://c.example/1"`
  await api('POST', '/apply', { text: secret })
  const { steps } = await api('POST', '/apply', { text: secret.replace('/1"', '/2"') })
  t.match(steps, [
    { changes: [{ before: 'http://c.example/…', after: 'http://c.example/… (another URL)' }] },
  ])
  const pruned = await api('POST', '/apply', {
    text: text.slice(0, text.indexOf('[digest.')),
    prune: true,
  })
  t.match(pruned.steps, [
    { action: 'remove', object: 'digest chat' },
    { action: 'remove', object: 'digest morning' },
  ])
  t.same(await api('GET', '/digests'), [])
})

t.test('each fault is told with its line, and nothing is changed', async (t) => {
  const { sluice } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  const text = `[digest.a]
from = "nosuch"
to = "approved"
mail = ["admins@updates.example", "x y"]
[digest.b]
from = "approved"
to = "approved"
webhook = "ftp://t0ken"
schedule = "*/5 * * * *"
[digest.c]
from = "testing"
schedule = "daily"
time-zone = "Berlin"
colour = "red"
`
  const { error } = await sluice.api('POST', '/apply', { text })
  t.match(error, { code: 'ERR_USAGE' })
  t.match(error.details.faults, [
    { line: 2, message: 'there is no channel nosuch' },
    { line: 4, message: '"x y" is no address of mail' },
    { line: 7, message: 'nothing waits from approved for itself' },
    { line: 8, message: 'a webhook is an http or https URL without user and fragment' },
    { line: 9, message: /comes more than once an hour$/ },
    { line: 10, message: 'it needs to, the name of a channel' },
    { line: 10, message: /^it goes to mail/ },
    { line: 13, message: 'there is no time zone "Berlin"' },
    { line: 14, path: 'digest.c.colour' },
  ])
  t.notMatch(JSON.stringify(error), /t0ken/)
  t.same(await sluice.api('GET', '/digests'), [])
})
