/**
 * README.md, tried: every command is run against a real server, the lines for machines are given to a real apt, and
 * what it says of settings, exit codes and files is compared with the program. A command that this test does not know
 * fails it.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createApt } from './support/apt.ts'
import { makeDocsWorld } from './support/docs-world.ts'
import { blocksOf, commandsOf } from './support/markdown.ts'
import type { RunResult } from './support/run.ts'
import { clean, troubles } from './support/world.ts'

const page = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
/** Without the section that test/server/first-start.test.ts plays on a machine. */
const readme = page.replace(/^## A package of your own\n.*?^(?=## )/ms, '')

/** What README tells people to type, what must be replaced to try it, and what is printed then. */
const plays: Readonly<Record<string, RegExp>> = {
  'bin/sluice pending --fetch': /^openssl +3\.0\.15-1~deb12u1 +3\.0\.16-1~deb12u1 /m,
  "bin/sluice promote openssl --from testing --to approved --reason 'ran on lab-1 for a day'":
    /^approved generation 8, /m,
  'sluice promote SOURCE… --dry-run':
    /^would make approved generation 9 from 8: 1 source\n.*\n.*\n/,
  'sluice promote --all --from testing --to approved': /^approved generation 9, /m,
  'sluice rollback approved --to 7': /^approved generation 10 = generation 7; /m,
  'sluice channel history approved': /^8 .* ran on lab-1 for a day$/m,
  'sluice audit': / ran on lab-1 for a day$/m,
  'sluice diff approved@7 testing --fields': /^openssl 3\.0\.15-1~deb12u1 -> 3\.0\.16-1~deb12u1 /m,
  'sluice search openssl': /^openssl +3\.0\.16-1~deb12u1 .* testing$/m,
  "sluice search 'libssl*' --history": /^libssl3 +3\.0\.16-1~deb12u1 .* approved +8 .* 9 /m,
  'sluice changelog openssl': /^openssl \(3\.0\.16-1~deb12u1\) /,
  'sluice channel clients approved': /^no machine took approved in the last 30 days$/m,
  'sluice archive refresh': /^debian-security bookworm-security +unchanged/m,
  'sluice archive add docker https://download.example/linux/debian --suite bookworm --component stable --keyring docker.asc':
    /^archive docker added: /,
  'sluice archive set debian --sources': /^takes +source packages$/m,
  'sluice archive show debian': /^bookworm-updates .* ok$/m,
  'sluice channel create pilot --from approved': /^channel pilot generation 1: curated$/m,
  'sluice channel create web --base approved': /^channel web generation 1: derived$/m,
  'sluice hold tzdata --channel web': /^web keeps tzdata 2025a-0\+deb12u1 /m,
  'sluice class create lab --channel testing': /^class lab generation 1: /m,
  'sluice class set lab --channel approved': /^class lab: testing -> approved, generation 2; /m,
  'sluice key rotate approved': /^next key of approved: /,
  'sluice gc --dry-run': /^nothing to delete; /m,
  'sluice backup /srv/backup/sluice --passphrase-file /root/sluice.pass':
    /^backup +\d{8}T\d{6}Z in /,
  'sluice channel create all --follow debian docker': /^channel all generation 1: following$/m,
  'sluice channel set testing --follow debian debian-security docker':
    / follows debian, debian-security, docker; generation 3$/m,
  'sluice adopt /var/cache/apt/archives': /^adopted +[1-9]/,
  'sluice stats': /\bfree bytes +\d/,
  'sluice verify': /^all is well: /,
  'sluice promote --security --older-than 1d --with-deps': /^nothing to promote: /m,
  "sluice policy create nightly --rule 'security after 1 day' 'after 7 days'":
    /^rules +security after 1 day\n +after 7 days$/m,
  'sluice explain openssl': /policy nightly: too young, .* \(rule: security after 1 day\)/,
  'sluice hold tzdata --channel approved --until 2w': /^approved keeps tzdata /m,
  'sluice decline tzdata=2025b-0+deb12u1 --channel approved':
    /^approved never takes tzdata 2025b-0\+deb12u1;/m,
  'sluice diff approved testing --contents openssl':
    /^openssl 3\.0\.15-1~deb12u1 -> 3\.0\.16-1~deb12u1 /m,
  'sluice digest create morning --mail ops@example.org': /^goes to +ops@example\.org$/m,
  'sluice export > desk.toml': /^$/,
  'sluice apply desk.toml --dry-run': /^all is as the file says$/m,
  'sluice token create NAME': /^[\w-]{43}\n$/,
}

const { dir, home, key, upstream, sluice, play: typed } = await makeDocsWorld(t)
const names = {
  'SOURCE…': 'tzdata',
  NAME: 'lab-1',
  '/srv/backup/sluice': join(home, 'backups'),
  '/var/cache/apt/archives': join(dir, 'files/linux/debian'),
}
const play = (line: string, env: Record<string, string> = {}): Promise<RunResult> =>
  typed(line, { env, replace: { ...names, '/root/sluice.pass': join(home, 'passphrase') } })
await writeFile(join(home, 'passphrase'), 'correct horse\n')

t.test(
  'README names no command that is not tried here, and none here that it does not name',
  (t) => {
    const named = commandsOf(readme, ['sluice', 'bin/sluice'])
    t.same([...named].sort(), Object.keys(plays).sort())
    t.end()
  },
)

t.test('what waits is shown as README shows it', async (t) => {
  const block = blocksOf(readme).find(({ text }) => text.includes('$ bin/sluice pending --fetch'))
  const shown = block?.text.split('\n').slice(1, 4).join('\n') ?? ''
  const { stdout } = await play('bin/sluice pending --fetch')
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
