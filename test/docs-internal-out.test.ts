/**
 * The end of docs/internal.md, tried: each line that is to be typed is run in the order of the page, against a real server.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeLocalBed } from './support/local-bed.ts'
import { blocksOf } from './support/markdown.ts'
import { run } from './support/run.ts'

const root = join(import.meta.dirname, '..')
const page = await readFile(join(root, 'docs/internal.md'), 'utf8')
const [, section = ''] = page.split('\n## Out again\n')
const lines = blocksOf(section.split('\n## ')[0] ?? '').flatMap(({ text }) => text.split('\n'))

/** What each line prints. */
const plays: readonly { begin: string; prints: RegExp }[] = [
  { begin: 'sluice archive packages internal', prints: /^acme-hello +1\.0 +all +stable main/m },
  { begin: 'sluice archive set internal --keep-versions 5', prints: /internal/ },
  {
    begin: 'sluice publish acme-hello_1.1_all.deb',
    prints: /^until \d{4}-.*then it is taken out$/m,
  },
  { begin: 'sluice unpublish acme-hello=1.1', prints: /^would leave testing, which follows inte/m },
  { begin: 'sluice unpublish acme-hello=1.1', prints: /^taken out {2}acme-hello 1\.1 all/m },
  { begin: 'sluice revoke acme-hello=1.0', prints: /^acme-hello 1\.0 is out of 2 channels, and/m },
  { begin: 'sluice revoke --list', prints: /^acme-hello +1\.0 +.*it eats disks$/m },
  {
    begin: 'sluice revoke --undo acme-hello=1.0',
    prints: /^testing generation \d+ has it again$/m,
  },
]

t.test('packages leave as the page says', async (t) => {
  const { dir, sluice, build, publish, settle } = await makeLocalBed(t)
  const hello = { name: 'acme-hello', arch: 'all' }
  await publish({ ...hello, version: '1.0' })
  await settle()
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  await build({ ...hello, version: '1.1' })
  t.equal(lines.length, plays.length)
  const PATH = `${join(root, 'bin')}:${process.env.PATH}`
  const env = { PATH, SLUICE_DATA: sluice.dataDir }
  for (const [at, line] of lines.entries()) {
    const { begin, prints } = plays[at] ?? { begin: 'nothing', prints: /nothing/ }
    t.ok(line.startsWith(begin), line)
    const ended = await run('sh', ['-c', `cd ${join(dir, 'built')} && ${line}`], { env })
    t.equal(ended.code, 0, `${line}: ${ended.stderr}`)
    t.match(ended.stdout, prints, line)
  }
})
