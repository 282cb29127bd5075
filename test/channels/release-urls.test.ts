/**
 * What Releases tell apt of the server: snapshots, by the template as apt 3.1 fills it in, and changelogs. The apt of this
 * machine must not mind either.
 */
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { snapshotId } from '../../src/channels/generation-name.ts'
import { startSluice } from '../support/sluice.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const hello = (version: string): PackageSpec => ({ name: 'hello', version, arch: 'amd64' })
const named = 'http://updates.archive.example:3142'

async function fieldsOf(url: string): Promise<Record<string, string | undefined>> {
  const text = await (await fetch(`${url}/dists/stable/Release`)).text()
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: (.+)$`, 'm').exec(text)?.[1]
  return { snapshots: field('Snapshots'), changelogs: field('Changelogs') }
}

/**
 * The URI of a source line at a snapshot: apt 3.1 puts the ID in, then the path of the line (without slashes at its ends),
 * and adds `dists/` and the suite with nothing between.
 */
function snapshotUri(template: string, id: string, line: string): string {
  const path = new URL(line).pathname.replace(/^\//, '').replace(/\/$/, '')
  return template.replaceAll('@SNAPSHOTID@', id).replaceAll('@PATH@', path)
}

t.test(
  'without a URL in the settings there are no snapshots, and no changelogs of others',
  async (t) => {
    const { sluice } = await makeWorld(t, [hello('1')])
    t.same(await fieldsOf(`${sluice.url}/channels/approved/nut`), {
      snapshots: 'no',
      changelogs: `${sluice.url}/changelogs/nut/@CHANGEPATH@_changelog`,
    })
  },
)

t.test('with one, the template leads to the generation, by serial and by time', async (t) => {
  const { sluice, publish, machine } = await makeWorld(t, [hello('1')], {
    start: { flags: { 'public-url': `${named}/` } },
  })
  await publish([hello('2')])
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/classes', { name: 'lab', channel: 'approved' })
  const first = snapshotId(Date.now())
  while (snapshotId(Date.now()) === first);
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  while ((await sluice.api('GET', '/classes/lab')).head < 2);
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean, 'an apt that does not know the field')
  for (const path of ['channels/approved', 'class/lab']) {
    const line = `${named}/${path}/nut`
    const { snapshots = '', changelogs } = await fieldsOf(line.replace(named, sluice.url))
    t.equal(changelogs, `${named}/changelogs/nut/@CHANGEPATH@_changelog`, path)
    for (const id of ['1', first]) {
      const uri = snapshotUri(snapshots, id, line)
      t.equal(uri, `${named}/${path}@${id}/nut/`)
      const url = `${uri}dists/stable/InRelease`.replace(named, sluice.url)
      const old = await (await fetch(url)).text()
      t.match(old, /^-----BEGIN PGP SIGNED MESSAGE-----/)
      t.not(old, await (await fetch(url.replace(`@${id}`, ''))).text())
    }
  }
  const keyPath = `${apt.dir}/sluice.asc`
  const uri = snapshotUri('@PATH@@@SNAPSHOTID@/', first, `${named}/channels/approved/`)
  await apt.setSources(`deb [signed-by=${keyPath}] ${sluice.url}/${uri}nut/ stable main`)
  t.same(troubles(await apt.update()), clean)
  t.equal((await apt.policy('hello')).candidate, '1')
})

t.test('another URL in the settings is told by Releases that are signed anew', async (t) => {
  const { sluice } = await makeWorld(t, [hello('1')])
  const { dataDir } = sluice
  await sluice.close()
  const again = await startSluice(dataDir, { flags: { 'public-url': named } })
  t.teardown(() => again.close())
  while ((await again.api('GET', '/channels/approved')).head < 2);
  const { snapshots } = await fieldsOf(`${again.url}/channels/approved/nut`)
  t.equal(snapshots, `${named}/channels/approved@@SNAPSHOTID@/nut/`)
  t.match(await again.api('GET', '/channels/approved/history'), [
    { kind: 're-sign', why: 'the address of the server has changed', changes: [] },
    { kind: 'create' },
  ])
  await again.close()
  const last = await startSluice(dataDir)
  t.teardown(() => last.close())
  t.match(
    await last.api('GET', '/channels/approved'),
    { head: 2 },
    'one that is found out comes and goes',
  )
})
