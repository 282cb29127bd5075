/**
 * The story that crash tests interrupt: an upstream at two times, and the phases that lead a server through it. Each
 * step may be taken again, whether it was done, half done or not begun: so a person goes on after a crash.
 */
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchiveSpec } from '../../fixtures/archive-spec.ts'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { makeSigningKey, type SigningKey } from '../../fixtures/signing-key.ts'
import { startsChunk } from '../../src/archives/index-cut.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { runOk } from './run.ts'
import type { SluiceProcess } from './sluice-process.ts'

export const phases = ['setup', 'refresh', 'promote', 'download', 'rollback', 'repair'] as const
export type Phase = (typeof phases)[number]

/** Upstream before and after it published again: directories to serve. */
export interface Upstreams {
  readonly before: string
  readonly after: string
  readonly key: SigningKey
}

/** What the steps work with. */
export interface Stage {
  readonly sluice: SluiceProcess
  readonly upstreamUrl: string
  readonly keyring: string
}

/** Which upstream a phase sees. */
export function upstreamOf(phase: Phase, { before, after }: Upstreams): string {
  return phase === 'setup' ? before : after
}

const CHUNKS_OF_MAIN = 30
const huge: PackageSpec = { name: 'huge', version: '1', arch: 'amd64', content: 400_000 }
const small: PackageSpec = { name: 'small', version: '1', arch: 'all', content: 2000 }
const duo = (name: string, version: string): PackageSpec => ({
  name,
  version,
  arch: 'amd64',
  source: 'duo',
  content: 90_000,
})

/** Publishes both; some 60 packages in two suites and two components, with more chunks than one batch holds. */
export async function makeUpstreams(dir: string): Promise<Upstreams> {
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>')
  const fill = (name: string, component: string): PackageSpec => ({
    name,
    version: '1',
    arch: 'all',
    component,
  })
  const main = names('pack', CHUNKS_OF_MAIN, 12).map((name) => fill(name, 'main'))
  const extra = names('extra', 3, 5).map((name) => fill(name, 'extra'))
  const secure = names('secure', 2, 2).map((name) => fill(name, 'main'))
  const renewed = ({ ...one }: PackageSpec, at: number): PackageSpec =>
    at % 10 === 3 ? { ...one, version: '2' } : one
  const before = join(dir, 'before')
  const after = join(dir, 'after')
  const spec = (version: string, stable: PackageSpec[], security: PackageSpec[]): ArchiveSpec => ({
    key,
    translations: true,
    suites: [
      {
        ...{ suite: 'stable', codename: 'nut', origin: 'Nut', label: 'Nut' },
        ...{ components: ['main', 'extra'], architectures: ['amd64'], packages: stable },
        sources: [{ name: 'duo', version, binaries: ['duo', 'duo-data'] }],
        files: { 'main/Contents-amd64': `usr/bin/duo misc/duo-${version}\n` },
      },
      {
        ...{ suite: 'stable-security', codename: 'nut-security', origin: 'Nut', label: 'Nut' },
        ...{ components: ['main'], architectures: ['amd64'], packages: security },
      },
    ],
  })
  const both = (version: string): PackageSpec[] => [duo('duo', version), duo('duo-data', version)]
  await makeArchive(before, spec('1', [...main, ...extra, ...both('1'), huge, small], secure))
  await cp(before, after, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  const newer = [...main, ...extra].map(renewed)
  const fresh: PackageSpec = { name: 'fresh', version: '1', arch: 'amd64', content: 3000 }
  await makeArchive(
    after,
    spec('2', [...newer, ...both('2'), huge, small, fresh], secure.map(renewed)),
  )
  return { before, after, key }
}

/** Package names of which so many begin a chunk, and so many do not. */
function names(stem: string, starting: number, others: number): string[] {
  const wanted = { true: starting, false: others }
  const found: string[] = []
  for (let at = 0; wanted.true + wanted.false > 0; at++) {
    const name = `${stem}-${at}`
    const kind = startsChunk(name) ? 'true' : 'false'
    if (wanted[kind] === 0) continue
    wanted[kind]--
    found.push(name)
  }
  return found
}

/** Takes the steps of a phase, or what is left of them; throws when the server dies meanwhile. */
export async function play(phase: Phase, stage: Stage): Promise<void> {
  const { sluice } = stage
  const ask = async (path: string, body: object): Promise<void> => {
    const { error, outcomes = [] } = await sluice.api('POST', path, body)
    if (error !== undefined && error.code !== 'ERR_CONFLICT') throw new StoryError(path, error)
    for (const { problem } of outcomes) if (problem) throw new StoryError(path, problem)
  }
  if (phase === 'setup') await setUp(stage, ask)
  if (phase === 'refresh') await ask('/archives/refresh', {})
  if (phase === 'promote') {
    const sources = [{ name: 'duo', version: '2' }, { name: 'fresh' }]
    await ask('/promotions', { from: 'testing', to: 'approved', sources, reason: 'tried' })
  }
  if (phase === 'download' || phase === 'repair') await fetchHuge(sluice)
  if (phase === 'rollback') await ask('/channels/approved/rollback', { to: 1 })
}

async function setUp(
  { upstreamUrl, keyring }: Stage,
  ask: (path: string, body: object) => Promise<void>,
): Promise<void> {
  await ask('/archives', {
    name: 'nut',
    urls: [upstreamUrl],
    suites: ['stable', 'stable-security'],
    components: ['main', 'extra'],
    architectures: ['amd64'],
    sources: true,
    extras: ['contents'],
    keyring,
  })
  await ask('/archives/refresh', {})
  await ask('/channels', { name: 'testing', follow: ['nut'] })
  await ask('/channels', { name: 'approved', from: 'testing' })
  await ask('/tokens', { name: 'robot' })
}

/** As apt does: the path from the index, then the file. */
async function fetchHuge(sluice: SluiceProcess): Promise<void> {
  const root = `${sluice.url}/channels/approved/nut`
  const index = await fetch(`${root}/dists/stable/main/binary-amd64/Packages.gz`)
  const { stdout } = await runOk('gzip', ['-dc'], { input: await index.bytes() })
  const stanza = stdout.split('\n\n').find((one) => one.startsWith('Package: huge\n')) ?? ''
  const path = /^Filename: (.*)$/m.exec(stanza)?.[1]
  const digest = /^SHA256: (.*)$/m.exec(stanza)?.[1]
  const response = await fetch(`${root}/${path}`)
  const found = sha256Of(await response.bytes())
  if (found !== digest) throw new StoryError(String(path), { code: `${response.status} ${found}` })
}

/** A step that was answered, but not as it should be. */
export class StoryError extends Error {
  constructor(path: string, error: { code: string; message?: string }) {
    super(`${path}: ${error.code} ${error.message ?? ''}`)
  }
}
