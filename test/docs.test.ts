/**
 * README.md, tried: every command is run against a real server, the lines for machines are given to a real apt, and
 * what it says of settings, exit codes and files is compared with the program. A command that this test does not know
 * fails it.
 */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { PackageSpec } from '../fixtures/debs.ts'
import { makeArchive } from '../fixtures/make-archive.ts'
import { makeSigningKey } from '../fixtures/signing-key.ts'
import { createApt } from './support/apt.ts'
import { blocksOf, commandsOf } from './support/markdown.ts'
import { type RunResult, run } from './support/run.ts'
import { startSluice } from './support/sluice.ts'
import { startUpstream } from './support/upstream-server.ts'
import { clean, troubles } from './support/world.ts'

const root = join(import.meta.dirname, '..')
const readme = await readFile(join(root, 'README.md'), 'utf8')

/** What README tells people to type, what must be replaced to try it, and what is printed then. */
const plays: Readonly<Record<string, RegExp>> = {
  'bin/sluice pending': /^openssl +3\.0\.15-1~deb12u1 +3\.0\.16-1~deb12u1 /m,
  "bin/sluice promote openssl --from testing --to approved --reason 'ran on lab-1 for a day'":
    /^approved generation 8, /m,
  'sluice promote SOURCE… --dry-run':
    /^would make approved generation 9 from 8: 1 source\n.*\n.*\n/,
  'sluice promote --all --from testing --to approved': /^approved generation 9, /m,
  'sluice rollback approved --to 7': /^approved generation 10 = generation 7; /m,
  'sluice channel history approved': /^8 .* ran on lab-1 for a day$/m,
  'sluice audit': / ran on lab-1 for a day$/m,
  'sluice diff approved@7 approved': /./,
  'sluice search openssl': /^openssl +3\.0\.16-1~deb12u1 .* testing$/m,
  'sluice archive refresh': /^debian-security bookworm-security +unchanged/m,
  'sluice archive add docker https://download.example/linux/debian --suite bookworm --component stable --keyring docker.asc':
    /^archive docker added: /,
  'sluice archive show debian': /^bookworm-updates .* ok$/m,
  'sluice channel create web --from approved': /^channel web generation 1: curated$/m,
  'sluice channel create all --follow debian docker': /^channel all generation 1: following$/m,
  'sluice channel set testing --follow debian debian-security docker':
    / follows debian, debian-security, docker; generation 3$/m,
  'sluice verify --deep': /^all is well: /,
  'sluice token create NAME': /^[\w-]{43}\n$/,
}

const dir = t.testdir()
const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>')

async function publish(
  archive: string,
  suite: string,
  packages: readonly PackageSpec[],
  component = 'main',
): Promise<void> {
  const one = { suite, components: [component], architectures: ['amd64'], packages }
  await makeArchive(join(dir, 'files', archive), { key, suites: [one] })
}

function binaries(source: string, version: string, names: readonly string[]): PackageSpec[] {
  return names.map((name) => ({ name, version, arch: 'amd64', source, content: 2000 }))
}

async function publishAll(openssl: string, tzdata: string): Promise<void> {
  const libraries = ['libssl-dev', 'libssl-doc', 'libssl3', 'openssl']
  await publish('debian', 'bookworm', [{ name: 'hello', version: '2.10-3', arch: 'amd64' }])
  await publish(
    'debian',
    'bookworm-updates',
    binaries('tzdata', tzdata, ['tzdata', 'tzdata-legacy']),
  )
  await publish('debian-security', 'bookworm-security', binaries('openssl', openssl, libraries))
}

await publishAll('3.0.15-1~deb12u1', '2025a-0+deb12u1')
await publish(
  'linux/debian',
  'bookworm',
  [{ name: 'docker', version: '1', arch: 'amd64', component: 'stable' }],
  'stable',
)
const upstream = await startUpstream(join(dir, 'files'))
t.teardown(() => upstream.close())
await mkdir(join(dir, 'home'))
const home = join(dir, 'home')
const sluice = await startSluice(join(home, 'var'))
t.teardown(() => sluice.close())
await prepare()

/** Two archives, seven generations of `approved`, and two sources that wait for the eighth. */
async function prepare(): Promise<void> {
  const keyring = await readFile(key.publicAsc, 'utf8')
  const suites = {
    debian: ['bookworm', 'bookworm-updates'],
    'debian-security': ['bookworm-security'],
  }
  for (const [name, some] of Object.entries(suites)) {
    const settings = { suites: some, components: ['main'], architectures: ['amd64'], keyring }
    await sluice.api('POST', '/archives', { name, urls: [`${upstream.url}/${name}`], ...settings })
  }
  await sluice.api('POST', '/archives/refresh')
  await sluice.api('POST', '/channels', { name: 'testing', follow: Object.keys(suites) })
  await sluice.api('POST', '/channels', { name: 'approved', from: 'testing' })
  await publishAll('3.0.16-1~deb12u1', '2025b-0+deb12u1')
  await sluice.api('POST', '/archives/refresh')
  for (let serial = 2; serial < 8; serial += 2) {
    const tzdata = [{ name: 'tzdata' }]
    await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', sources: tzdata })
    await sluice.api('POST', '/channels/approved/rollback', { to: 1 })
  }
  await symlink(join(root, 'bin'), join(home, 'bin'))
  await writeFile(join(home, 'docker.asc'), keyring)
}

