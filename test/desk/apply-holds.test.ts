/**
 * Holds and declines are written down, and put back.
 */
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { startSluice } from '../support/sluice.ts'
import { makeWorld } from '../support/world.ts'

const pack = (name: string, version = '1'): PackageSpec => ({ name, version, arch: 'amd64' })
const DAY_MS = 24 * 3600_000

t.test('holds with their ends, and declines, come back on an empty server', async (t) => {
  const { sluice } = await makeWorld(t, [pack('hello'), pack('gtk+3.0')])
  const { api } = sluice
  const until = Date.now() + DAY_MS
  const held = { channel: 'approved', source: 'gtk+3.0', until, reason: 'till "then"' }
  await api('POST', '/holds', held)
  const declined = { channel: 'approved', source: 'hello', version: '1:2.0~rc1-1' }
  await api('POST', '/declines', { ...declined, reason: 'breaks our shop' })
  await api('POST', '/declines', { ...declined, version: '3-1' })
  const { text } = await api('GET', '/export')
  t.match(text, `until = ${new Date(until).toISOString()}\n`)
  t.match(text, '[decline.approved.hello."1:2.0~rc1-1"]\nreason = "breaks our shop"\n')
  t.same(await api('POST', '/apply', { text }), { steps: [], left: [] })

  const other = await startSluice(join(t.testdirName, 'other'))
  t.teardown(() => other.close())
  const applied = await other.api('POST', '/apply', { text, reason: 'moved' })
  t.match(
    applied.steps.map(({ object, outcome }: { object: string; outcome: string }) =>
      [outcome, object].join(' '),
    ),
    [
      'done archive nut',
      /nut/,
      'done channel testing',
      'done channel approved',
      'done hold of gtk+3.0 in approved',
      'done decline of hello 1:2.0~rc1-1 in approved',
      'done decline of hello 3-1 in approved',
    ],
  )
  t.equal((await other.api('GET', '/export')).text, text)
  t.match(await other.api('GET', '/audit?what=decline'), [
    { why: 'moved', detail: { version: '3-1' } },
    { why: 'moved', detail: { version: '1:2.0~rc1-1', reason: 'breaks our shop' } },
  ])

  const later = text.replace(/until = .*/, '').replace(/breaks our shop/, 'breaks all')
  t.match(await api('POST', '/apply', { text: later }), {
    steps: [
      { action: 'change', object: /^hold of gtk/, changes: [{ what: 'until', after: undefined }] },
      { action: 'change', changes: [{ what: 'reason', after: 'breaks all' }] },
    ],
  })
  t.match(await api('GET', '/holds'), [{ why: 'till "then"', until: undefined }])
  const old = text.replace(/until = .*/, 'until = 2020-01-01')
  t.same((await api('POST', '/apply', { text: old })).left, ['hold of gtk+3.0 in approved'])
  const pruned = text.replace(/\[decline\.approved\.hello\.3-1\]/, '').replace(/until = .*/, '')
  t.match(await api('POST', '/apply', { text: pruned, prune: true }), {
    steps: [{ action: 'remove', object: 'decline of hello 3-1 in approved', outcome: 'done' }],
  })
  const faulty = `${text}\n[decline.testing.hello.1]\n[decline.approved.hello."a b"]\n`
  const { error } = await api('POST', '/apply', { text: faulty })
  t.match(
    error.details.faults.map(({ message }: { message: string }) => message),
    [/channel testing follows its archives: it declines nothing/, '"a b" is no version'],
  )
})
