/**
 * What README.md and docs/ say of settings, exit codes, files and tables is what the program has.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { ANNOUNCED_S } from '../src/archives/key-health.ts'
import { type Config, parseConfig } from '../src/base/config.ts'
import { AppError } from '../src/base/errors.ts'
import { runProgram } from '../src/cli/program.ts'
import { brakeOf } from '../src/keeping/gc-brake.ts'
import { makeImportBed } from './support/imported.ts'
import { commandsOf, linksOf, spansOf, type Table, tablesOf } from './support/markdown.ts'
import { runSluice } from './support/program.ts'
import { testDir } from './support/test-dir.ts'

const root = join(import.meta.dirname, '..')
const pages = [
  'README.md',
  'docs/design.md',
  'docs/operating.md',
  'docs/http.md',
  'docs/internal.md',
  'docs/nginx.md',
  'bench/README.md',
]
const [readme = '', design = '', operating = ''] = await Promise.all(
  pages.map((page) => readFile(join(root, page), 'utf8')),
)

t.test('links lead to files, and files that are named exist', async (t) => {
  for (const page of pages) {
    const text = await readFile(join(root, page), 'utf8')
    for (const link of linksOf(text))
      t.ok(existsSync(join(root, page, '..', link)), `${page}: ${link}`)
    const named = spansOf(text).filter((span) => /^[\w./-]+\/[\w.-]+(\.\w+|-packages)$/.test(span))
    for (const path of named.filter((one) => !/^[./]/.test(one)))
      t.ok(
        [root, join(root, 'src')].some((dir) => existsSync(join(dir, path))),
        `${page}: ${path}`,
      )
  }
})

t.test('commands of npm that are named exist', async (t) => {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const commands = commandsOf(readme, ['npm'])
  t.not(commands.length, 0)
  for (const command of commands) {
    const [, script] = /^npm (?:run )?([\w-]+)(?: -- --help)?$/.exec(command) ?? []
    t.ok(script !== undefined && script in scripts, command)
  }
})

t.test('the table of settings is what the program reads, with its defaults', async (t) => {
  const rows = (tableWith(readme, 'setting (flag, `SLUICE_…`, `sluice.toml`)') ?? []).slice(1)
  const names = rows.map(([name = '']) => bare(name))
  t.same(names.sort(), knownSettings().sort())
  const help = (await runSluice(['serve', '--help'])).stdout
  const told: Record<string, string> = {
    'private networks': 'private',
    "this machine's address": '',
    'the key files': '',
    none: '',
  }
  const defaults = settled({})
  for (const [name = '', fallback = ''] of rows) {
    const key = bare(name)
    const value = told[bare(fallback)] ?? bare(fallback)
    const variable = `SLUICE_${key.toUpperCase().replaceAll('-', '_')}`
    t.same(settled({ [variable]: value }), defaults, `${key}: the default is ${fallback}`)
    t.match(help, new RegExp(`^ +--(no-)?${key}\\b`, 'm'))
    t.throws(() => settled({ [variable]: '?' }), { message: new RegExp(variable) })
  }
})

t.test('the exit codes are those that errors have', async (t) => {
  const codes = /Exit codes: ([^.]*)\./.exec(readme.replace(/\n/g, ' '))?.[1] ?? ''
  const told = [...codes.matchAll(/\d+/g)].map(([code]) => code)
  const help = (await runSluice(['--help'])).stdout
  t.same(
    [...(/^Exit codes: (.*)\.$/m.exec(help)?.[1] ?? '').matchAll(/\d+/g)].map(([code]) => code),
    told,
  )
  const table = await readFile(join(root, 'src/base/errors.ts'), 'utf8')
  const used = [...table.matchAll(/ exit: (\d+) /g)].map(([, code]) => code)
  t.same([...new Set(['0', ...used])].sort(), told.sort())
})

t.test('variables that are named are read', async (t) => {
  const read = new Set(
    knownSettings().map((key) => `SLUICE_${key.toUpperCase().replaceAll('-', '_')}`),
  )
  for (const file of await readdir(join(root, 'src'), { recursive: true })) {
    if (!file.endsWith('.ts')) continue
    const text = await readFile(join(root, 'src', file), 'utf8')
    for (const [, name = ''] of text.matchAll(/env\.(SLUICE_\w+)/g)) read.add(name)
  }
  const help = (await runSluice(['--help'])).stdout + (await runSluice(['serve', '--help'])).stdout
  const named = new Set((readme + design + operating + help).match(/\bSLUICE_[A-Z_]+\b/g))
  t.ok(named.has('SLUICE_TOKEN'))
  for (const name of named) t.ok(read.has(name), name)
})

t.test('numbers and settings of docs/operating.md are those of the program', async (t) => {
  const text = operating.replace(/\s*\n\s*/g, ' ')
  const told = (pattern: RegExp): number => Number(pattern.exec(text)?.[1])
  const { retainGenerations, retainDays, scrubDays } = settled({})
  t.equal(told(/\(`retain-generations`, (\d+)\)/), retainGenerations)
  t.equal(told(/\(`retain-days`, (\d+)\)/), retainDays)
  t.equal(told(/read again in (\d+) days \(`scrub-days`\)/), scrubDays)
  t.equal(told(/expire within (\d+) days/) * 86_400, ANNOUNCED_S)
  const clients = (await runSluice(['channel', 'clients', '--help'])).stdout
  t.match(clients, `in the last ${told(/in the last (\d+) days, and which/)} days`)
  const backup = (await runSluice(['backup', '--help'])).stdout
  t.match(backup, new RegExp(`--keep <number>.*default: "${told(/the newest (\d+) stay/)}"`))
  t.match(text, 'more than a fifth of all generations or bytes')
  t.same([isBraked(100, 20), isBraked(100, 21)], [false, true])

  const lines = spansOf(operating).filter((span) => /^[\w-]+ = /.test(span))
  t.not(lines.length, 0)
  for (const toml of lines) t.ok(parseConfig({ flags: {}, env: {}, toml }), toml)
})