/** Runs what README says with the names of this world, in a folder where `./var` and `bin/sluice` are the real ones. */
function play(command: string, env: Record<string, string> = {}): Promise<RunResult> {
  const line = command
    .replace('SOURCE…', 'tzdata')
    .replace('NAME', 'lab-1')
    .replaceAll('https://download.example', upstream.url)
    .replaceAll('http://sluice:3142', sluice.url)
    .replaceAll('/tmp/', `${home}/`)
  const path = `${join(root, 'bin')}:${process.env.PATH}`
  return run('sh', ['-ec', line], { cwd: home, env: { PATH: path, ...env } })
}

t.test(
  'README names no command that is not tried here, and none here that it does not name',
  (t) => {
    const named = commandsOf(readme, ['sluice', 'bin/sluice'])
    t.same([...named].sort(), Object.keys(plays).sort())
    t.end()
  },
)

t.test('what waits is shown as README shows it', async (t) => {
  const block = blocksOf(readme).find(({ text }) => text.includes('$ bin/sluice pending'))
  const shown = block?.text.split('\n').slice(1, 4).join('\n') ?? ''
  const { stdout } = await play('bin/sluice pending')
  t.same(table(stdout), table(shown))
})

for (const [command, printed] of Object.entries(plays)) {
  t.test(`\`${command}\` works`, async (t) => {
    const { code, stdout, stderr } = await play(command)
    t.equal(code, 0, stderr)
    t.match(stdout, printed)
  })
}

t.test('a machine is put on a channel, and taken off again', async (t) => {
  const machine = await createApt(join(dir, 'machine'), { sources: '' })
  const set = await play(blockWith('/client/approved'), { SLUICE_ROOT: machine.dir })
  t.equal(set.code, 0, set.stderr)
  const sources = join(machine.dir, 'etc/apt/sources.list.d/sluice.sources')
  // A key is named by its whole path, and apt has another root here.
  const text = await readFile(sources, 'utf8')
  await writeFile(sources, text.replaceAll('Signed-By: ', `Signed-By: ${machine.dir}`))
  t.same(troubles(await machine.update()), clean)
  t.same(troubles(await machine.install('openssl')), clean)
  t.match(await machine.installed(), ['openssl=3.0.15-1~deb12u1', /^sluice-archive-keyring=/])
  await writeFile(sources, text)
  for (const option of ['--replace', '--undo']) {
    t.match(readme, option)
    const again = await play(`sh /tmp/sluice-client ${option}`, { SLUICE_ROOT: machine.dir })
    t.equal(again.code, 0, again.stderr)
  }
  t.same(await machine.installed(), ['openssl=3.0.15-1~deb12u1'])
  t.same(await readdir(join(machine.dir, 'etc/apt/keyrings')).catch(() => []), [])
})

t.test('the one-line source works', async (t) => {
  const machine = await createApt(join(dir, 'by-hand'), { sources: '' })
  const line = blockWith('deb [').replace('http://sluice:3142', sluice.url)
  const keyPath = /signed-by=([^\]]+)/.exec(line)?.[1] ?? ''
  const keyring = join(dir, 'by-hand.asc')
  await writeFile(keyring, (await play('sluice key export approved')).stdout)
  await machine.setSources(line.replace(keyPath, keyring))
  t.same(troubles(await machine.update()), clean)
  t.same(troubles(await machine.install('hello')), clean)
})

t.test('a machine with public sources shares the cache by the proxy line', async (t) => {
  const config = [blockWith('Acquire::http::Proxy').replace('http://sluice:3142', sluice.url)]
  const sources = `deb [signed-by=${key.publicAsc}] ${upstream.url}/debian bookworm main`
  const machine = await createApt(join(dir, 'proxied'), { sources, config })
  t.same(troubles(await machine.update()), clean)
  t.same(troubles(await machine.install('hello')), clean)
  t.equal(upstream.count(/hello_/), 1, 'the machine before brought it')
})

function blockWith(text: string): string {
  const block = blocksOf(readme).find((one) => one.text.includes(text))
  if (block === undefined) throw new Error(`README has no block with ${text}`)
  return block.text
}

/** The rows of a table as words; spans of time and sizes are any. */
function table(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/\d[\d.]* (?:s|min|h|d|B|kB|MB)\b/g, '…').replace(/ +/g, ' '))
}
