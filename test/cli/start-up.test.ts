/** What a command loads: it must start at once, so the server's parts are for `serve` alone. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { run } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'

const main = join(import.meta.dirname, '../../src/cli/main.ts')

/** The modules that `sluice` loads with these arguments, as paths in the checkout; packages by their name. */
async function loadedBy(dir: string, args: readonly string[]): Promise<string[]> {
  const log = join(dir, 'loaded')
  const hook = join(dir, 'hook.mjs')
  await writeFile(
    hook,
    `import { appendFileSync } from 'node:fs'
    import { registerHooks } from 'node:module'
    registerHooks({ load: (url, context, next) => {
      appendFileSync(${JSON.stringify(log)}, url + '\\n')
      return next(url, context)
    } })`,
  )
  const node = ['--import', pathToFileURL(hook).href, main]
  await run(process.execPath, [...node, ...args], { cwd: dir })
  const urls = (await readFile(log, 'utf8')).trim().split('\n')
  return [...new Set(urls.map(nameOf))]
}

function nameOf(url: string): string {
  return /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? url.replace(/.*\/src\//, 'src/')
}

for (const args of [['pending'], ['archive', 'show', 'debian'], ['--help']]) {
  t.test(`sluice ${args.join(' ')} loads no part of the server`, async (t) => {
    const loaded = await loadedBy(testDir(t), args)
    const packages = loaded.filter((name) => !/^(src\/|node:)/.test(name))
    t.same(packages, ['commander'])
    const floors = loaded
      .filter((name) => name.startsWith('src/'))
      .map((name) => name.split('/')[1])
    t.same([...new Set(floors)].sort(), ['base', 'cli'])
  })
}

t.test('sluice serve loads what it needs', async (t) => {
  const dir = testDir(t, { taken: 'a file, not a directory' })
  const data = join(dir, 'taken/var')
  const loaded = await loadedBy(dir, ['serve', '--data', data, '--no-import'])
  t.ok(['fastify', 'openpgp', 'better-sqlite3'].every((name) => loaded.includes(name)))
})
