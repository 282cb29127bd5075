/**
 * What a configuration file does not name stays, unless it is said that it goes.
 */
import t from 'tap'
import { makeWorld, type World } from '../support/world.ts'

const heads = ['archive', 'channel', 'class', 'hold', 'decline', 'policy', 'digest']
const empty = heads.map((key) => `[${key}]\n`).join('')

async function fullWorld(t: Parameters<typeof makeWorld>[0]): Promise<World['sluice']['api']> {
  const { sluice } = await makeWorld(t, [{ name: 'hello', version: '1', arch: 'amd64' }])
  const { api } = sluice
  const schedule = '0 6 * * *'
  const pair = { from: 'testing', to: 'approved' }
  const made = [
    ['/channels', { name: 'web', base: 'approved' }],
    ['/channels', { name: 'web-lab', base: 'web' }],
    ['/classes', { name: 'shop', channel: 'web-lab' }],
    ['/holds', { channel: 'web', source: 'hello' }],
    ['/declines', { channel: 'approved', source: 'hello', version: '2' }],
    ['/policies', { name: 'night', ...pair, schedule, rules: ['after 7 days'] }],
    ['/digests', { name: 'm', ...pair, recipients: ['a@mail.example'], schedule, timeZone: 'UTC' }],
  ] as const
  for (const [path, body] of made) t.notOk((await api('POST', path, body)).error, path)
  return api
}

t.test('an empty file changes nothing, and pruned by it a server is empty', async (t) => {
  const api = await fullWorld(t)
  const before = await api('GET', '/export')
  const kept = await api('POST', '/apply', { text: empty })
  t.same(kept.steps, [])
  t.equal(kept.left.length, 10)
  t.same(await api('POST', '/apply', { text: '', prune: true }), { steps: [], left: [] })
  t.same(await api('GET', '/export'), before, 'a kind without its table is not touched')

  const dry = await api('POST', '/apply', { text: empty, prune: true, dryRun: true })
  t.equal(dry.steps.length, 8, 'holds and declines go with their channels')
  t.same(await api('GET', '/export'), before)
  const { steps } = await api('POST', '/apply', { text: empty, prune: true })
  t.same(
    steps.map(({ action, object, outcome }: Record<string, string>) =>
      [outcome, action, object].join(' '),
    ),
    [
      'done remove digest m',
      'done remove policy night',
      'done remove class shop',
      'done remove channel web-lab',
      'done remove channel web',
      'done remove channel testing',
      'done remove channel approved',
      'done remove archive nut',
    ],
  )
  const { text } = await api('GET', '/export')
  t.same(
    text.match(/^\[.*\]$/gm),
    heads.map((key) => `[${key}]`),
  )
})

t.test('what is needed by something that stays cannot be pruned, and that is told', async (t) => {
  const api = await fullWorld(t)
  const before = await api('GET', '/export')
  const { error } = await api('POST', '/apply', { text: '[archive]\n\n[channel]\n', prune: true })
  t.equal(error?.code, 'ERR_USAGE')
  t.match(error?.message, /class shop is on it/)
  const archives = await api('POST', '/apply', { text: '\n[archive]\n', prune: true })
  t.match(archives.error?.details?.faults, [{ line: 2, message: /channel testing follows it/ }])
  t.same(await api('GET', '/export'), before)
})
