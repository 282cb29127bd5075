/**
 * docs/vendors.md, tried: each line is typed against a vendor's archive in that style, and machines with the sources that
 * the page tells get packages. A line that this test does not know fails it.
 */
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createApt } from './support/apt.ts'
import { blocksOf, commandsOf, tablesOf } from './support/markdown.ts'
import { styleOf } from './support/odd-vendor.ts'
import { type RunResult, run } from './support/run.ts'
import { publishVendor, vendorStyles } from './support/vendor-styles.ts'
import { makeVendorsWorld } from './support/vendors-world.ts'
import { clean, troubles } from './support/world.ts'

const page = await readFile(join(import.meta.dirname, '../docs/vendors.md'), 'utf8')
const bin = join(import.meta.dirname, '../bin')

/** What each command prints, by its first words. */
const plays: readonly { begin: string; prints: RegExp }[] = [
  { begin: 'sluice archive add builds', prints: /^builds binary +changed, 2 packages/m },
  { begin: 'sluice archive add gpu', prints: /^gpu flat +changed, 1 package,/m },
  { begin: 'sluice archive add cluster', prints: /^cluster flat +changed, 1 package,/m },
  { begin: 'sluice archive add engine', prints: /^engine bookworm +changed, 2 packages/m },
  { begin: 'sluice archive add browser', prints: /^browser stable +changed, 1 package,/m },
  { begin: 'sluice archive add runtime', prints: /^runtime nodistro +changed, 2 packages/m },
  { begin: 'sluice archive add scripts', prints: /^scripts stable +changed, 1 package,/m },
  { begin: 'sluice archive add paid', prints: /^paid stable +changed, 2 packages/m },
  { begin: 'sluice archive set paid --auth', prints: /^archive +paid$/m },
  { begin: 'sluice channel create tools', prints: /tools/ },
  { begin: 'sluice archive show gpu', prints: /^flat \(\/\) .* ok$/m },
]

t.test('the page is tried line by line', async (t) => {
  const world = await makeVendorsWorld(t)
  const { dir, sluice, upstream, key } = world
  const odd = styleOf('paid')
  const stable = { place: 'dists/stable', indexes: { 'main/binary-amd64/Packages': odd.packages } }
  await publishVendor(world.files, odd, [key], { ...stable, fields: { Suite: 'stable' } })
  await symlink(world.keyrings.armored, join(dir, 'vendor.asc'))
  const blocks = blocksOf(page).map(({ text }) => text)
  const here = (text: string): string =>
    text
      .replaceAll(/https:\/\/(\w+)\.archive\.example/g, `${upstream.url}/$1`)
      .replaceAll(/machine (\w+)\.archive\.example/g, `machine ${upstream.url}/$1`)
      .replaceAll('http://sluice:3142', sluice.url)
      .replaceAll('/tmp/', `${dir}/`)
  const login = blocks.find((text) => text.startsWith('machine '))
  for (const name of ['paid.conf', 'FILE']) await writeFile(join(dir, name), here(login ?? ''))
  const play = (line: string): Promise<RunResult> => {
    const typed = here(line) + (line.includes(' archive add ') ? ' --arch amd64' : '')
    const env = { PATH: `${bin}:${process.env.PATH}` }
    const program = `sluice() { command sluice --data '${sluice.dataDir}' "$@"; }`
    return run('sh', ['-ec', `${program}\n${typed}`], { cwd: dir, env })
  }
  const told = tablesOf(page).flatMap((rows) => rows.map((cells) => cells[2]?.replaceAll('`', '')))
  const typed = told.filter((cell) => cell?.startsWith('sluice '))
  const lines = commandsOf(page, ['sluice'])
  t.equal(typed.length, 8)
  t.same(lines.slice().sort(), plays.map(({ begin }) => lineOf(lines, begin)).sort())
  for (const { begin, prints } of plays) {
    const line = lineOf(lines, begin)
    const { code, stdout, stderr } = await play(line)
    t.equal(code, 0, `${line}: ${stderr}`)
    t.match(stdout, prints, line)
  }

  t.comment('and it stands in a file as it was typed')
  const applied = await play(
    'sluice export | sed \'s,"/","./",\' > all.toml; sluice apply all.toml --dry-run',
  )
  t.match(applied.stdout, /^all is as the file says$/m)
  t.match(await readFile(join(dir, 'all.toml'), 'utf8'), /^suites = \[ "\.\/" \]$/m)

  t.comment('machines with the sources of the page')
  const keyPath = join(dir, 'sluice.asc')
  const response = await fetch(`${sluice.url}/channels/tools/key.asc`)
  await writeFile(keyPath, await response.text())
  const sources = blocks.find((text) => text.startsWith('deb ')) ?? ''
  t.equal(sources.split('\n').length, 3)
  const apt = await createApt(join(dir, 'machine'), { sources: here(sources) })
  t.same(troubles(await apt.update()), clean)
  const names = vendorStyles
    .filter(({ name }) => ['builds', 'gpu', 'engine'].includes(name))
    .flatMap(({ packages }) => packages.map(({ spec }) => spec.name))
  t.same(troubles(await apt.install(...names)), clean)
  t.equal((await apt.installed()).length, names.length)
})

function lineOf(lines: readonly string[], begin: string): string {
  return lines.find((line) => line.startsWith(begin)) ?? `none that begins ${begin}`
}
