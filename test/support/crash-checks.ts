/**
 * What must hold of a data directory and of what is served from it, whenever the server was killed (design.md,
 * section 4), told as a list of what does not.
 */
import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { run } from './run.ts'
import type { SluiceProcess } from './sluice-process.ts'

export const channels = ['testing', 'approved'] as const
export const suites = ['stable', 'stable-security'] as const

/** One suite of a channel as a client sees it. */
export interface Seen {
  /** Epoch seconds. */
  readonly date: number
  /** What is offered: path -> digest of each index. */
  readonly content: string
}

/** `approved stable` -> what was seen there; `approved key` -> its digest as content. */
export type Sight = Map<string, Seen>

/** Looks at all suites and keys; channels that serve nothing are left out. Throws when the server is gone. */
export async function look(url: string): Promise<Sight> {
  const sight: Sight = new Map()
  for (const channel of channels) {
    for (const suite of suites) {
      const text = await textAt(`${url}/channels/${channel}/nut/dists/${suite}/InRelease`)
      if (text === undefined) continue
      const date = Date.parse(/^Date: (.*)$/m.exec(text)?.[1] ?? '') / 1000
      const content = (text.match(/^ [0-9a-f]{64} .*$/gm) ?? []).join('\n')
      sight.set(`${channel} ${suite}`, { date, content })
    }
    const key = await textAt(`${url}/channels/${channel}/key.asc`)
    if (key !== undefined) sight.set(`${channel} key`, { date: 0, content: key })
  }
  return sight
}

async function textAt(url: string): Promise<string | undefined> {
  const response = await fetch(url)
  const text = await response.text()
  return response.ok ? text : undefined
}

/** Where a later look contradicts an earlier one: gone, of an older Date, another key, other content at one Date. */
export function contradictions(earlier: Sight, later: Sight): string[] {
  return [...earlier].flatMap(([what, was]) => {
    const is = later.get(what)
    if (is === undefined) return [`${what} is gone`]
    if (is.date < was.date) return [`${what}: Date went from ${was.date} to ${is.date}`]
    if (is.date === was.date && is.content !== was.content)
      return [`${what}: changed, Date did not`]
    return []
  })
}

/** The channels whose content is none of those that they may have, as wholes. */
export function strangers(now: Sight, allowed: readonly Sight[]): string[] {
  const of = (sight: Sight, channel: string): string =>
    suites.map((suite) => sight.get(`${channel} ${suite}`)?.content ?? 'nothing').join('\n')
  return channels
    .filter((channel) => !allowed.some((one) => of(one, channel) === of(now, channel)))
    .map((channel) => `${channel} serves what it never was to be:\n${of(now, channel)}`)
}

/** Digests of the files that are complete in the store, after reading them all. */
export async function completeBlobs(
  dataDir: string,
): Promise<{ here: Set<string>; bad: string[] }> {
  const here = new Set<string>()
  const bad: string[] = []
  const blobs = join(dataDir, 'blobs')
  for (const path of await readdir(blobs, { recursive: true, withFileTypes: true }).catch(
    () => [],
  )) {
    if (path.isDirectory()) continue
    const digest = path.parentPath.slice(blobs.length + 1) + path.name
    const data = await readFile(join(path.parentPath, path.name))
    if (createHash('sha256').update(data).digest('hex') === digest) here.add(digest)
    else bad.push(`the file ${digest} holds other bytes`)
  }
  return { here, bad }
}

/** What is wrong in the directory of a server that was just killed; looks at a copy, so that it stays as it was. */
export async function checkDead(
  dataDir: string,
  blobs: ReadonlySet<string>,
  scratch: string,
): Promise<string[]> {
  await rm(scratch, { recursive: true, force: true })
  await mkdir(scratch)
  const names = (await readdir(dataDir)).filter((name) => name.startsWith('sluice.db'))
  for (const name of names) await cp(join(dataDir, name), join(scratch, name))
  if (names.length === 0) return []
  const db = new Database(join(scratch, 'sluice.db'))
  try {
    const hasTables = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'channel'").all()
    if (hasTables.length === 0) return []
    const wrong: string[] = []
    const files = db.prepare('SELECT lower(hex(sha256)) AS name FROM blob WHERE data IS NULL')
    for (const { name } of files.all() as { name: string }[]) {
      if (!blobs.has(name)) wrong.push(`blob ${name} has a row and no whole file`)
    }
    const headless = db.prepare(`SELECT name FROM channel WHERE head > 0 AND NOT EXISTS
      (SELECT 1 FROM generation WHERE channel_id = channel.id AND serial = head)`)
    for (const { name } of headless.all() as { name: string }[])
      wrong.push(`the head of ${name} is no generation`)
    const stateless = db.prepare(`SELECT state FROM (SELECT state FROM generation_suite
      UNION SELECT state FROM archive_suite WHERE state IS NOT NULL)
      WHERE NOT EXISTS (SELECT 1 FROM blob WHERE lower(hex(sha256)) = state)`)
    for (const { state } of stateless.all() as { state: string }[])
      wrong.push(`the state ${state} is no blob`)
    const floorless = db.prepare(`SELECT archive, suite FROM generation_suite
      JOIN release ON release.id = release_id JOIN publication_suite USING (publication_id, archive, suite)
      WHERE date > date_floor`)
    for (const one of floorless.all()) wrong.push(`no Date floor holds for ${JSON.stringify(one)}`)
    return wrong
  } finally {
    db.close()
  }
}

