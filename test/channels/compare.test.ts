/**
 * How generations differ, and where packages were, told as an administrator looks for it.
 */
import { readFile } from 'node:fs/promises'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { parsePattern } from '../../src/channels/package-pattern.ts'
import type { PackageRun } from '../../src/channels/search.ts'
import { makeWorld, type World } from '../support/world.ts'

const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }

/** A binary of the source `lib`. */
function lib(name: string, version: string, more: Partial<PackageSpec> = {}): PackageSpec {
  return { name, version, arch: 'amd64', source: 'lib', ...more }
}

async function publish(world: World, packages: readonly PackageSpec[]): Promise<void> {
  await world.publish(packages)
  await world.sluice.api('POST', '/archives/refresh')
}

t.test('a difference is told by source, by binary package and by field', async (t) => {
  const world = await makeWorld(t, [
    lib('libold1', '1', { depends: 'libc6 (>= 2.34), zlib1g' }),
    lib('lib-tools', '1', { depends: 'libold1 (= 1),\n zlib1g', content: 1000 }),
    lib('lib-doc', '1', { arch: 'all' }),
    other,
  ])
  await publish(world, [
    lib('libnew2', '2'),
    lib('lib-tools', '2', {
      depends: 'zlib1g, libnew2 (= 2)',
      content: 5000,
      fields: { Homepage: 'x' },
    }),
    lib('lib-doc', '2', { arch: 'all' }),
    { ...other, variant: 'rebuilt' },
  ])
  const plain = await world.sluice.api('GET', '/diff?from=approved&to=testing')
  t.match(plain.changes, [
    { source: 'lib', old: ['1'], new: ['2'] },
    { source: 'other', old: ['1'], new: ['1'] },
  ])
  t.same(
    plain.changes[0].packages,
    [
      { package: 'lib-doc', architecture: 'all', old: '1', new: '2' },
      { package: 'lib-tools', architecture: 'amd64', old: '1', new: '2' },
      { package: 'libnew2', architecture: 'amd64', new: '2' },
      { package: 'libold1', architecture: 'amd64', old: '1' },
    ],
    'a package of all architectures once',
  )
  const { changes } = await world.sluice.api('GET', '/diff?from=approved&to=testing&fields=true')
  const [doc, tools, added] = changes[0].packages
  t.same(doc.fields, [], 'nothing but the version')
  t.match(tools.fields, [
    { field: 'Installed-Size', old: '9', new: '13' },
    { field: 'Depends', old: /^libold1 \(= 1\),\s+zlib1g$/, new: 'zlib1g, libnew2 (= 2)' },
    { field: 'Homepage', new: 'x' },
  ])
  t.equal(tools.fields.length, 3)
  t.equal(added.fields, undefined)
  t.same(changes[1].packages[0].fields, [], 'a rebuild: the same fields, another file')
})

t.test('what only one side has is told as a suite, and classes can be compared', async (t) => {
  const { sluice, upstream, key } = await makeWorld(t, [lib('lib1', '1'), other])
  const keyring = await readFile(key.publicAsc, 'utf8')
  const more = { urls: [upstream.url], suites: ['stable'], components: ['main'], keyring }
  await sluice.api('POST', '/archives', { name: 'more', ...more, architectures: ['amd64'] })
  await sluice.api('POST', '/archives/more/refresh')
  await sluice.api('PATCH', '/channels/testing', { follow: ['nut', 'more'] })
  const difference = await sluice.api('GET', '/diff?from=approved&to=testing')
  t.match(difference, {
    changes: [],
    loneSuites: [{ archive: 'more', suite: 'stable', side: 'to', packages: 2 }],
  })
  await sluice.api('POST', '/classes', { name: 'lab', channel: 'approved' })
  t.match(await sluice.api('GET', '/diff?from=class/lab@1&to=testing'), {
    from: { channel: 'class/lab', serial: 1 },
    loneSuites: [{ archive: 'more' }],
  })
})

t.test(
  'a search tells since when and until when, by binary or source, whole or in part',
  async (t) => {
    const world = await makeWorld(t, [
      lib('lib1', '1'),
      lib('lib-doc', '1', { arch: 'all' }),
      other,
    ])
    const { sluice } = world
    await publish(world, [lib('lib2', '2'), lib('lib-doc', '2', { arch: 'all' }), other])
    await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
    await sluice.api('POST', '/channels/approved/rollback', { to: '1' })
    const runs = async (query: string): Promise<string[]> => {
      const found = await sluice.api('GET', `/search/history?${query}`)
      return found.map(
        (one: PackageRun) =>
          `${one.channel} ${one.package} ${one.version} ${one.since.serial}-${one.until.replacedAt === undefined ? 'now' : one.until.serial}`,
      )
    }
    t.same(await runs('name=lib1'), [
      'testing lib1 1 1-1',
      'approved lib1 1 3-now',
      'approved lib1 1 1-1',
    ])
    t.same(await runs('name=lib2&channel=approved'), ['approved lib2 2 2-2'])
    t.same(
      (await runs('name=lib&channel=approved')).sort(),
      [
        'lib-doc 1 1-1',
        'lib-doc 1 3-now',
        'lib-doc 2 2-2',
        'lib1 1 1-1',
        'lib1 1 3-now',
        'lib2 2 2-2',
      ].map((one) => `approved ${one}`),
      'by the source',
    )
    t.same(await runs('name=*er&channel=approved'), ['approved other 1 1-now'])
    t.same(await runs('name=other'), ['testing other 1 1-now', 'approved other 1 1-now'])
    t.same(await runs('name=none*'), [])
    const now = await sluice.api('GET', '/search?name=l*1')
    t.match(now, [{ channel: 'approved', serial: 3, package: 'lib1', architecture: 'amd64' }])
    t.equal(now.length, 1)
    t.equal((await sluice.api('GET', '/search?name=a%25')).error.code, 'ERR_USAGE')
    t.equal(
      (await sluice.api('GET', '/search/history?name=a&channel=x')).error.code,
      'ERR_NOT_FOUND',
    )
  },
)

t.test('a pattern matches names as a shell does', async (t) => {
  const names = ['a', 'lib', 'libc6', 'libc6-dev', 'libstdc++6', 'zlib1g']
  const matched = (text: string): string[] =>
    names.filter((name) => parsePattern(text).matches(name))
  t.same(matched('lib*'), ['lib', 'libc6', 'libc6-dev', 'libstdc++6'])
  t.same(matched('*lib*'), ['lib', 'libc6', 'libc6-dev', 'libstdc++6', 'zlib1g'])
  t.same(matched('lib*6'), ['libc6', 'libstdc++6'])
  t.same(matched('libstdc++*'), ['libstdc++6'])
  t.same(matched('lib.6'), [])
  t.same(matched('*'), names)
  const pattern = parsePattern('lib*')
  t.ok(pattern.mayLieIn('a', 'lib'))
  t.ok(pattern.mayLieIn('libz', 'mawk'))
  t.notOk(pattern.mayLieIn('a', 'li'))
  t.notOk(pattern.mayLieIn('lic', 'z'))
  for (const wrong of ['', ' ', 'a b', '-a', 'a%', 'a'.repeat(201)])
    t.throws(() => parsePattern(wrong), { code: 'ERR_USAGE' }, JSON.stringify(wrong))
})
