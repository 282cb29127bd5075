/**
 * The script that puts a machine on a channel: run by dash in a root of its own, with the real apt-helper, and judged by
 * what a real apt makes of the files afterwards.
 */
import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import {
  type ClientSetup,
  clientSetup,
  renderClientScript,
} from '../../src/server/client-script.ts'
import { createApt } from '../support/apt.ts'
import { type RunResult, run, runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'

const keyText = '-----BEGIN PGP PUBLIC KEY BLOCK-----\nnot a real one\n'
const keySha256 = createHash('sha256').update(keyText).digest('hex')
const ours = '/etc/apt/sources.list.d/sluice.sources'
const keyPath = '/etc/apt/keyrings/sluice-approved.asc'
const debian = '/etc/apt/sources.list.d/debian.sources'
const docker = '/etc/apt/sources.list.d/docker.list'

let served = keyText
const server: Server = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Length': served.length }).end(served)
})
server.listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
t.teardown(() => server.close())
const address = server.address()
const publicUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`

function setupFor(more: Partial<Parameters<typeof clientSetup>[0]> = {}): ClientSetup {
  return clientSetup({
    channel: 'approved',
    publicUrl,
    keySha256,
    suites: [
      { archive: 'debian', suite: 'bookworm', components: ['main', 'contrib'] },
      { archive: 'debian', suite: 'bookworm-updates', components: ['main', 'contrib'] },
      { archive: 'debian', suite: 'bookworm-backports', components: ['main'] },
      { archive: 'debian-security', suite: 'bookworm-security', components: ['main'] },
    ],
    oldFiles: [debian],
    ...more,
  })
}

/** A machine with these files, and the script in it. */
async function machine(t: Test, files: Record<string, string>, setup = setupFor()) {
  served = keyText
  const root = join(testDir(t), 'a machine')
  for (const [path, text] of Object.entries(files)) await put(join(root, path), text)
  const script = join(root, 'script')
  await put(script, renderClientScript(setup))
  return {
    root,
    sh: (...args: string[]): Promise<RunResult> => run('dash', [script, '--root', root, ...args]),
    read: (path: string): Promise<string> => readFile(join(root, path), 'utf8'),
    has: async (path: string): Promise<boolean> =>
      access(join(root, path)).then(
        () => true,
        () => false,
      ),
  }
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}

const oldSources =
  'Types: deb\nURIs: http://archive.example/debian\nSuites: bookworm\nComponents: main\n'
const files = {
  [debian]: oldSources,
  [docker]: 'deb http://docker.example/debian bookworm stable\n',
  '/etc/apt/sources.list': '# moved to sources.list.d\n',
}

t.test('it is a script for dash and for any sh', async (t) => {
  const { root } = await machine(t, {})
  for (const shell of ['dash', 'sh', 'bash']) await runOk(shell, ['-n', join(root, 'script')])
})

t.test('it writes key and sources, and names what stays active', async (t) => {
  const { root, sh, read, has } = await machine(t, files)
  const { code, stdout, stderr } = await sh()
  t.same([code, stderr], [0, ''])
  t.equal(await read(keyPath), keyText)
  t.equal(await read(ours), setupFor().sources)
  t.equal((await stat(join(root, keyPath))).mode & 0o777, 0o644)
  t.match(stdout, `active   ${debian}: the channel stands for it; off with --replace`)
  t.match(stdout, `active   ${docker}: not of this channel, left alone`)
  t.notMatch(stdout, 'sources.list:', 'a file without entries is not active')
  t.ok(await has(debian))
})

t.test('apt reads the sources as they are meant, and says nothing about the rest', async (t) => {
  const { root, sh } = await machine(t, files)
  await sh('--replace')
  const apt = await createApt(root, { sources: '' })
  const format = '$(SITE) $(RELEASE) $(COMPONENT)'
  const { stdout, stderr, code } = await apt.run('apt-get', [
    ...[
      '-o',
      'quiet=0',
      'indextargets',
      '--no-release-info',
      '--format',
      format,
      'Created-By: Packages',
    ],
  ])
  t.same([code, stderr], [0, ''])
  const channel = `${publicUrl}/channels/approved`
  t.same(
    [...new Set(stdout.trim().split('\n'))].sort(),
    [
      `${channel}/debian bookworm contrib`,
      `${channel}/debian bookworm main`,
      `${channel}/debian bookworm-backports main`,
      `${channel}/debian bookworm-updates contrib`,
      `${channel}/debian bookworm-updates main`,
      `${channel}/debian-security bookworm-security main`,
      'http://docker.example/debian bookworm stable',
    ].sort(),
  )
})

t.test('--replace switches the old sources off, and --undo puts all back', async (t) => {
  const { root, sh, read, has } = await machine(t, files)
  const replaced = await sh('--replace')
  t.match(replaced, { code: 0, stderr: '' })
  t.match(replaced.stdout, `off      ${debian} (now ${debian}.disabled)`)
  t.notOk(await has(debian))
  t.equal(await read(`${debian}.disabled`), oldSources)
  t.ok(await has(docker))
  const again = await sh()
  t.match(again, { code: 0, stderr: '' })
  t.match(await read(ours), `# switched off: ${debian}\n`, 'a second run does not forget it')
  const undone = await sh('--undo')
  t.match(undone, { code: 0, stderr: '' })
  t.equal(await read(debian), oldSources)
  t.same(await readdir(join(root, 'etc/apt/keyrings')), [])
  t.same((await readdir(join(root, 'etc/apt/sources.list.d'))).sort(), [
    'debian.sources',
    'docker.list',
  ])
  t.match(await sh('--undo'), { code: 1, stderr: /^sluice: error: .* nothing to undo$/m })
})