/** What is wrong with a server that was started again. */
export async function checkAlive(
  sluice: SluiceProcess,
  dataDir: string,
  scratch: string,
): Promise<string[]> {
  const wrong: string[] = []
  const { problems, error } = await sluice.api('POST', '/verify', { deep: true })
  for (const one of problems ?? [error]) wrong.push(`verify: ${JSON.stringify(one)}`)
  // Names begin with the process whose files they are; the one that runs has work of its own.
  const { pid } = JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8'))
  for (const name of await readdir(join(dataDir, 'tmp'))) {
    if (!name.startsWith(`${pid}-`)) wrong.push(`tmp/${name} was left`)
  }
  for (const channel of channels) {
    for (const suite of suites)
      wrong.push(...(await checkSuite(sluice.url, channel, suite, scratch)))
  }
  return wrong
}

/** Reads a suite as a client does: signature by gpgv, each index by name and by hash, its text unpacked. */
async function checkSuite(
  url: string,
  channel: string,
  suite: string,
  scratch: string,
): Promise<string[]> {
  const root = `${url}/channels/${channel}`
  const dists = `${root}/nut/dists/${suite}`
  const answer = await fetch(`${dists}/InRelease`)
  const text = await answer.text()
  if (answer.status === 404) return []
  const wrong: string[] = []
  const key = await (await fetch(`${root}/key.gpg`)).bytes()
  await writeFile(join(scratch, 'key.gpg'), key)
  await writeFile(join(scratch, 'InRelease'), text)
  const files = ['--keyring', join(scratch, 'key.gpg'), join(scratch, 'InRelease')]
  const { code, stderr } = await run('gpgv', files)
  if (code !== 0) wrong.push(`${channel} ${suite}: gpgv says ${stderr}`)
  const date = Date.parse(/^Date: (.*)$/m.exec(text)?.[1] ?? '')
  if (Date.parse(answer.headers.get('last-modified') ?? '') !== date)
    wrong.push(`${channel} ${suite}: Last-Modified is not Date`)
  if (!(date <= Date.now())) wrong.push(`${channel} ${suite}: Date is in the future`)
  const listed = new Map(
    [...text.matchAll(/^ ([0-9a-f]{64}) +\d+ (.*)$/gm)].map(([, digest, path]) => [path, digest]),
  )
  for (const [path = '', digest] of listed) {
    if (!path.endsWith('.gz')) continue
    const folder = path.slice(0, path.lastIndexOf('/'))
    for (const name of [path, `${folder}/by-hash/SHA256/${digest}`]) {
      const data = Buffer.from(await (await fetch(`${dists}/${name}`)).bytes())
      const isRight = hashOf(data) === digest
      if (!isRight) wrong.push(`${channel} ${suite}: ${name} is not what InRelease names`)
      else if (hashOf(gunzipSync(data)) !== listed.get(path.slice(0, -3)))
        wrong.push(`${channel} ${suite}: ${name} unpacks to something else`)
    }
  }
  return wrong
}

function hashOf(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

/** What the audit tells, without the times; `system`'s making of the first token may be there twice. */
export async function auditOf(sluice: SluiceProcess): Promise<string[]> {
  const rows: { who: string; what: string; object: string }[] = await sluice.api(
    'GET',
    '/audit?limit=10000',
  )
  const told = rows.map(({ who, what, object }) => `${who}: ${what} ${object}`)
  return told.filter((row) => row !== 'system: token create token admin').sort()
}
