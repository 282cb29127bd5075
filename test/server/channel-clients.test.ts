/**
 * Which machines took a channel, and which of them have not what it holds now: with real apts, over a restart, and no
 * longer than promised.
 */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { runSluice } from '../support/program.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const DAY_MS = 24 * 3600 * 1000
const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })

async function seen(sluice: TestSluice, channel: string): Promise<string[]> {
  const { clients } = await sluice.api('GET', `/channels/${encodeURIComponent(channel)}/clients`)
  return clients.map(
    (one: Record<string, unknown>) =>
      `${one.address} ${one.archive} ${one.suite} ${one.serial}${one.isPinned ? ' by name' : ''}${one.isBehind ? ' behind' : ''}`,
  )
}

t.test('a machine is seen with what it took, until it takes the next', async (t) => {
  const { sluice, publish, machine } = await makeWorld(t, [hello('1')])
  t.same(await seen(sluice, 'approved'), [])
  t.match(await sluice.api('GET', '/channels/approved'), { clients: { clients: 0, behind: 0 } })
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.same(await seen(sluice, 'approved'), ['127.0.0.1 nut stable 1'])
  const first = await sluice.api('GET', '/channels/approved/clients')
  t.match(first, { channel: 'approved', head: 1, clients: [{ agent: /^apt \d+\.\d+/ }] })

  await publish([hello('2')])
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  t.same(await seen(sluice, 'approved'), ['127.0.0.1 nut stable 1 behind'])
  t.match(await sluice.api('GET', '/channels/approved'), { clients: { clients: 1, behind: 1 } })
  t.same(troubles(await apt.update()), clean)
  t.same(await seen(sluice, 'approved'), ['127.0.0.1 nut stable 2'])
  t.same(troubles(await apt.update()), clean)
  const later = await sluice.api('GET', '/channels/approved/clients')
  t.ok(later.clients[0].seenAt > first.clients[0].seenAt, '304 counts too')
  t.same(await seen(sluice, 'testing'), [], 'nobody took that')

  await sluice.api('POST', '/channels/approved/rollback', { to: '1' })
  t.same(await seen(sluice, 'approved'), ['127.0.0.1 nut stable 2 behind'])
  await sluice.api('POST', '/channels/approved/rollback', { to: '2' })
  t.same(
    await seen(sluice, 'approved'),
    ['127.0.0.1 nut stable 2'],
    'it holds again what the machine has',
  )

  const old = await machine('old', 'approved@1')
  t.same(troubles(await old.update()), clean)
  t.same((await seen(sluice, 'approved')).sort(), [
    '127.0.0.1 nut stable 1 by name',
    '127.0.0.1 nut stable 2',
  ])
  t.match(await sluice.api('GET', '/channels/approved'), {
    clients: { clients: 1, behind: 0, pinned: 0 },
  })
})

t.test('classes have their own, and a command tells them', async (t) => {
  const { sluice, publish } = await makeWorld(t, [hello('1')])
  await sluice.api('POST', '/classes', { name: 'lab', channel: 'approved' })
  const release = `${sluice.url}/class/lab/nut/dists/stable/InRelease`
  await (
    await fetch(release, {
      headers: { 'User-Agent': 'odd\u00e9 agent '.repeat(9), 'X-Forwarded-For': '192.0.2.7' },
    })
  ).text()
  t.same(await seen(sluice, 'class/lab'), ['127.0.0.1 nut stable 1'], 'no header says who it is')
  t.same(await seen(sluice, 'approved'), [])
  const run = async (...args: string[]): Promise<string> =>
    (await runSluice(['--data', sluice.dataDir, 'channel', 'clients', ...args])).stdout
  t.match(
    await run('class/lab'),
    /^127\.0\.0\.1 +nut +stable +1 +ok +20.* odd\? agent odd\? agent/m,
  )
  t.equal(
    await run('class/lab', '--behind'),
    'all machines that took class/lab in the last 30 days have what it holds now\n',
  )
  await publish([hello('2')])
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  while ((await sluice.api('GET', '/classes/lab')).head < 2);
  t.match(
    await run('class/lab', '--behind'),
    /^127\.0\.0\.1 .* behind [\s\S]*^1 machine; class\/lab is at generation 2$/m,
  )
  const { stdout } = await runSluice(['--data', sluice.dataDir, 'class', 'show', 'lab'])
  t.match(stdout, /^clients +1 in the last 7 days, 1 behind the head$/m)
  t.equal((await sluice.api('GET', '/channels/none/clients')).error.code, 'ERR_NOT_FOUND')
})

t.test('only a Release that was sent counts', async (t) => {
  const { sluice } = await makeWorld(t, [hello('1')])
  const base = `${sluice.url}/channels/approved/nut/dists/stable`
  await fetch(`${base}/InRelease`, { method: 'HEAD' })
  for (const path of ['Release.gpg', 'main/binary-amd64/Packages.gz', 'nothing'])
    await (await fetch(`${base}/${path}`)).text()
  await (await fetch(`${sluice.url}/channels/approved/key.asc`)).text()
  t.same(await seen(sluice, 'approved'), [])
  await (await fetch(`${base}/Release`)).text()
  t.same(await seen(sluice, 'approved'), ['127.0.0.1 nut stable 1'])
  await sluice.api('DELETE', '/channels/approved')
  await sluice.api('POST', '/channels', { name: 'approved', from: 'testing' })
  t.same(await seen(sluice, 'approved'), [], 'a new channel of the name is another one')
})

t.test('what was seen outlives the server, and is forgotten after 30 days', async (t) => {
  const clock = createTestClock(40 * DAY_MS)
  const made = new Date(Date.now() - 41 * DAY_MS)
  const { sluice } = await makeWorld(t, [hello('1')], {
    publish: { date: made, sign: { signedAt: made } },
    key: { createdAt: new Date(Date.now() - 42 * DAY_MS) },
    start: { clock },
  })
  await (await fetch(`${sluice.url}/channels/approved/nut/dists/stable/InRelease`)).text()
  await sluice.close()
  const again = await startSluice(sluice.dataDir, { clock })
  t.teardown(() => again.close())
  t.same(await seen(again, 'approved'), ['127.0.0.1 nut stable 1'])
  clock.advance(8 * DAY_MS)
  t.match(
    await again.api('GET', '/channels/approved'),
    { clients: { clients: 0 } },
    'not in 7 days',
  )
  t.equal((await seen(again, 'approved')).length, 1)
  clock.advance(23 * DAY_MS)
  t.same(await seen(again, 'approved'), [])
  await again.close()
  const last = await startSluice(sluice.dataDir, { clock })
  await last.close()
  const file = new Database(join(sluice.dataDir, 'sluice.db'), { readonly: true })
  t.same(file.prepare('SELECT count(*) AS count FROM client_seen').get(), { count: 0 })
  file.close()
})
