/**
 * The folders of tests outlive what the tests started in them: see test/support/test-dir.ts.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { testDir } from '../support/test-dir.ts'

t.test('a folder is there until the last handler has run, and then removed', async (t) => {
  const seen: boolean[] = []
  let dir = ''
  await t.test('a handler that takes its time', async (t) => {
    dir = testDir(t, { file: '' })
    t.teardown(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      seen.push(existsSync(join(dir, 'file')))
    })
  })
  t.same([...seen, existsSync(dir)], [true, false])
})

t.test('no test asks tap for a folder itself', async (t) => {
  const tests = join(import.meta.dirname, '..')
  const files = (await readdir(tests, { recursive: true })).filter((file) => file.endsWith('.ts'))
  t.ok(files.length > 300)
  for (const file of files.filter((one) => one !== join('support', 'test-dir.ts')))
    t.notMatch(await readFile(join(tests, file), 'utf8'), new RegExp('\\.testdir' + '\\('), file)
})
