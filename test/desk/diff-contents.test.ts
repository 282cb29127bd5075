/** What an update would bring to machines, file by file: real .debs, a real server, the command as it prints. */
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { runSluice } from '../support/program.ts'
import { makeWorld, type World } from '../support/world.ts'

const postinst = '#!/bin/sh\nset -e\ntrue\n'

function tool(version: string, more: Partial<PackageSpec> = {}): PackageSpec {
  return { name: 'tool', version, arch: 'amd64', ...more }
}

const before = tool('1', {
  depends: 'libc6, zlib1g',
  scripts: { postinst, conffiles: '/etc/tool.conf\n' },
  files: {
    'etc/tool.conf': 'color = red\n',
    'lib/systemd/system/tool.service': '[Service]\nExecStart=/usr/bin/tool\n',
    'bin/tool': { text: 'one', mode: 0o755 },
    'usr/bin/moved': 'same',
    'usr/bin/gone': 'x',
  },
})
const after = tool('2', {
  depends: 'libc6, libssl3',
  compression: 'xz',
  scripts: {
    postinst: `${postinst}setcap cap_net_raw+ep /usr/bin/tool\n`,
    prerm: '#!/bin/sh\nexit 0\n',
    conffiles: '/etc/tool.conf\n',
  },
  files: {
    'etc/tool.conf': 'color = blue\nport = 8443\n',
    'etc/sudoers.d/tool': 'tool ALL=(ALL) NOPASSWD: ALL\n',
    'etc/cron.d/tool': '@daily root /usr/bin/tool\n',
    'usr/lib/systemd/system/tool.service':
      '[Service]\nExecStart=/usr/bin/tool --listen 0.0.0.0:9000\n',
    'usr/lib/systemd/system/tool.socket': '[Socket]\nListenStream=8080\nListenDatagram=53\n',
    'usr/bin/tool': { text: 'two', mode: 0o4755 },
    'usr/bin/moved': 'same',
  },
})

async function publish(world: World, packages: readonly PackageSpec[]): Promise<void> {
  await world.publish(packages)
  await world.sluice.api('POST', '/archives/refresh')
}

function ask(world: World, ...sources: string[]) {
  return world.sluice.api('POST', '/diff/contents', { from: 'approved', to: 'testing', sources })
}

