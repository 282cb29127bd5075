/** What the server did, as metrics, figures and headers tell it: after real apt fetched real files through it. */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { runSluice } from '../support/program.ts'
import { startSluice } from '../support/sluice.ts'
import { createTestClock } from '../support/test-clock.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 300_000 }

/** Samples by name and labels, as Prometheus would read them. */
async function samplesOf(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ')
        return [line.slice(0, at), Number(line.slice(at + 1))] as const
      }),
  )
}

t.test('what was sent, fetched and saved is counted, and outlives the server', async (t) => {
  const { dir, sluice, machine, upstream } = await makeWorld(t, [hello])
  upstream.clearRequests()
  for (const name of ['first', 'second']) {
    const apt = await machine(name, 'approved')
    t.same(troubles(await apt.update()), clean)
    t.same(troubles(await apt.download('hello')), clean)
  }
  t.equal(upstream.count(/hello_1_amd64\.deb$/), 1)
  const { traffic, archives } = await sluice.api('GET', '/stats')
  t.equal(archives.nut.today.misses, 1, 'the package was fetched once')
  t.ok(archives.nut.today.hits >= 4, 'and came from here for the others, as all indexes did')
  t.equal(archives.nut.today.fetchedBytes, traffic.ever.fetchedBytes)
  t.ok(traffic.today.fetchedBytes > upstream.bytes(), 'indexes were fetched before')
  t.ok(traffic.today.sentBytes > 2 * 300_000)
  t.equal(traffic.today.savedBytes, traffic.today.sentBytes - traffic.today.fetchedBytes)
  t.same(traffic.today, traffic.week)

  await sluice.close()
  const again = await startSluice(join(dir, 'var'))
  t.teardown(() => again.close())
  const later = await again.api('GET', '/stats')
  t.same(later.traffic.ever, traffic.ever)
  t.same(later.files, { hit: 0, miss: 0, pass: 0 }, 'these are since the start')
  const lines = (await runSluice(['--data', join(dir, 'var'), 'stats'])).stdout
  t.match(lines, /^WHAT +TODAY +7 DAYS +ALL TIME\nfiles sent .*\nof them from here .* %/m)
  t.match(lines, /^ARCHIVE, 7 DAYS +FILES +FROM HERE +SENT +FETCHED +SAVED\nnut /m)
  t.match(lines, /^store file bytes +\d/m)
})

t.test('days have rows for five weeks, then they are one', async (t) => {
  const clock = createTestClock()
  const { sluice, machine } = await makeWorld(t, [hello], { start: { clock } })
  const apt = await machine('one', 'approved')
  await apt.update()
  const { traffic } = await sluice.api('GET', '/stats')
  for (const [days, isThisWeek] of [
    [3, true],
    [10, false],
    [60, false],
  ] as const) {
    clock.advance(days * 24 * 3600_000)
    await fetch(`${sluice.url}/channels/approved/nut/dists/stable/InRelease`)
    const later = (await sluice.api('GET', '/stats')).traffic
    t.equal(later.today.hits, 1)
    t.equal(later.week.hits > 1, isThisWeek)
    t.ok(later.ever.hits > traffic.ever.hits)
  }
  const database = new Database(join(sluice.dataDir, 'sluice.db'), { readonly: true })
  const rows = database.prepare<[], { day: string }>('SELECT day FROM traffic').all()
  database.close()
  t.equal(new Set(rows.map(({ day }) => day)).size, 2, 'today, and all that is older')
})

t.test('metrics tell how each host of an archive does', async (t) => {
  const { sluice, upstream, machine } = await makeWorld(t, [hello])
  const host = new URL(upstream.url).host
  const apt = await machine('one', 'approved')
  await apt.update()
  upstream.fault(/\.deb$/, { kind: 'flip', offset: 5 }, { times: 1 })
  await apt.download('hello')
  const good = await samplesOf(sluice.url)
  t.equal(good.get(`sluice_upstream_up{host="${host}"}`), 1)
  t.equal(good.get(`sluice_mismatches_total{host="${host}"}`), 1)
  t.ok((good.get(`sluice_upstream_bytes_total{host="${host}"}`) ?? 0) > 300_000)
  t.ok((good.get(`sluice_upstream_requests_total{host="${host}",outcome="ok"}`) ?? 0) >= 2)
  const count = good.get(`sluice_upstream_answer_seconds_count{host="${host}"}`)
  t.equal(good.get(`sluice_upstream_answer_seconds_bucket{host="${host}",le="+Inf"}`), count)
  t.ok((good.get('sluice_room_bytes{what="files"}') ?? 0) >= 300_000)
  t.ok((good.get('sluice_room_bytes{what="free"}') ?? 0) > 0)
  t.equal(good.get('sluice_evicted{what="files"}'), 0)
  t.ok((good.get('sluice_file_bytes_total{outcome="hit"}') ?? 0) > 0)
  upstream.fault(/./, { kind: 'close' })
  await sluice.api('POST', '/archives/refresh')
  const bad = await samplesOf(sluice.url)
  const lines = (await runSluice(['--data', sluice.dataDir, 'stats'])).stdout
  t.match(lines, /^HOST, SINCE THE START +IS +ANSWERS IN +GOOD +FAILED +WRONG FILES +FETCHED$/m)
  t.match(lines, new RegExp(`^${host} +down +[\\d.]+ s +\\d+ +[1-9]\\d* +1 +\\d`, 'm'))
  t.equal(bad.get(`sluice_upstream_up{host="${host}"}`), 0)
  t.ok((bad.get(`sluice_upstream_requests_total{host="${host}",outcome="unreachable"}`) ?? 0) >= 1)
})

t.test('Age is since upstream last said that this is what it has', async (t) => {
  const clock = createTestClock()
  const world = await makeWorld(t, [hello], { start: { clock } })
  const { sluice, upstream } = world
  const path = `/${new URL(upstream.url).host}/dists/stable/InRelease`
  const age = async (): Promise<number> => {
    const answer = await fetch(sluice.url + path)
    await answer.arrayBuffer()
    t.equal(answer.headers.get('x-cache'), 'HIT')
    return Number(answer.headers.get('age') ?? Number.NaN)
  }
  const isAbout = (seconds: number, wanted: number, why = ''): void => {
    t.ok(seconds >= wanted && seconds < wanted + 30, why)
  }
  isAbout(await age(), 0)
  clock.advance(90_000)
  isAbout(await age(), 90)
  await sluice.api('POST', '/archives/refresh')
  isAbout(await age(), 0, 'nothing changed, and that was confirmed')
  upstream.fault(/./, { kind: 'status', status: 503 })
  clock.advance(600_000)
  await sluice.api('POST', '/archives/refresh')
  isAbout(await age(), 600, 'nobody confirmed it now')
  const ours = await fetch(`${sluice.url}/channels/approved/nut/dists/stable/InRelease`)
  t.equal(ours.headers.get('age'), null, 'of channels this server is the origin')
})
