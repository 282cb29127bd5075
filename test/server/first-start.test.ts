/**
 * The first hour on this machine: its own apt sources are imported, and what the terminal says is done, as it stands
 * there, in a fresh Debian that the real debootstrap makes out of the channel.
 *
 * Needs root, and an archive that this machine's sources name and can reach.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { type Chroot, type ChrootRun, makeChroot } from '../support/chroot.ts'
import { blocksOf } from '../support/markdown.ts'
import { runOk } from '../support/run.ts'
import { startTerminal } from '../support/terminal.ts'
import { testDir } from '../support/test-dir.ts'

const repository = join(import.meta.dirname, '../..')
const dir = testDir(t)
const dataDir = join(dir, 'var')
const helper = '/usr/lib/apt/apt-helper -o APT::Sandbox::User=root'
const clean = { code: 0, troubles: [] }
const troubles = ({ code, troubles }: ChrootRun): object => ({ code, troubles })
const deadSources = { troubles: [/^Err:1 .*:1\/dead/] }
const updateOnce = 'apt-get update -o Acquire::Retries=0'

let terminal = startTerminal(['--data', dataDir, '--listen', '127.0.0.1:0'])
const closing: (() => Promise<unknown>)[] = [() => terminal.stop()]
t.teardown(async () => {
  for (const close of closing.reverse()) await close()
})
await terminal.line(/^(The same as a script|no channel holds anything)/)
const first = terminal.text
if (!first.includes('Put a machine on')) {
  throw new Error(`the apt sources of this machine gave Sluice nothing to serve:\n${first}`)
}
const url = found(/^ready +(\S+)/m, first)
const printed = found(/^Put a machine on `approved`[^\n]*\n\n(.*?)\n\nThe same/ms, first)
const system = await makeSystem()

t.test('debootstrap makes a system out of the channel', async (t) => {
  const key = found(/^made +signing key +approved +ed25519 (\S+ \S+)/m, first).replace(' ', '')
  t.equal(system.made.code, 0, system.made.stdout)
  t.match(system.made.stdout, `Valid Release signature (key id ${key}`)
  t.match(system.made.stdout, /Base system installed successfully/)
})

t.test(
  'the printed lines put it on the channel, and a package comes from there, once',
  async (t) => {
    const old = [...printed.matchAll(/^mv (\S+) /gm)].map((match) => match[1] ?? '')
    t.not(old.length, 0, 'the sources of this machine are named')
    await putDeadSources(old)
    t.match(await system.sh(updateOnce), deadSources)
    const set = await system.sh(printed)
    t.same(troubles(set), clean, set.output)
    t.match(set.output, `Get:1 ${url}/channels/approved/`)

    const { files: before } = await stats()
    const install = 'apt-get install -y -o Debug::Acquire::http=true'
    const installed = await system.sh(`${install} hello && hello`)
    t.same(troubles(installed), clean, installed.output)
    t.match(installed.output, /^Hello, world!$/m)
    t.same(cacheWords(installed), ['MISS'])
    const again = await system.sh(`apt-get clean && ${install} --reinstall hello`)
    t.same(troubles(again), clean)
    t.same(cacheWords(again), ['HIT'])
    const { files } = await stats()
    t.same([files.miss - before.miss, files.hit - before.hit], [1, 1])

    const shown = (await system.sh('apt-cache show --no-all-versions hello')).output
    const sha256 = found(/^SHA256: (\S+)$/m, shown)
    const blob = join(dataDir, 'blobs', sha256.slice(0, 2), sha256.slice(2))
    t.match((await runOk('sha256sum', [blob])).stdout, sha256, 'kept, under its digest')
    t.match((await runOk('dpkg-deb', ['--show', blob])).stdout, /^hello\t/)
  },
)

t.test('apt knows the suites by what upstream says of them', async (t) => {
  const { output } = await system.sh(
    `apt-get indextargets --format '$(SITE) $(ORIGIN) $(LABEL) $(SUITE) $(CODENAME) $(COMPONENT)' 'Created-By: Packages'`,
  )
  const { suiteList } = await api('/channels/approved')
  for (const { archive, suite, components } of suiteList) {
    const { urls } = await api(`/archives/${archive}`)
    const signed = await upstreamFile(`${urls[0]}/dists/${suite}/InRelease`)
    const fields = ['Origin', 'Label', 'Suite', 'Codename'].map((name) =>
      found(new RegExp(`^${name}: (.*)$`, 'm'), signed),
    )
    const site = `${url}/channels/approved/${archive}`
    for (const component of components)
      t.match(output, [site, ...fields, component].join(' '), `${archive} ${suite} ${component}`)
  }
})

t.test('the same as one-line sources', async (t) => {
  const { setup } = await api('/channels/approved')
  await system.sh('rm /etc/apt/sources.list.d/sluice.sources')
  await writeFile(join(system.dir, 'etc/apt/sources.list'), `${setup.oneLine.join('\n')}\n`)
  const update = await system.sh('rm -r /var/lib/apt/lists/* && apt-get update')
  t.same(troubles(update), clean, update.output)
  t.match((await system.sh('apt-cache policy hello')).output, `${url}/channels/approved/`)
  await system.sh('rm /etc/apt/sources.list')
})

t.test('the same as a script, and back', async (t) => {
  const old = [...printed.matchAll(/^mv (\S+) (\S+)/gm)].map(([, from, to]) => `mv ${to} ${from}`)
  await system.sh(old.join('\n'))
  const script = found(/^The same as a script to read first: (\S+)$/m, first)
  const set = await system.sh(
    `${helper} download-file ${script} /tmp/client && sh /tmp/client --replace && apt-get update`,
  )
  t.same(troubles(set), clean, set.output)
  t.same(troubles(await system.sh('sh /tmp/client --undo')), clean)
  t.equal((await system.sh('ls /etc/apt/keyrings')).output, '')
  t.match(await system.sh(updateOnce), deadSources, 'the old sources are back')
  await system.sh('sh /tmp/client --replace')
})

t.test('a second start goes on where the first ended, and says so in three lines', async (t) => {
  const shown = await sluice('channel', 'show', 'approved')
  t.ok(shown.includes(printed), 'the lines for a machine can be seen again')
  t.equal(await terminal.stop(), 0)
  t.match(terminal.text, /^stopping\nstopped$/m)
  terminal = startTerminal(['--data', dataDir, '--listen', new URL(url).host])
  await terminal.line(/^lines for a machine/)
  const lines = terminal.text.trimEnd().split('\n')
  const [{ length: archives }, { length: channels }] = [
    await api('/archives'),
    await api('/channels'),
  ]
  t.equal(lines.length, 3, terminal.text)
  t.match(lines[0], ` in ${dataDir}: ${archives} archive`)
  t.match(lines[0], `, ${channels} channels, ready after `)
  t.match(lines[1], `${url}, clients from private networks; next look upstream in `)
  t.match(lines[2], `${url}/client/approved`)
  t.ok((await sluice('channel', 'show', 'approved')).includes(printed), 'the same lines')
  const update = await system.sh('apt-get update')
  t.same(troubles(update), clean)
  t.notMatch(update.output, /^Get:/m, 'nothing is new to a machine')
})

t.test(
  'a package of your own goes the way that README tells, from the server to machines',
  async (t) => {
    const readme = await readFile(join(repository, 'README.md'), 'utf8')
    const section = found(/^## A package of your own\n(.*?)^## /ms, readme)
    const archives: { name: string }[] = await api('/archives')
    const imported = archives.map(({ name }) => name).join(' ')
    const outputs: string[] = []
    const home = join(dir, 'home')
    await mkdir(home)
    await symlink(join(repository, 'bin'), join(home, 'bin'))
    for (const { text } of blocksOf(section)) {
      if (text.includes('apt-get')) {
        const played = await system.sh(text.replaceAll('http://sluice:3142', url))
        t.same(troubles(played), clean, played.output)
        outputs.push(played.output)
      } else {
        const line = text.replace('debian debian-security', imported)
        const env = { SLUICE_DATA: dataDir, PATH: `${process.env.PATH}` }
        outputs.push((await runOk('sh', ['-ec', line], { cwd: home, env })).stdout)
      }
    }
    const [, published, tried, promoted, installed] = outputs
    t.match(published, /^published +acme-hello 1\.0 all /m)
    t.match(tried, /channels\/testing\/internal .* acme-hello all 1\.0 .*^hello from acme$/ms)
    t.match(promoted, /^approved generation /m)
    t.match(installed, /^acme-hello is already the newest version .*^hello from acme$/ms)
    const policy = await system.sh('apt-cache policy acme-hello')
    t.match(policy.output, `${url}/channels/approved/internal stable/main`)
  },
)

/** A system like this machine's own: of the first suite in its sources that debootstrap knows. */
async function makeSystem(): Promise<Chroot> {
  const stanzas = printed.matchAll(/^URIs: (\S+)\nSuites: (.*)$/gm)
  const suites = [...stanzas].flatMap(([, archive = '', suites = '']) =>
    suites.split(' ').map((suite) => ({ archive, suite })),
  )
  const known = suites.find(({ suite }) => existsSync(`/usr/share/debootstrap/scripts/${suite}`))
  if (known === undefined) throw new Error(`debootstrap knows none of the suites:\n${printed}`)
  const keyring = join(dir, 'approved.gpg')
  const key = await fetch(`${url}/channels/approved/key.gpg`)
  await writeFile(keyring, Buffer.from(await key.arrayBuffer()))
  const system = await makeChroot(known.suite, known.archive, keyring)
  closing.push(system.close)
  // What debootstrap had it made from is no source of an administrator's.
  await system.sh('rm -f /etc/apt/sources.list')
  return system
}

