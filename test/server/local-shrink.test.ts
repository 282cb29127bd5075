/**
 * What a local archive has packages in is not dropped from its settings by the way: they are taken out first, and can be
 * published again when it is back.
 */
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'

const app = (version: string, more: Partial<PackageSpec> = {}): PackageSpec => ({
  ...{ name: 'acme-app', version, arch: 'amd64', content: 2000, ...more },
})
const shape = {
  suites: ['stable', 'beta'],
  components: ['main', 'extra'],
  architectures: ['amd64', 'arm64'],
}

const shapeOf = (archive: { suites: readonly { suite: string }[] }): object => ({
  ...archive,
  suites: archive.suites.map(({ suite }) => suite),
})

async function names({ sluice }: LocalBed, place: string): Promise<string[]> {
  const path = `/channels/testing/internal/dists/${place}/Packages.gz`
  const answer = await fetch(`${sluice.url}${path}`)
  const text = gunzipSync(await answer.arrayBuffer()).toString()
  return [...text.matchAll(/^Package: (.+)$/gm)].map(([, name = '']) => name)
}

t.test('a suite, component or architecture that has packages stays', async (t) => {
  const bed = await makeLocalBed(t, shape)
  const { publish, settle, sluice } = bed
  const { api } = sluice
  await publish(app('1.0', { name: 'acme-beta' }), '?suite=beta')
  for (const version of ['1.0', '1.1'])
    await publish(app(version, { name: 'acme-extra' }), '?suite=stable&component=extra')
  await publish(app('1.0', { name: 'acme-arm', arch: 'arm64' }), '?suite=stable')
  await publish(app('1.0', { name: 'acme-all', arch: 'all' }), '?suite=stable')
  await settle()
  const set = (change: object) => api('PATCH', '/archives/internal', change)
  const all = [
    [{ suites: ['stable'] }, 'suite beta of internal still has acme-beta 1.0', 'acme-beta'],
    [
      { components: ['main'] },
      'component extra of internal still has acme-extra 1.0 and 1 more',
      'acme-extra',
    ],
    [
      { architectures: ['amd64'] },
      'architecture arm64 of internal still has acme-arm 1.0',
      'acme-arm',
    ],
  ] as const
  for (const [change, message, name] of all) {
    t.match((await set(change)).error, {
      ...{ code: 'ERR_REFUSED', message },
      hint: `take out what is there first: sluice unpublish ${name} --from internal`,
    })
  }
  t.match(shapeOf(await api('GET', '/archives/internal')), shape)
  const { text } = await api('GET', '/export')
  const smaller = text.replace(/^suites = .*$/m, 'suites = ["stable"]')
  t.not(smaller, text)
  t.match((await api('POST', '/apply', { text: smaller, dryRun: true })).error, {
    message: /suite beta of internal still has acme-beta 1.0/,
  })

  for (const [change, , name] of all) {
    t.match(await api('POST', '/archives/internal/unpublish', { package: name }), {
      removed: Array,
    })
    t.match(shapeOf(await set(change)), change)
  }
  t.match(shapeOf(await set(shape)), shape)
  const again = await publish(app('1.0', { name: 'acme-extra' }), '?suite=stable&component=extra')
  t.match(again, { published: { outcome: 'published' } })
  await publish(app('1.0', { name: 'acme-beta' }), '?suite=beta')
  await settle()
  t.same(await names(bed, 'stable/extra/binary-amd64'), ['acme-extra'])
  t.same(await names(bed, 'stable/main/binary-arm64'), ['acme-all'])
  t.same(await names(bed, 'beta/main/binary-amd64'), ['acme-beta'])
})