t.test('a file that was off before stays off', async (t) => {
  const { sh, has } = await machine(t, { [`${debian}.disabled`]: oldSources })
  await sh('--replace')
  await sh('--undo')
  t.ok(await has(`${debian}.disabled`))
  t.notOk(await has(debian))
})

t.test('with an old and a switched-off file of one name it changes nothing', async (t) => {
  const { sh, read, has } = await machine(t, { ...files, [`${debian}.disabled`]: 'mine' })
  t.match(await sh('--replace'), { code: 1, stderr: /is there already$/m })
  t.notOk(await has(ours))
  t.equal(await read(`${debian}.disabled`), 'mine')
})

t.test('another key than the pinned one changes nothing', async (t) => {
  const { sh, has } = await machine(t, files)
  served = keyText.replace('real', 'true')
  const { code, stderr } = await sh('--replace')
  t.equal(code, 1)
  t.match(stderr, /^sluice: error: the key could not be had .* is not the one with SHA-256/m)
  t.match(stderr, /^sluice: hint: nothing was changed$/m)
  t.same([await has(ours), await has(keyPath), await has(debian)], [false, false, true])
})

t.test('names that look like shell are text', async (t) => {
  const odd = `/etc/apt/sources.list.d/it's $(touch x) \`touch y\`.list`
  const setup = setupFor({ oldFiles: [odd], publicUrl: `${publicUrl}/$(id)` })
  const { root, sh, has } = await machine(
    t,
    { [odd]: 'deb http://archive.example/ x main\n' },
    setup,
  )
  t.match(await sh('--replace'), { code: 0, stderr: '' })
  t.ok(await has(`${odd}.disabled`))
  t.same(
    (await readdir(root, { recursive: true })).filter((name) => /^[xy]$/.test(name)),
    [],
  )
  await sh('--undo')
  t.ok(await has(odd))
})

t.test('what would be another line in a sources file is refused', async (t) => {
  for (const bad of ['main\nTrusted: yes', 'a b', '']) {
    const suites = [{ archive: 'debian', suite: 'bookworm', components: [bad] }]
    t.throws(() => setupFor({ suites }), { code: 'ERR_FORMAT' }, JSON.stringify(bad))
  }
  t.throws(() => setupFor({ publicUrl: 'http://x\n' }), { code: 'ERR_FORMAT' })
})

t.test('help tells how to use it, and a wrong option changes nothing', async (t) => {
  const { sh, has } = await machine(t, files)
  const help = await sh('--help')
  t.match(help.stdout, '--undo')
  t.match(help.stdout, `${publicUrl}/client/approved`)
  t.match(await sh('--repalce'), { code: 1, stderr: /^sluice: error: unknown option: --repalce$/m })
  t.notOk(await has(ours))
})

t.test('a script that was cut off does nothing', async (t) => {
  const { root, has } = await machine(t, files)
  const whole = renderClientScript(setupFor())
  for (let length = 0; length < whole.length - 10; length += 211) {
    await writeFile(join(root, 'script'), whole.slice(0, length))
    await run('dash', [join(root, 'script')], { env: { SLUICE_ROOT: root } })
    if (await has(ours)) return t.fail(`cut after ${length} characters it did something`)
  }
  t.pass('whatever was missing')
})
