/**
 * docs/internal.md, tried: each line that one is told to type is run in the order of the page, against a real server, and a real apt
 * installs what came of it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openGpgHome } from './debian/openpgp-judges.ts'
import { createApt } from './support/apt.ts'
import { makeDocsWorld } from './support/docs-world.ts'
import { blocksOf } from './support/markdown.ts'
import { clean, troubles } from './support/world.ts'

const whole = await readFile(join(import.meta.dirname, '../docs/internal.md'), 'utf8')
// How they go again is tried by docs-internal-out.test.ts.
const [page = ''] = whole.split('\n## Out again')
const blocks = blocksOf(page)
const typed = blocks
  .filter(({ text }) => /^(sluice|mkdir) /.test(text))
  .flatMap(({ text }) => text.split('\n'))

const prints: readonly [begin: string, prints: RegExp][] = [
  ['mkdir', /^$/],
  ['printf', /^$/],
  ['printf', /^$/],
  ['dpkg-deb', /building package 'acme-hello'/],
  [
    'sluice archive create internal',
    /channel set testing --follow debian debian-security internal/,
  ],
  ['sluice channel set testing', /^channel testing follows debian, debian-security, internal; /],
  [
    'sluice publish',
    /^published {2}acme-hello 1\.0 all {2}stable main .*\ntesting generation \d+\n$/,
  ],
  ['sluice promote acme-hello', /^approved generation \d+/m],
  ['sluice token create ci', /^[A-Za-z0-9_-]{43}$/m],
  ['sluice archive set internal', /^uploader +[0-9A-F]{40} acme-\* !acme-secret$/m],
  ['sluice archive set internal --with contents', /^makes +contents$/m],
]

t.test('the page is tried line by line, and apt installs from testing and approved', async (t) => {
  const world = await makeDocsWorld(t)
  const gpg = await openGpgHome()
  t.teardown(() => gpg.close())
  const key = await gpg.makeKey('alice', ['ed25519'])
  await writeFile(join(world.home, 'uploaders.asc'), await gpg.exportKeys(key))
  const replace = { '0123456789ABCDEF0123456789ABCDEF01234567': key }
  t.equal(typed.length, prints.length)
  let token = ''
  for (const [at, line] of typed.entries()) {
    const [begin = '', wanted = /nothing/] = prints[at] ?? []
    t.ok(line.startsWith(begin), line)
    const { code, stdout, stderr } = await world.play(line, { replace })
    t.equal(code, 0, `${line}: ${stderr}`)
    t.match(stdout, wanted, line)
    if (line.startsWith('sluice token')) token = stdout.trim()
  }
  for (const channel of ['testing', 'approved']) {
    const apt = await createApt(join(world.dir, channel), { sources: '' })
    const url = `${world.sluice.url}/channels/${channel}`
    const asc = join(world.dir, channel, 'key.asc')
    await apt.run('/usr/lib/apt/apt-helper', ['download-file', `${url}/key.asc`, asc])
    await apt.setSources(`deb [signed-by=${asc}] ${url}/internal stable main`)
    t.same(troubles(await apt.update()), clean)
    t.same(troubles(await apt.install('acme-hello')), clean)
  }
  await world.sluice.api('POST', '/archives/internal/follow')
  const suite = `${world.sluice.url}/channels/testing/internal/dists/stable`
  t.equal((await fetch(`${suite}/main/Contents-all.gz`)).status, 200)
  const curl = /^curl .*$/m.exec(page.replaceAll(/^ {4}/gm, ''))?.[0] ?? ''
  t.match(curl, /^curl /)
  const sent = await world.play(curl, { env: { TOKEN: token } })
  if (sent.code !== 127) t.match(sent.stdout, /"outcome":"unchanged"/, sent.stderr)
})