/** Sources as the machine may have had them: none of them can be reached. */
async function putDeadSources(files: readonly string[]): Promise<void> {
  const dead = 'http://127.0.0.1:1/dead'
  for (const file of files) {
    const text = file.endsWith('.sources')
      ? `Types: deb\nURIs: ${dead}\nSuites: old\nComponents: main\nTrusted: yes\n`
      : `deb [trusted=yes] ${dead} old main\n`
    await mkdir(dirname(join(system.dir, file)), { recursive: true })
    await writeFile(join(system.dir, file), text)
  }
}

/** A file of the archive itself, as a machine gets it whose proxy the server is: nothing is asked of the archive. */
async function upstreamFile(place: string): Promise<string> {
  const fetch = `${helper} -o Acquire::http::Proxy=${url} download-file`
  await system.sh(`${fetch} ${place.replace(/^https/, 'http')} /tmp/file`)
  return readFile(join(system.dir, 'tmp/file'), 'utf8')
}

interface Stats {
  /** Files sent: of the store, and fetched for it. */
  readonly files: { readonly hit: number; readonly miss: number }
}

async function stats(): Promise<Stats> {
  return api('/stats')
}

/** What the server said of each .deb that apt asked for. */
function cacheWords({ output }: ChrootRun): string[] {
  return [...output.matchAll(/^X-Cache: (\S+)/gm)].map((match) => match[1] ?? '')
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers by name, and a wrong name fails the test
async function api(path: string): Promise<any> {
  const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
  const headers = { Authorization: `Bearer ${token}` }
  return (await fetch(`${url}/api/v1${path}`, { headers })).json()
}

/** The command, run beside the server. */
async function sluice(...args: string[]): Promise<string> {
  const program = join(repository, 'bin/sluice')
  return (await runOk(program, ['--data', dataDir, ...args])).stdout
}

/** The group of the pattern; throws, with the whole text, where there is none. */
function found(pattern: RegExp, text: string): string {
  const group = pattern.exec(text)?.[1]
  if (group === undefined) throw new Error(`${pattern} is not in:\n${text}`)
  return group
}
