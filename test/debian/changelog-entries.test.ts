/**
 * Entries of changelogs: those of packages that are installed here, read as dpkg-parsechangelog reads them, and what is
 * made of them.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import {
  type ChangelogEntry,
  cvesIn,
  entriesSince,
  highestUrgency,
  readChangelogEntries,
} from '../../src/debian/changelog-entries.ts'
import { run } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'

const by = ' -- A Maintainer <a@archive.example>  Mon, 01 Jan 2024 00:00:00 +0000'

function entry(version: string, changes: string, urgency = 'medium'): string {
  return `hello (${version}) unstable; urgency=${urgency}\n\n${changes}\n\n${by}\n\n`
}

function versions(entries: Iterable<Pick<ChangelogEntry, 'version'>>): string[] {
  return [...entries].map((one) => one.version)
}

/** What dpkg reads, entry by entry, in our words. */
async function judged(file: string): Promise<Partial<ChangelogEntry>[]> {
  const { code, stdout } = await run('dpkg-parsechangelog', [
    '--all',
    '--format',
    'rfc822',
    '--file',
    file,
  ])
  if (code !== 0) return []
  return stdout
    .trimEnd()
    .split('\n\n')
    .filter((one) => one !== '')
    .map((stanza) => {
      const field = (name: string): string | undefined =>
        new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1]
      const lines = (/^Changes:(.*)$/ms.exec(stanza)?.[1] ?? '').trim().split('\n').slice(1)
      const text = lines.map((line) => (line === ' .' ? '' : line.slice(1))).join('\n')
      return {
        source: field('Source') ?? '',
        version: field('Version') ?? '',
        distributions: (field('Distribution') ?? '').split(' '),
        urgency: field('Urgency') ?? 'unknown',
        text: text.trimEnd().replace(/^\n+/, ''),
        ...(field('Date') === undefined
          ? {}
          : { maintainer: field('Maintainer') ?? '', date: field('Date') ?? '' }),
      }
    })
}

const odd = `${entry('3-1', '  [ One ]\n  * First.\n\n\n  [ Two ]\n  * Second,\n    and more.', 'HIGH (see below)')}
# a comment
hello (2-1) stable stable-security; urgency=low, binary-only=yes
  * No blank line above, and a date without a day.
 -- B <b@archive.example> (of the team) <b@archive.example>  1 Feb 2023 1:02:03 +0200
hello (1~rc1-1) UNRELEASED; urgency=medium

  * Ends without its last line.

hello (1~beta-1) unstable; urgency=medium

  * Its last line is wrong.

 -- C <c@archive.example>  yesterday

hello (0.9-1) unstable; priority=low

  * No urgency.

${by}

hello-0.8 Debian 1

  * In an older format.

${entry('0.7-1', '  * Behind it nothing is read.')}`

t.test('entries are what dpkg says they are, however odd', async (t) => {
  const file = join(testDir(t), 'changelog')
  await writeFile(file, odd)
  const mine = [...readChangelogEntries(odd)]
  t.same(versions(mine), ['3-1', '2-1', '1~rc1-1', '1~beta-1', '0.9-1'])
  t.same(mine, await judged(file))
})

t.test('changelogs of real packages are read as dpkg reads them', async (t) => {
  const doc = '/usr/share/doc'
  const file = join(testDir(t), 'changelog')
  let compared = 0
  for (const name of (await readdir(doc)).sort()) {
    if (compared === 12) break
    const packed = await readFile(join(doc, name, 'changelog.Debian.gz')).catch(() => undefined)
    const text = packed && gunzipSync(packed)
    if (text === undefined || text.length < 2000 || text.length > 60_000) continue
    await writeFile(file, text)
    const expected = await judged(file)
    // dpkg gives up on some.
    if (expected.length === 0) continue
    t.same([...readChangelogEntries(text.toString())], expected, name)
    compared += 1
  }
  if (compared === 0) t.comment('no package here has a changelog')
})

t.test('the new ones are those down to what is not newer', async (t) => {
  const all = ['2:3-1', '2:2-2', '2:2-1', '2:1-1', '9-1']
  const text = all.map((version) => entry(version, '  * x')).join('')
  const since = (old: string | undefined, upTo?: string): string[] =>
    versions(entriesSince(readChangelogEntries(text), old, upTo))
  t.same(since('2:2-1'), ['2:3-1', '2:2-2'])
  t.same(
    since('2:2-1~deb12u1'),
    ['2:3-1', '2:2-2', '2:2-1'],
    'the version itself need not be there',
  )
  t.same(since('1:9-1'), ['2:3-1', '2:2-2', '2:2-1', '2:1-1'], 'not what was before another epoch')
  t.same(since('2:1-1', '2:2-2'), ['2:2-2', '2:2-1'], 'up to a version')
  t.same(since('2:3-1'), [], 'the same')
  t.same(since('2:4-1'), [], 'one that is older')
  t.same(since(undefined), ['2:3-1'], 'of what is new as a whole the newest')
})

t.test('the highest urgency counts', async (t) => {
  const of = (...all: string[]): string => highestUrgency(all.map((urgency) => ({ urgency })))
  t.equal(of('low', 'high', 'medium'), 'high')
  t.equal(of('nonsense', 'low'), 'low')
  t.equal(of('nonsense'), 'unknown')
  t.equal(of(), 'unknown')
})

t.test('CVE ids are found as people write them, each once and in order', async (t) => {
  const text = `* Fix cve-2024-10001, CVE-2023-9999 (CVE-2024-2000).
    CVE-2024-10001; CVE-2024-123 is none, nor is XCVE-2024-10002 or CVE-2024-100020000000.`
  t.same(cvesIn(text), ['CVE-2023-9999', 'CVE-2024-2000', 'CVE-2024-10001'])
})

t.test('what is made to be long does not take long', async (t) => {
  const lines = [
    `a${'-a'.repeat(1990)}`,
    `hello (1-1)${' a'.repeat(1990)}`,
    `${'a '.repeat(1990)}<`,
    ` -- ${'<a> '.repeat(990)}`,
    `Changes from version ${' to'.repeat(1300)}`,
  ]
  for (const line of lines) {
    const text = `${entry('2-1', '  * x')}${`${line}\n`.repeat(600)}${entry('1-1', '  * x')}`
    t.match(versions(readChangelogEntries(text)), ['2-1'], line.slice(0, 20))
  }
  const text = entry('1-1', '  * x').repeat(100_000)
  const read = [...readChangelogEntries(text)]
  t.ok(read.length > 1000 && read.length < 100_000, 'a bounded part')
  t.equal(
    [...readChangelogEntries(text, 500)].length,
    Math.ceil(500 / entry('1-1', '  * x').length),
  )
})
