/**
 * `kill -9` at every step of applying a configuration: applied again it ends as if nothing had happened, and odd texts come
 * through all of it.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { seededRandom } from '../support/index-parts.ts'
import { seedOr } from '../support/seed.ts'
import { startSluice } from '../support/sluice.ts'
import { startProcess } from '../support/sluice-process.ts'
import { makeWorld, type World } from '../support/world.ts'

const isSoak = process.env.SOAK === '1'
/** Kills in `npm test`: as many, spread over all that happens. */
const KILLS = isSoak ? Number.POSITIVE_INFINITY : 4

const odd = `"quoted" 'and' \\ back\n\ttab, '''three''', """three""", ünïcödé 🙂 \u2028 \u0007 # no comment\n\n`

/** A configuration of all kinds. */
async function configured({ sluice, key, upstream }: World): Promise<string> {
  const { api } = sluice
  const keyring = await readFile(key.publicAsc, 'utf8')
  const settings = { suites: ['stable'], components: ['main'], architectures: ['amd64'], keyring }
  const mail = { recipients: ['a@mail.example'], schedule: '0 7 * * *', timeZone: 'UTC' }
  const made: readonly (readonly [string, object])[] = [
    ['/archives', { name: 'more+2.0', urls: [`${upstream.url}/`], ...settings, rescue: false }],
    ['/archives/refresh', {}],
    ['/channels', { name: 'all', follow: ['more+2.0', 'nut'] }],
    ['/channels', { name: 'a.web', base: 'approved', follow: ['more+2.0'] }],
    ['/channels', { name: 'copy', from: 'a.web' }],
    ['/classes', { name: 'shop', channel: 'a.web' }],
    ['/holds', { channel: 'approved', source: 'gtk+3.0', reason: odd }],
    ['/holds', { channel: 'a.web', source: 'hello', until: Date.now() + 1e9 }],
    ['/declines', { channel: 'approved', source: 'hello', version: '1:2~rc1+b', reason: odd }],
    [
      '/policies',
      {
        ...{ name: 'night-1.0', from: 'all', to: 'approved', schedule: '0 6 * * 1-5' },
        ...{ timeZone: 'Europe/Berlin', enabled: false, rules: ['gtk* never', 'after 7 days'] },
        freezes: ['2026-12-20 to 2027-01-06 except security: "holidays": ünïcödé \\ all'],
      },
    ],
    ['/digests', { name: 'morning', from: 'testing', to: 'approved', ...mail }],
  ]
  for (const [path, body] of made) {
    const { error } = await api('POST', path, body)
    if (error !== undefined) throw new Error(`${path}: ${error.message}`)
  }
  const kept = { keepGenerations: 50, keepDays: 20, keepPhasing: true }
  await api('PATCH', '/channels/approved', kept)
  return (await api('GET', '/export')).text
}

if (isSoak) t.setTimeout(3_600_000)
t.test('an apply that is killed anywhere is finished by the next one', async (t) => {
  const world = await makeWorld(t, [
    { name: 'hello', version: '1', arch: 'amd64' },
    { name: 'gtk+3.0', version: '1', arch: 'amd64' },
  ])
  const text = await configured(world)
  const body = { text, file: 'site.toml' }
  const place = (name: string | number): string => join(world.dir, `other-${name}`)

  const first = await startProcess(t, place('whole'), `trace:${join(world.dir, 'trace')}`)
  if (!('api' in first)) throw new Error(first.text)
  const before = await points(world.dir)
  const { steps, error } = await first.api('POST', '/apply', body)
  const all = await points(world.dir)
  t.same(error, undefined)
  t.same(
    steps.filter(({ outcome }: { outcome: string }) => outcome !== 'done'),
    [],
  )
  t.equal((await first.api('GET', '/export')).text, text, 'odd texts come back as they were')
  t.same(await first.api('POST', '/apply', body), { steps: [], left: [] })
  const told = await auditOf(first)
  await first.stop()
  const span = all - before
  const random = seededRandom(seedOr(process.env.SEED))
  const nths = Array.from({ length: Math.min(KILLS, span) }, (_, at) => {
    return before + 1 + Math.floor(((at + random()) * span) / Math.min(KILLS, span))
  })
  t.comment(`${span} crash points, killed at ${nths.join(', ')}`)
  for (const nth of nths) {
    const dying = await startProcess(t, place(nth), `kill:${nth}`)
    if ('api' in dying) {
      await dying.api('POST', '/apply', body).catch(() => undefined)
      await dying.stop('SIGKILL')
    }
    const next = await startSluice(place(nth), { flags: { 'log-level': 'silent' } })
    const applied = await next.api('POST', '/apply', body)
    const failed = applied.steps?.filter(({ outcome }: { outcome: string }) => outcome !== 'done')
    t.same(failed, [], `killed at ${nth}: the rest is done`)
    t.equal((await next.api('GET', '/export')).text, text, `killed at ${nth}: all is there`)
    t.same(await next.api('POST', '/apply', body), { steps: [], left: [] })
    t.same(await auditOf(next), told, `killed at ${nth}: each step is in the audit once`)
    await next.close()
  }
})

async function points(dir: string): Promise<number> {
  return (await readFile(join(dir, 'trace'), 'utf8')).split('\n').length - 1
}

/** What was done, besides signing anew and what the server does by itself. */
async function auditOf({ api }: Pick<World['sluice'], 'api'>): Promise<string[]> {
  const rows: { who: string; what: string; object: string }[] = await api(
    'GET',
    '/audit?limit=1000',
  )
  return rows
    .filter(({ who }) => who !== 'system')
    .map(({ what, object }) => `${what} ${object}`)
    .sort()
}
