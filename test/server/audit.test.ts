/**
 * The audit of a server that ran for years: shown, exported and checked without being held whole, on neither side.
 */
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { sha256Of } from '../../src/base/sha256.ts'
import { csvLine } from '../../src/cli/audit-report.ts'
import { readWhen } from '../../src/cli/when.ts'
import { sluiceProgram, startProgram } from '../support/program.ts'
import { run } from '../support/run.ts'
import { startSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'

const ROWS = 60_000
/** Of each process: a third of what the rows are as text. */
const memory = { NODE_OPTIONS: '--max-old-space-size=60' }
const detail = JSON.stringify({ changes: 'x'.repeat(3000) })

/** A data directory whose audit has so many rows. */
async function makeOld(t: Test): Promise<string> {
  const dir = join(testDir(t), 'var')
  await (await startSluice(dir)).close()
  const file = new Database(join(dir, 'sluice.db'))
  const insert = file.prepare('INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
  const end = file.prepare<[], { rows: number; hash: string }>('SELECT rows, hash FROM audit_end')
  let { rows, hash } = end.get() ?? { rows: 0, hash: '' }
  file.transaction(() => {
    for (; rows < ROWS; rows++) {
      const who = rows === 7 ? 'robot' : 'admin'
      const row = [rows + 1, 1e12 + rows, who, 'promote', 'channel a', 'why', detail, hash]
      hash = sha256Of(JSON.stringify(row))
      insert.run(...row, hash)
    }
    file.prepare('UPDATE audit_end SET rows = ?, hash = ?').run(rows, hash)
  })()
  file.close()
  return dir
}

t.test('rows without number are shown, exported and checked in little memory', async (t) => {
  const dir = await makeOld(t)
  const args = ['serve', '--json', '--data', dir, '--listen', '127.0.0.1:0', '--no-import']
  const server = startProgram(t, args, { env: memory })
  await server.says(/"kind":"ready"/)
  const sluice = (line: string): ReturnType<typeof run> =>
    run('sh', ['-c', `"$0" --data "$1" ${line}`, sluiceProgram, dir], { env: memory })

  const json = await sluice(`audit --all --json | grep -c '"id"'`)
  t.match(json, { code: 0, stdout: `${ROWS}\n`, stderr: '' })
  const csv = await sluice('audit --all --csv | wc -l')
  t.match(csv, { code: 0, stdout: `${ROWS + 1}\n`, stderr: '' })
  const table = await sluice('audit --all | tail -1')
  t.match(table, { code: 0, stdout: /system +token create +token admin\n$/, stderr: '' })
  t.match((await sluice('audit --who robot')).stdout, /robot {2}promote/)
  t.match(await sluice('audit verify'), { code: 0, stdout: /all is well: 60,000 rows/ })
  const slow = 'while IFS= read -r line; do last=$line; done; echo "$last"'
  const late = await sluice(`audit --limit 300 --json | (${slow})`)
  t.match(late, { code: 0, stdout: ']\n' }, 'who reads slowly gets all')

  server.signal('SIGTERM')
  t.match(await server.ended, { code: 0 })
})

t.test('a server that ends in the middle is no end of the audit', async (t) => {
  const dir = await makeOld(t)
  const args = ['serve', '--json', '--data', dir, '--listen', '127.0.0.1:0', '--no-import']
  const server = startProgram(t, args)
  await server.says(/"kind":"ready"/)
  const client = startProgram(t, ['--data', dir, 'audit', '--all', '--csv'])
  await client.says(/channel a/)
  server.signal('SIGKILL')
  const { code, text } = await client.ended
  t.equal(code, 1)
  t.match(text, /sluice: error: the server went away before it was done/)
})

t.test('CSV keeps what was typed, and no cell of it is a formula', async (t) => {
  const row = { id: 3, at: 0, who: 'a', what: 'promote', object: 'channel a', hash: 'f' }
  const line = (why: string): string => csvLine({ ...row, why })
  const around = ['3,1970-01-01T00:00:00.000Z,a,promote,channel a,', ',,f\r\n']
  const cells = [
    ['tried', 'tried'],
    ['a, b', '"a, b"'],
    ['say "yes"', '"say ""yes"""'],
    ['two\r\nlines', '"two\r\nlines"'],
    ['=1+1', "'=1+1"],
    ['  =1+1', "'  =1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['\n=1', `"'\n=1"`],
    ['＝1', "'＝1"],
    ['=HYPERLINK("http://x")', `"'=HYPERLINK(""http://x"")"`],
    ['1=1', '1=1'],
  ]
  for (const [why = '', cell] of cells) t.equal(line(why), around.join(cell), JSON.stringify(why))
})

t.test('times are read as people type them', async (t) => {
  const now = Date.UTC(2026, 10, 21, 12)
  const read = (text: string, end = false): number => readWhen('--since', text, { now, end })
  t.equal(read('3d'), now - 3 * 86_400_000)
  t.equal(read('90 min'), now - 90 * 60_000)
  t.equal(read('2w'), now - 14 * 86_400_000)
  t.equal(read('2026-11-01'), new Date(2026, 10, 1).getTime())
  t.equal(read('2026-11-30', true), new Date(2026, 11, 1).getTime(), 'a day counts whole')
  t.equal(read('2026-11-01T08:30Z'), Date.UTC(2026, 10, 1, 8, 30))
  t.equal(read('2026-11-01T08:30:15+0200'), Date.UTC(2026, 10, 1, 6, 30, 15))
  t.equal(read('2026-11-01 08:30'), new Date(2026, 10, 1, 8, 30).getTime())
  for (const text of ['', 'soon', '2026-13-01', '2026-02-30', '3 days', '-3d', '2026-11-01T25:00'])
    t.throws(() => read(text), { code: 'ERR_USAGE' }, text)
})
