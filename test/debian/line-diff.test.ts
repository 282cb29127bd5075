/** Differences of texts, with `diff` and `patch` as judges. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { unifiedDiff } from '../../src/debian/line-diff.ts'
import { run, runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'

t.test('what diff says of small changes, word for word', async (t) => {
  const dir = testDir(t)
  const many = Array.from({ length: 40 }, (_, at) => `line ${at}\n`)
  const edited = many.map((line, at) => ([3, 20, 39].includes(at) ? `${line}new\n` : line))
  const pairs: [string, string][] = [
    ['', 'a\nb\n'],
    ['a\nb\n', ''],
    ['a\nb\nc\n', 'a\nx\nc\n'],
    ['a\nb', 'a\nb\n'],
    ['a\n', 'a\nb'],
    [many.join(''), edited.join('')],
    [many.join(''), many.slice(1, -1).join('')],
    ['same\n', 'same\n'],
  ]
  for (const [before, after] of pairs) {
    await writeFile(join(dir, 'a'), before)
    await writeFile(join(dir, 'b'), after)
    const { stdout } = await run('diff', ['-u', 'a', 'b'], { cwd: dir })
    const said = stdout.split('\n').slice(2, -1).join('\n')
    t.equal(unifiedDiff(before, after).join('\n'), said)
  }
})

t.test('patch makes the one of the other, whatever they are', async (t) => {
  const dir = testDir(t)
  let seed = 7
  const draw = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return Math.floor((seed / 2147483648) * below)
  }
  const text = (lines: number, words: number): string =>
    Array.from({ length: lines }, () => `${draw(words)}\n`).join('')
  for (let round = 0; round < 40; round++) {
    const before = text(draw(60) + 1, 1 + draw(30))
    const after = text(draw(60) + 1, 1 + draw(30))
    t.ok(await patches(dir, before, after), `round ${round}`)
  }
  const [long, other] = [text(3000, 100_000), text(3000, 100_000)]
  t.ok(await patches(dir, long, other), 'nothing in common')
})

async function patches(dir: string, before: string, after: string): Promise<boolean> {
  const lines = unifiedDiff(before, after)
  if (lines.length === 0) return before === after
  await writeFile(join(dir, 'a'), before)
  await writeFile(join(dir, 'a.diff'), `--- a\n+++ a\n${lines.join('\n')}\n`)
  await runOk('patch', ['-s', '-p0', '-i', 'a.diff', '-o', 'made'], { cwd: dir })
  return (await readFile(join(dir, 'made'), 'utf8')) === after
}