function isBraked(generations: number, due: number): boolean {
  const none = { chunks: 0, rows: 0, rowBytes: 0, files: 0, fileBytes: 0 }
  const gone = { ...none, releases: 0, states: 0, origins: 0, generations: due }
  return brakeOf({ due: gone, totals: { ...none, generations } }) !== undefined
}

t.test('what docs/operating.md tells to change takes a reason, and everything JSON', async (t) => {
  const looks =
    /^(refresh|show|history|list|search|diff|changelog|clients|fill|backup|restore|audit|verify|stats)$/
  for (const line of commandsOf(operating, ['sluice'])) {
    const words = line.split(' ').slice(1)
    let help = ''
    const stdout = { columns: 200, write: (text: string) => (help += text) }
    const signal = new AbortController().signal
    await runProgram([...words, '--help'], { env: {}, stdout, stderr: stdout, signal, setExitCode })
    t.match(help, /^ +--json /m, line)
    const isLook = words.slice(0, 2).some((word) => looks.test(word))
    t.equal(/^ +--reason /m.test(help), !isLook, line)
  }
})

function setExitCode(): void {}

t.test('the floors are the folders of the source', async (t) => {
  const line = /^`base` < .*$/m.exec(design)?.[0] ?? ''
  const floors = [...(line.split('. ')[0] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name)
  t.same(floors.sort(), (await readdir(join(root, 'src'))).sort())
})

// Of the file: a test's own would be removed while its server still runs.
const dir = testDir(t)

t.test('a real data directory has the files and tables that are named', async (t) => {
  const bed = await makeImportBed(dir)
  const { data } = await bed.serving(t, 'real')
  const place =
    tableWith(design, 'where')
      ?.slice(1)
      .map(([what = '']) => what) ?? []
  const told = place.flatMap((what) => spansOf(what)).map((name) => name.replace(/\/.*/, ''))
  const files = (await readdir(data)).filter((name) => !/-(wal|shm|journal)$/.test(name))
  t.same(files.sort(), told.sort())
  const section = /^## The data directory\n(.*?)^\|/ms.exec(readme)?.[1] ?? ''
  const names = spansOf(section).filter((name) => !['./var', 'sluice.toml'].includes(name))
  t.not(names.length, 0)
  for (const name of names) t.ok(existsSync(join(data, name)), `README: ${name}`)

  const rows = tableWith(design, 'table')?.slice(1) ?? []
  const database = new Database(join(data, 'sluice.db'), { readonly: true })
  const real = database
    .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('sqlite_'))
  database.close()
  t.same(rows.flatMap(([names = '']) => spansOf(names)).sort(), real.sort())
  for (const [names = '', owner = ''] of rows) {
    const text = await readFile(join(root, 'src', `${owner}.ts`), 'utf8')
    // A first migration may have made two owners' tables; each says in its head what it owns.
    const owns = (name: string): RegExp => new RegExp(`owns the tables?\\b[^.]*\`${name}\``)
    const makes = (name: string): RegExp => new RegExp(`CREATE TABLE (IF NOT EXISTS )?${name}\\b`)
    for (const name of spansOf(names))
      t.ok(owns(name).test(text) || makes(name).test(text), `${owner}: ${name}`)
  }
})

/** The table whose first heading this is. */
function tableWith(page: string, heading: string): Table | undefined {
  return tablesOf(page).find(([titles]) => titles?.includes(heading))
}

function bare(cell: string): string {
  return cell.replaceAll('`', '')
}

function settled(env: NodeJS.ProcessEnv): Omit<Config, 'environment'> {
  const { environment: _, ...settings } = parseConfig({ flags: {}, env })
  return settings
}

/** As the program tells them where it is told one that it does not know. */
function knownSettings(): string[] {
  try {
    parseConfig({ flags: {}, env: {}, toml: 'no-such-setting = 1' })
  } catch (error) {
    const text = error instanceof AppError ? error.message : ''
    return /there are (.*)$/.exec(text)?.[1]?.split(', ') ?? []
  }
  return []
}