t.test('what is dangerous stands on top, and all else below', async (t) => {
  const world = await makeWorld(t, [before])
  await publish(world, [after])
  const { sources } = await ask(world, 'tool')
  const [one] = sources[0].packages
  t.match(one, { package: 'tool', architecture: 'amd64', old: '1', new: '2' })
  const alerts = one.contents.alerts.map(
    (alert: { is: string; kind: string; what: string; where?: string }) =>
      [alert.is, alert.kind, alert.what, alert.where].filter(Boolean).join(' '),
  )
  t.same(alerts, [
    'changed setuid usr/bin/tool 4755 root:root, was 0755 root:root',
    'new rights setcap cap_net_raw+ep /usr/bin/tool postinst',
    'new listener port 8443 etc/tool.conf',
    'new listener port 0.0.0.0:9000 usr/lib/systemd/system/tool.service',
    'new listener tcp 8080 usr/lib/systemd/system/tool.socket',
    'new listener udp 53 usr/lib/systemd/system/tool.socket',
    'new sudo etc/sudoers.d/tool',
    'changed script postinst, 4 lines',
    'new script prerm, 2 lines',
    'new socket usr/lib/systemd/system/tool.socket',
    'new cron etc/cron.d/tool',
  ])
  const { fields, scripts, notable, files } = one.contents
  t.match(fields, [{ field: 'Depends', old: 'libc6, zlib1g', new: 'libc6, libssl3' }])
  t.match(scripts, [
    { name: 'postinst', change: 'changed', diff: [/^@@/, / #!/, / set/, / true/, /^\+setcap/] },
    { name: 'prerm', change: 'added' },
  ])
  t.match(
    notable.find(({ name }: { name: string }) => name === 'etc/tool.conf'),
    { isConffile: true, change: 'changed', diff: [/^@@/, '-color = red', '+color = blue', /port/] },
  )
  t.same(
    files.removed.map(({ path }: { path: string }) => path),
    ['usr/bin/gone'],
    'a file that moved with the merge of /usr is no other',
  )

  const run = (...args: string[]) => runSluice(['--data', world.sluice.dataDir, ...args])
  const { code, stdout } = await run('diff', 'approved', 'testing', '--contents', 'tool')
  t.equal(code, 0)
  t.match(stdout, /^! changed setuid +tool: usr\/bin\/tool 4755/, 'first of all')
  t.match(stdout, /tool 1 -> 2 {2}nut stable/)
  t.match(stdout, /Depends {2}- zlib1g\n +\+ libssl3/)
  t.match(stdout, /changed etc\/tool\.conf \(conffile\)/)
  const json = await run('diff', 'approved', 'testing', '--contents', 'tool', '--json')
  t.same(JSON.parse(json.stdout).sources, sources)
  t.match(await run('diff', 'approved', 'testing', '--arch', 'amd64'), { code: 2 })
})

t.test('packages that come, go, are renamed or stay; names that mean nothing', async (t) => {
  const of = (name: string, version: string, more: Partial<PackageSpec> = {}): PackageSpec => ({
    ...tool(version, more),
    name,
    source: 'lib',
  })
  const quiet: PackageSpec = { name: 'quiet', version: '1', arch: 'all' }
  const world = await makeWorld(t, [of('lib1', '1'), of('lib-old', '1'), quiet])
  const setuid = { 'usr/bin/su': { text: 'x', mode: 0o4755 } }
  await publish(world, [of('lib2', '2'), of('lib-new', '2', { files: setuid }), quiet])
  const { sources, same } = await ask(world, 'lib2', 'quiet')
  t.same(same, ['quiet'])
  t.match(sources[0], { source: 'lib', old: ['1'], new: ['2'] })
  t.match(sources[0].packages, [
    { package: 'lib-new', contents: { alerts: [{ kind: 'setuid', is: 'new' }] } },
    { package: 'lib-old', old: '1' },
    { package: 'lib2', renamedFrom: 'lib1', contents: { files: { counts: { added: 2 } } } },
  ])
  t.equal(sources[0].packages[1].contents, undefined, 'of what goes nothing is read')
  t.equal((await ask(world, 'nothing')).error.code, 'ERR_NOT_FOUND')
  t.equal((await ask(world)).error.code, 'ERR_USAGE')
})

t.test('what is lost is told of its package; what is out of reach ends it', async (t) => {
  const other: PackageSpec = { name: 'other', version: '1', arch: 'all' }
  const world = await makeWorld(t, [before, other])
  // Before a refresh: what upstream replaces is rescued else.
  world.upstream.fault(/other_1_all/, { kind: 'status', status: 404 })
  await publish(world, [after, { ...other, version: '2' }])
  const { sources } = await ask(world, 'tool', 'other')
  t.match(sources, [
    { source: 'other', packages: [{ problem: { code: 'ERR_BLOB_MISSING' } }] },
    { source: 'tool', packages: [{ contents: { files: {} } }] },
  ])
  const args = [
    '--data',
    world.sluice.dataDir,
    'diff',
    'approved',
    'testing',
    '--contents',
    'other',
  ]
  t.match(await runSluice(args), { code: 3, stdout: /not compared: other 1 all is neither here/ })
  world.upstream.clearFaults()
  world.upstream.fault(/other_1_all/, { kind: 'status', status: 503 })
  t.match((await ask(world, 'other')).error.code, /^ERR_UPSTREAM/)
  world.upstream.clearFaults()
  t.match((await ask(world, 'other')).sources[0].packages[0], { contents: {} }, 'then it is had')
})
