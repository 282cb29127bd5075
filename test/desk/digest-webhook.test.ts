/**
 * Webhooks: calls are signed with a secret that nobody else may read, to servers that are verified; neither the secret nor the
 * URL stands in an answer, log, audit or export.
 */
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeBed, secret, secrets, sendFrom } from '../support/digest-bed.ts'
import { makeCertificate } from '../support/digest-world.ts'
import { startPython } from '../support/python-server.ts'
import { testDir } from '../support/test-dir.ts'

t.test('calls are signed with the secret, which nobody else may read', async (t) => {
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
  const place = testDir(t, { ca: {} })
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
