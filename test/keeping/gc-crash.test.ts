/**
 * `kill -9` at each step of a collection: what is kept is whole, the next collection goes on to the same end, and the audit
 * tells of all that went. Each crash point has to be passed; one in two of them, drawn by SEED, kills at its first passing. All
 * passings kill with SOAK=1.
 */
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { checkDead, completeBlobs } from '../support/crash-checks.ts'
import { drawn, seedOr } from '../support/seed.ts'
import { type SluiceProcess, startProcess } from '../support/sluice-process.ts'
import { testDir } from '../support/test-dir.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const DAY_MS = 24 * 3600_000
const isSoak = process.env.SOAK === '1'
const seed = seedOr(process.env.SEED)
/** All that are passed. */
const known = [
  'gc: generations, before the commit',
  'gc: generations dropped',
  'gc: releases, before the commit',
  'gc: doomed',
  'gc: chunks, before the commit',
  'gc: blobs, before the commit',
  'gc: rows of blobs removed, files left',
  'gc: file removed',
  'gc: file lists dropped',
  'gc: origins, before the commit',
]
const hello = (version: string): PackageSpec => ({
  name: 'hello',
  version,
  arch: 'amd64',
  content: 3000,
})

function alter(dataDir: string, ...statements: string[]): void {
  const db = new Database(join(dataDir, 'sluice.db'))
  for (const statement of statements) db.exec(statement)
  db.close()
}

/** As if all generations had been made, and all states replaced, so many days earlier. */
const age = (days: number): string[] => [
  `UPDATE generation SET made_at = made_at - ${days * DAY_MS}`,
  `UPDATE earlier_state SET replaced_at = replaced_at - ${days * DAY_MS}`,
]
const ageDoomed = `UPDATE doomed SET since = since - ${2 * DAY_MS}`

async function start(t: Test, dataDir: string, fault?: string): Promise<SluiceProcess> {
  const begun = await startProcess(t, dataDir, fault)
  if (!('url' in begun)) throw new Error(begun.text)
  return begun
}

/** Data with generations that expired, and a version with chunk, file and origin that is due. */
async function prepare(t: Test): Promise<string> {
  const { sluice, publish, machine } = await makeWorld(t, [hello('1')])
  const { api, dataDir } = sluice
  const rollBack = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++)
      await api('POST', '/channels/approved/rollback', { to: String(at % 2 === 0 ? 2 : 3) })
  }
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello')), clean)
  for (const version of ['2', '3', '4']) {
    await publish([hello(version)])
    await api('POST', '/archives/refresh')
    await api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  }
  await api('DELETE', '/channels/testing')
  await api('PATCH', '/channels/approved', { keepGenerations: 10, keepDays: 10 })
  await rollBack(6)
  alter(dataDir, ...age(60))
  // Generation 1 goes now and what it named is doomed: it is one of eleven, of which ten are kept, and the head.
  await rollBack(1)
  t.match(await api('POST', '/gc', {}), {
    deleted: { generations: 1 },
    waiting: { chunks: 1, files: 2 },
  })
  await rollBack(3)
  await sluice.close()
  alter(dataDir, ...age(60), ageDoomed)
  return dataDir
}

/** What a store holds: what names, what is named, and the files. */
async function contentOf(dataDir: string): Promise<Record<string, string[]>> {
  const db = new Database(join(dataDir, 'sluice.db'), { readonly: true })
  const list = (query: string): string[] => db.prepare<[], string>(query).pluck().all().sort()
  const content = {
    generations: list("SELECT channel_id || '@' || serial FROM generation"),
    suites: list("SELECT channel_id || '@' || serial || ' ' || state FROM generation_suite"),
    releases: list("SELECT id || '' FROM release"),
    forms: list('SELECT hex(root) FROM index_form'),
    chunks: list('SELECT hex(plain) FROM chunk'),
    raws: list('SELECT hex(raw) FROM raw_chunk'),
    sources: list("SELECT source || ' ' || chunk_id FROM chunk_source"),
    blobs: list('SELECT hex(sha256) || typeof(data) FROM blob'),
    origins: list('SELECT hex(sha256) FROM origin'),
    doomed: list('SELECT kind || hex(digest) FROM doomed'),
    open: list("SELECT id || '' FROM gc_run WHERE ended_at IS NULL"),
  }
  db.close()
  const files = await readdir(join(dataDir, 'blobs'), { recursive: true, withFileTypes: true })
  return {
    ...content,
    files: files
      .filter((one) => one.isFile())
      .map((one) => one.name)
      .sort(),
  }
}

/** What the audit tells of collections, in sum; a file whose row went before the crash goes once more. */
async function toldOf(sluice: SluiceProcess): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const { detail } of await sluice.api('GET', '/audit?what=gc&limit=1000')) {
    for (const [name, value] of Object.entries<number>(detail)) {
      if (name !== 'files' && name !== 'fileBytes') sums[name] = (sums[name] ?? 0) + value
    }
  }
  return sums
}

/** Collects to the end, twice, so that what was doomed now goes too; content and audit then. */
async function finish(
  t: Test,
  dataDir: string,
): Promise<{ content: object; told: object; problems: unknown }> {
  const first = await start(t, dataDir)
  const { problems } = await first.api('POST', '/verify', { deep: true })
  const { error } = await first.api('POST', '/gc', {})
  if (error !== undefined) throw new Error(error.message)
  await first.stop()
  alter(dataDir, ageDoomed)
  const second = await start(t, dataDir)
  await second.api('POST', '/gc', {})
  const told = await toldOf(second)
  await second.stop()
  return { content: await contentOf(dataDir), told, problems }
}

t.test('a collection that is killed anywhere goes on', { timeout: 1_700_000 }, async (t) => {
  const dir = testDir(t)
  const whole = await prepare(t)
  const run = async (name: string): Promise<string> => {
    const dataDir = join(dir, `data-${name}`)
    await cp(whole, dataDir, { recursive: true })
    return dataDir
  }
  const reference = await run('reference')
  const trace = join(dir, 'trace')
  const traced = await start(t, reference, `trace:${trace}`)
  const { deleted } = await traced.api('POST', '/gc', {})
  t.ok(
    deleted.generations > 0 && deleted.chunks === 1 && deleted.files === 2 && deleted.origins > 0,
  )
  await traced.stop()
  const wanted = await finish(t, reference)
  t.same(wanted.problems, [])

  const points = (await readFile(trace, 'utf8')).trim().split('\n')
  const all = points.flatMap((name, at) => (name.startsWith('gc: ') ? [{ name, nth: at + 1 }] : []))
  const firsts = all.filter(({ name }, at) => all.findIndex((one) => one.name === name) === at)
  const passed = firsts.map(({ name }) => name)
  t.same(
    known.filter((name) => !passed.includes(name)),
    [],
    'every crash point is passed',
  )
  const chosen = isSoak ? all : drawn(firsts, 2, seed)
  t.comment(`${all.length} crash points, ${chosen.length} taken`)
  for (const { name, nth } of chosen) {
    const dataDir = await run(String(nth))
    const killed = await startProcess(t, dataDir, `kill:${nth}`)
    if ('url' in killed) {
      await killed.api('POST', '/gc', {}).catch(() => undefined)
      t.match(await killed.ended, { signal: 'SIGKILL' })
    }
    const { here, bad } = await completeBlobs(dataDir)
    const dead = await checkDead(dataDir, here, join(dir, 'scratch'))
    t.same([...bad, ...dead], [], `killed at ${nth}: ${name}`)
    t.same(await finish(t, dataDir), wanted, 'the end is the same')
  }
})
