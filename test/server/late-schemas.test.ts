/**
 * Schemas are compiled when their route is asked for the first time (src/server/late-schemas.ts): each can be, and refuses
 * as it would have from the start.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'

const sources = join(import.meta.dirname, '../../src/server')

/** Method and path of each route of the API, as the sources name them. */
async function routes(): Promise<{ method: string; path: string }[]> {
  const files = (await readdir(sources)).filter((name) => name.startsWith('api-'))
  const texts = await Promise.all(files.map((name) => readFile(join(sources, name), 'utf8')))
  const all = texts.join('\n')
  const named = [...all.matchAll(/\bapi\.(get|post|put|patch|delete)\b.*?'(\/[^']*)'/gs)]
  const begun = all.match(/\bapi\.(get|post|put|patch|delete)\b/g) ?? []
  t.equal(named.length, begun.length, 'each route is found')
  return named.map(([, method = '', path = '']) => ({ method: method.toUpperCase(), path }))
}

t.test('every route answers what its schema does not allow, and none with 500', async (t) => {
  const sluice = await startSluice(join(testDir(t), 'var'))
  t.teardown(() => sluice.close())
  const headers = {
    Authorization: `Bearer ${sluice.token}`,
    'Content-Type': 'application/json',
  }
  const answers = { refused: 0, all: 0 }
  for (const { method, path } of await routes()) {
    const url = `${sluice.url}/api/v1${path.replaceAll(/:\w+|\*/g, 'none')}?from=1&from=2&limit=none`
    const body = method === 'GET' ? null : '["none"]'
    for (const attempt of ['first', 'second']) {
      const answer = await fetch(url, { method, headers, body })
      const said = await answer.text()
      t.ok(answer.status < 500, `${method} ${path}, ${attempt}: ${answer.status} ${said}`)
      answers.all++
      if (/ERR_USAGE/.test(said)) answers.refused++
    }
  }
  t.ok(answers.refused > answers.all / 2, `${answers.refused} of ${answers.all} were refused`)
})

t.test('what is refused is named, at the first request and at the next', async (t) => {
  const sluice = await startSluice(join(testDir(t), 'var'))
  t.teardown(() => sluice.close())
  const add = (body: object) => sluice.api('POST', '/channels', body)
  const isUsage = { code: 'ERR_USAGE' }
  for (let nth = 0; nth < 2; nth++) {
    t.match(await add({ base: 'none' }), { error: { ...isUsage, message: /property 'name'/ } })
    t.match(await add({ name: 'fresh', base: 'none' }), { error: { code: 'ERR_NOT_FOUND' } })
  }
})
