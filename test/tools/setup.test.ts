/**
 * tools/setup, which every `npm start` begins with: it fetches once, then says nothing and takes no time; what fails is
 * told in a line. npm is played by a program that writes down what it is asked, so that nothing is fetched.
 */
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { type RunResult, run } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'

const root = join(import.meta.dirname, '../..')

/** What npm does: notes its arguments, and puts a Node and a tap where the real ones would lie. */
const npm = `
import { appendFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
appendFileSync(process.env.ASKED, process.argv.slice(2).join(' ') + '\\n')
if (process.env.BROKEN === process.argv.at(-1)) process.exit(1)
mkdirSync('node_modules/.bin', { recursive: true })
if (!existsSync('node_modules/.bin/node')) symlinkSync(process.execPath, 'node_modules/.bin/node')
writeFileSync('node_modules/.bin/tap', '#!/bin/sh\\n', { mode: 0o755 })
`

interface Checkout {
  readonly dir: string
  setup(...args: string[]): Promise<RunResult>
  /** What npm was asked since the last call. */
  asked(): Promise<string[]>
}

async function makeCheckout(t: Test, env: Record<string, string> = {}): Promise<Checkout> {
  const dir = testDir(t, { tools: {}, 'npm.mjs': npm, asked: '', 'package-lock.json': '{}' })
  await copyFile(join(root, 'tools/setup'), join(dir, 'tools/setup'))
  const given = { npm_execpath: join(dir, 'npm.mjs'), ASKED: join(dir, 'asked'), ...env }
  return {
    dir,
    setup: (...args) => run('sh', [join(dir, 'tools/setup'), ...args], { env: given }),
    asked: async () => {
      const lines = (await readFile(given.ASKED, 'utf8')).split('\n').filter(Boolean)
      await writeFile(given.ASKED, '')
      return lines
    },
  }
}

const silent = { code: 0, stdout: '', stderr: '' }
const once = {
  code: 0,
  stdout: '',
  stderr: 'sluice: fetching the packages it is made of (once) ...\n',
}
const node = /^install --loglevel=error node-linux-(x64|arm64)@24\.\d+\.\d+$/

t.test('fetches Node and the packages once, and says nothing from then on', async (t) => {
  const { setup, asked, dir } = await makeCheckout(t)
  t.same(await setup(), once)
  t.match(await asked(), [node, 'install --no-save --omit=dev'])
  t.same(await setup(), silent)
  t.same(await asked(), [])
  await writeFile(join(dir, 'package-lock.json'), '{"other":1}')
  t.same(await setup(), once, 'again when the packages are other ones')
})

t.test('what is for tests is fetched when it is asked for, and holds the rest', async (t) => {
  const { setup, asked } = await makeCheckout(t)
  await setup()
  await asked()
  t.same(await setup('--dev'), once)
  t.match(await asked(), [node, 'install --no-save --include=dev'])
  t.same(await setup('--dev'), silent)
  t.same(await setup(), silent)
  t.same(await asked(), [])
})

t.test('what could not be fetched is told, and tried again', async (t) => {
  const { setup, asked } = await makeCheckout(t, { BROKEN: '--omit=dev' })
  const failed = {
    code: 1,
    stderr: /\nsluice: error: the packages could not be fetched: .*\nsluice: hint: .*\n$/,
  }
  t.match(await setup(), failed)
  t.match(await setup(), failed)
  t.equal((await asked()).length, 4)
})

t.test('a machine without npm is told how to get it', async (t) => {
  const { dir } = await makeCheckout(t)
  const bin = join(dir, 'bin')
  await mkdir(bin)
  for (const name of ['sh', 'dirname', 'cksum', 'cat', 'uname']) {
    const { stdout } = await run('sh', ['-c', `command -v ${name}`])
    await symlink(stdout.trim(), join(bin, name))
  }
  t.same(await run(join(bin, 'sh'), [join(dir, 'tools/setup')], { env: { PATH: bin } }), {
    code: 1,
    stdout: '',
    stderr: 'sluice: error: npm is not installed\nsluice: hint: apt-get install npm\n',
  })
})

t.test('bin/sluice names the way when the packages are not there', async (t) => {
  const dir = testDir(t, { bin: {} })
  await copyFile(join(root, 'bin/sluice'), join(dir, 'bin/sluice'))
  await chmod(join(dir, 'bin/sluice'), 0o755)
  t.same(await run(join(dir, 'bin/sluice'), ['pending']), {
    code: 1,
    stdout: '',
    stderr: `sluice: error: its packages are not installed yet\nsluice: hint: npm --prefix ${dirname(join(dir, 'bin'))} start\n`,
  })
})
