/**
 * `sluice publish` as one types it: what it prints, how it ends, and what is in the archive then.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { buildDeb, type PackageSpec } from '../../fixtures/debs.ts'
import { buildUpload } from '../../fixtures/uploads.ts'
import { runSluice } from '../support/program.ts'
import { startSluice, type TestSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'

t.test('an archive is made, followed and filled by three commands', async (t) => {
  const { sluice, type, build } = await makeBed(t)
  const made = await type('archive', 'create', 'internal', '--arch', 'amd64')
  t.match(made, { code: 0, stdout: /^archive internal made, empty: stable, main, amd64\n/ })
  const next = /let a channel follow it: sluice (.*)\n/.exec(made.stdout)?.[1] ?? ''
  t.equal(next, 'channel create testing --follow internal')
  t.equal((await type(...next.split(' '))).code, 0)
  const file = await build({ name: 'acme-app', version: '1:1.0', arch: 'all' })
  const published = await type('publish', file, '--to', 'internal', '--reason', 'first')
  t.match(published, {
    code: 0,
    stdout: /^published {2}acme-app 1:1\.0 all {2}stable main {2}\d+ B\ntesting generation 2\n$/,
    stderr: '',
  })
  t.match(await sluice.api('GET', '/audit?object=archive'), [
    { what: 'publish', why: 'first', who: 'admin', object: 'archive internal suite stable' },
    { what: 'archive add' },
  ])
  t.match((await type('archive', 'list')).stdout, /^internal\s.*\s1\s.*\sok$/m)
  t.match((await type('archive', 'show', 'internal')).stdout, /uploads/)
})

t.test(
  'the same file again changes nothing, other bytes of the same version are refused',
  async (t) => {
    const { type, build } = await makeBed(t)
    await type('archive', 'create', 'internal', '--arch', 'amd64')
    const app = { name: 'acme-app', version: '1.0', arch: 'amd64' }
    const file = await build(app)
    t.match(await type('publish', file, '--to', 'internal'), {
      code: 0,
      stdout: /no channel has it yet: sluice channel create NAME --follow internal/,
    })
    t.match(await type('publish', file, '--to', 'internal'), {
      code: 0,
      stdout: /^known {6}acme-app 1\.0 amd64 .* the same bytes: nothing changed\n$/,
    })
    const other = await build({ ...app, content: 100 }, 'other')
    const refused = await type('publish', other, '--to', 'internal')
    t.equal(refused.code, 1)
    t.match(
      refused.stderr,
      /acme-app_1\.0_amd64\.deb: acme-app 1\.0 was published to internal as another/,
    )
    t.match(refused.stderr, /hint: raise the version/)
    const next = await build({ ...app, version: '1.1' })
    const both = await type('--json', 'publish', other, next, '--to', 'internal')
    t.equal(both.code, 3, 'done in part')
    t.match(JSON.parse(both.stdout), {
      packages: [
        { packages: [], error: { code: 'ERR_CONFLICT' } },
        { packages: [{ version: '1.1', outcome: 'published' }] },
      ],
    })
  },
)

t.test('what breaks machines is told, and kept out by nobody', async (t) => {
  const { type, build } = await makeBed(t)
  await type('archive', 'create', 'other', '--arch', 'amd64')
  await type('archive', 'create', 'internal', '--arch', 'amd64')
  await type('channel', 'create', 'testing', '--follow', 'other', 'internal')
  const app = { name: 'acme-app', version: '2.0', arch: 'amd64' }
  await type('publish', await build(app), '--to', 'other')
  const first = { ...app, version: '1.0', depends: 'acme-lib (>= 3)' }
  const older = await type('publish', await build(first), '--to', 'internal')
  t.equal(older.code, 0, older.stderr)
  t.match(
    older.stdout,
    /^warning: testing has acme-app 2\.0 of other stable, which is newer than 1\.0/m,
  )
  const needy = { name: 'acme-tool', version: '1', arch: 'all', depends: 'acme-lib (>= 3)' }
  const missing = await type('--json', 'publish', await build(needy), '--to', 'internal')
  t.match(JSON.parse(missing.stdout).warnings, [
    {
      reason: 'uninstallable',
      message: /acme-tool depends on acme-lib \(>= 3\).* cannot install it/,
    },
  ])
  const lib = { name: 'acme-lib', version: '3', arch: 'amd64' }
  t.notMatch((await type('publish', await build(lib), '--to', 'internal')).stdout, /warning/)
  const newer = await type('publish', await build({ ...app, version: '2.1' }), '--to', 'internal')
  t.match(newer.stdout, /^warning: testing has acme-app 2\.0 of other stable too: machines take/m)
})

t.test('a .changes is published with all that it lists', async (t) => {
  const { type, dir, sluice } = await makeBed(t)
  await type('archive', 'create', 'internal', '--arch', 'amd64')
  const spec = { source: 'acme', version: '1.2-3', binaries: ['acme', 'acme-data'] }
  const changes = join(dir, 'up', await buildUpload(join(dir, 'up'), spec))
  const first = await type('publish', changes, '--to', 'internal', '--no-wait')
  t.match(first, { code: 0, stderr: '' })
  const lines = first.stdout.split('\n').filter(Boolean)
  t.same(lines.map((line) => line.split('  ').slice(0, 2).join(' ')).sort(), [
    'published acme 1.2-3 all',
    'published acme 1.2-3 source',
    'published acme-data 1.2-3 all',
  ])
  t.match(await type('publish', changes, '--to', 'internal'), { code: 0, stdout: /^known/ })
  t.match(await sluice.api('GET', '/archives/internal'), { suites: [{ packages: 2, sources: 1 }] })
  await rm(join(dir, 'up/acme_1.2-3_all.deb'))
  const { code, stderr } = await type('publish', changes, '--to', 'internal')
  t.equal(code, 2)
  t.match(stderr, /acme_1\.2-3_all\.deb cannot be read: ENOENT/)
})

t.test('what cannot be published is told with what to do', async (t) => {
  const { type, build, sluice } = await makeBed(t)
  await type('archive', 'create', 'internal', '--arch', 'amd64', '--suite', 'a', 'b')
  const file = await build({ name: 'acme-app', version: '1.0', arch: 'amd64' })
  const arm = await build({ name: 'acme-app', version: '1.0', arch: 'arm64' })
  const said = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await type('publish', ...args)
    return `${code} ${stderr}`
  }
  t.match(await said(file, '--to', 'nothing'), /^4 .*there is no archive nothing/)
  t.match(await said(file, '--to', 'internal'), /^2 .*has the suites a, b: which one\?/)
  t.match(
    await said(arm, '--to', 'internal', '--suite', 'a'),
    /^5 .*is for arm64, and internal for amd64/,
  )
  t.match(
    await said(file, '--to', 'internal', '--suite', 'c'),
    /^5 .*internal has no suite c, but a, b/,
  )
  t.match(await said('README.md', '--to', 'internal'), /^2 .*is no package/)
  t.match(await said('/no/such.deb', '--to', 'internal'), /^2 .*cannot be read: ENOENT/)
  const { archives } = await sluice.api('GET', '/status')
  t.equal(archives, 1)
})

interface Bed {
  readonly dir: string
  readonly sluice: TestSluice
  type(...args: string[]): ReturnType<typeof runSluice>
  build(spec: PackageSpec, folder?: string): Promise<string>
}

async function makeBed(t: Test): Promise<Bed> {
  const dir = testDir(t)
  const sluice = await startSluice(join(dir, 'var'))
  t.teardown(() => sluice.close())
  return {
    dir,
    sluice,
    type: (...args) => runSluice(['--data', join(dir, 'var'), ...args]),
    build: async (spec, folder = 'built') => {
      const version = spec.version.replace(/^\d+:/, '')
      const path = join(dir, folder, `${spec.name}_${version}_${spec.arch}.deb`)
      await buildDeb(path, spec)
      return path
    },
  }
}
