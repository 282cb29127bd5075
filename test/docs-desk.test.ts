/**
 * docs/desk.md, tried: each line that an administrator is told to type is run in the order of the page, against a real
 * server. A line that this test does not know fails it.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeDocsWorld } from './support/docs-world.ts'
import { blocksOf } from './support/markdown.ts'

const page = await readFile(join(import.meta.dirname, '../docs/desk.md'), 'utf8')
const lines = blocksOf(page).flatMap(({ text }) => text.split('\n'))

/** What each line prints, by its first words; on standard error where it ends with another code than 0. */
const plays: readonly { begin: string; prints: RegExp; code?: number }[] = [
  { begin: 'sluice pending --fetch', prints: /^openssl .*\n(?:.*\n)*tzdata /m },
  {
    begin: 'sluice pending --security --cve',
    prints: /^None of the 2 that wait is what was asked for$/m,
  },
  { begin: 'sluice pending openssl --details', prints: /^openssl 3\.0\.15-1~deb12u1 -> 3\.0\.16/m },
  { begin: 'sluice changelog openssl --to approved', prints: /^openssl \(3\.0\.16/m },
  { begin: 'sluice diff approved testing --contents openssl', prints: /openssl/ },
  { begin: "sluice promote 'openssl*' --dry-run", prints: /--plan [0-9a-f]{16}$/m },
  {
    begin: 'sluice promote --security',
    prints:
      /left out: 1 source of suites that are not for security: tzdata\n.* for so long: openssl$/m,
  },
  {
    begin: 'sluice promote openssl --from testing@1',
    prints: /^nothing to promote: approved has of that what testing@1 has$/m,
  },
  { begin: 'sluice hold tzdata', prints: /^approved keeps tzdata .*\nuntil \d{4}-/m },
  {
    begin: 'sluice decline openssl',
    prints: /^approved never takes openssl 3\.0\.16-1~deb12u1; newer versions go as usual$/m,
  },
  { begin: 'sluice hold --list', prints: /tzdata/ },
  { begin: 'sluice unhold tzdata', prints: /^tzdata is not held in approved any more$/m },
  { begin: 'sluice undecline openssl', prints: /is not declined in approved any more$/m },
  { begin: 'sluice policy create nightly', prints: /^rules +linux\* never$/m },
  { begin: 'sluice policy run nightly --dry-run', prints: /would stay$/m },
  { begin: 'sluice explain openssl', prints: /too young/ },
  { begin: 'sluice policy history nightly', prints: /^it has not run yet$/m },
  { begin: 'sluice digest create morning', prints: /^goes to +ops@example\.org$/m },
  { begin: 'sluice digest send morning --dry-run', prints: /openssl/ },
  { begin: 'sluice export >', prints: /^$/ },
  { begin: 'sluice apply sluice-config.toml --dry-run', prints: /^all is as the file says$/m },
  { begin: 'sluice apply sluice-config.toml', prints: /^all is as the file says$/m },
]

t.test('the page is tried line by line', async (t) => {
  const world = await makeDocsWorld(t)
  t.equal(lines.length, plays.length)
  for (const [at, line] of lines.entries()) {
    const { begin, prints, code = 0 } = plays[at] ?? { begin: 'nothing', prints: /nothing/ }
    t.ok(line.startsWith(begin), line)
    const ended = await world.play(line)
    if (process.env.SHOW) console.error(`$ ${line}\n${ended.stdout}${ended.stderr}[${ended.code}]`)
    t.equal(ended.code, code, `${line}: ${ended.stderr}`)
    t.match(code === 0 ? ended.stdout : ended.stderr, prints, line)
  }
})
