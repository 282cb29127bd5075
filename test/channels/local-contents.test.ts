/**
 * Contents of local archives, for those that are asked for them: what apt-ftparchive would say of the same packages, in every
 * generation, and what apt finds where it looks.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import type { TestApt } from '../support/apt.ts'
import { app, contentsOf, judgedLines, linesFor } from '../support/contents-judge.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'
import { bodyOf } from '../support/odd-world.ts'
import { run } from '../support/run.ts'
import { clean, troubles } from '../support/world.ts'

const asked = { extras: ['contents'] }
/** As apt-file has it in apt.conf.d. */
const target =
  'Acquire::IndexTargets::deb::Contents-deb { MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)"; ShortDescription "Contents-$(ARCHITECTURE)"; Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents (deb)"; flatMetaKey "Contents-$(ARCHITECTURE)"; flatDescription "$(RELEASE) Contents (deb)"; PDiffs "true"; KeepCompressed "true"; };'

const odd: PackageSpec = {
  name: 'acme-odd',
  version: '1',
  arch: 'all',
  fields: { Section: 'contrib/net' },
  files: {
    'opt/with space/and more': '',
    'opt/with space/à': '',
    'opt/a,comma': '',
    'usr/share/acme/é': '',
    'usr/share/acme/😀': '',
    'usr/share/acme/\uffee': '',
    'usr/bin/acme': 'another\n',
    'usr/lib/acme-x': '',
    'usr/lib/acme.x': '',
    'usr/bin/acme-link': { link: 'acme' },
    [`usr/share/acme/${'long-'.repeat(30)}name`]: '',
  },
}

async function apt({ machine }: LocalBed, channel: string): Promise<TestApt> {
  const apt = await machine(channel)
  const file = join(apt.dir, 'apt.conf')
  await writeFile(file, `${await readFile(file, 'utf8')}${target}\n`)
  return apt
}

/** Names of packages that a client finds to have the path, in what apt fetched. */
async function search(apt: TestApt, path: string): Promise<string[]> {
  const files = (await apt.lists()).filter((name) => name.includes('_Contents-'))
  const found: string[] = []
  for (const file of files) {
    const from = join(apt.listsDir, file)
    const { stdout } = await run('/usr/lib/apt/apt-helper', ['cat-file', from])
    for (const line of stdout.split('\n')) {
      const [, own, names = ''] = /^(.*?)\s+(\S+)\s*$/.exec(line) ?? []
      if (own === path) found.push(...names.split(',').map((name) => name.replace(/.*\//, '')))
    }
  }
  return found.sort()
}

t.test('apt finds who has which file, as apt-ftparchive would tell it', async (t) => {
  const bed = await makeLocalBed(t, asked)
  const debs: string[] = []
  for (const spec of [app('1.0'), odd, app('1.0', { arch: 'arm64' }), app('1.1')]) {
    t.match(await bed.publish(spec), { published: { outcome: 'published' } })
    debs.push(await bed.build(spec))
    await bed.settle()
    const contents = await contentsOf(bed, 'testing')
    for (const architecture of ['amd64', 'arm64']) {
      const own = debs.filter((deb) => deb.includes('_all') || deb.includes(`_${architecture}`))
      const judged = await judgedLines(join(bed.dir, 'judge'), own)
      t.ok(judged.length > 0 || own.length === 0)
      t.same(linesFor(contents, architecture), judged, `${debs.length}, ${architecture}`)
    }
  }
  const [text = ''] = [(await contentsOf(bed, 'testing')).get('main/Contents-amd64')]
  const paths = text.split('\n').map((line) => line.slice(0, line.lastIndexOf(' ')).trimEnd())
  t.same(
    paths.slice(0, -1).map((path) => Buffer.from(path)),
    paths
      .slice(0, -1)
      .map((path) => Buffer.from(path))
      .sort(Buffer.compare),
    'in the order of their bytes',
  )
  const url = `${bed.sluice.url}/channels/testing/internal/dists/stable/main/Contents-amd64.gz`
  t.equal(gunzipSync(await bodyOf(url)).toString(), text, 'by its name')
  const machine = await apt(bed, 'testing')
  t.same(troubles(await machine.update()), clean)
  t.same(await search(machine, 'usr/bin/acme'), ['acme-app', 'acme-odd'])
  t.same(await search(machine, 'usr/lib/acme/1.1'), ['acme-app'])
  t.same(await search(machine, 'opt/with space/à'), ['acme-odd'])
  t.same((await bed.sluice.api('POST', '/verify', { deep: true })).problems, [])
})
