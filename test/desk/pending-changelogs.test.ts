/**
 * Changelogs that are not as they should be: huge, in two encodings, behind links, absent, in packages that cannot be read or
 * had. Each is told as that, and keeps nobody from the others.
 */
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { FileSpec, PackageSpec } from '../../fixtures/debs.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { runSluice } from '../support/program.ts'
import { makeWideWorld } from '../support/wide-world.ts'
import { makeWorld, type World } from '../support/world.ts'

const by = ' -- A. Uthor <a@archive.example>  Mon, 02 Mar 2026 10:00:00 +0000'

function entry(source: string, version: string, line: string): string {
  return `${source} (${version}) stable; urgency=high\n\n  * ${line}\n\n${by}\n\n`
}

const doc = (name: string): string => `usr/share/doc/${name}/changelog.Debian.gz`
const two = (source: string, line: string): string =>
  entry(source, '2', line) + entry(source, '1', 'First.')

function pack(name: string, version: string, files: Record<string, FileSpec>): PackageSpec {
  return { name, version, arch: 'amd64', files }
}

/** All of version 1, and what comes after. */
const first = ['huge', 'long', 'mixed', 'none', 'gone', 'tool', 'kept'].map((name) =>
  pack(name, '1', { [doc(name)]: entry(name, '1', 'First.') }),
)
const after: PackageSpec[] = [
  pack('huge', '2', { [doc('huge')]: randomBytes(10_000_000).toString('base64') }),
  pack('long', '2', {
    [doc('long')]:
      `${two('long', 'CVE-2026-0002')}${entry('long', '0.1', 'x'.repeat(70)).repeat(40_000)}`,
  }),
  pack('mixed', '2', {
    [doc('mixed')]: { latin1: two('mixed', 'By J\u00f6rg; CVE-2026-0001.') },
  }),
  pack('none', '2', {}),
  pack('gone', '2', { [doc('gone')]: two('gone', 'x') }),
  { ...pack('tool-dev', '2', { 'usr/share/doc/tool-dev': { link: 'libtool1' } }), source: 'tool' },
  {
    ...pack('libtool1', '2', { [doc('libtool1')]: two('tool', 'CVE-2026-0003') }),
    ...{ source: 'tool', content: 30_000 },
  },
  pack('kept', '2', { [doc('kept')]: two('kept', 'CVE-2026-0004') }),
]

function commands({ sluice }: Pick<World, 'sluice'>) {
  const pending = (...args: string[]): ReturnType<typeof runSluice> =>
    runSluice(['--data', sluice.dataDir, 'pending', ...args])
  const known = async (): Promise<Map<string, { changelog: string }>> => {
    const { pending: told } = await sluice.api('GET', '/pending')
    return new Map(told.map((one: { source: string }) => [one.source, one]))
  }
  return { pending, known }
}

t.test('what is wrong with a changelog is told, and the others are read', async (t) => {
  const world = await makeWorld(t, first)
  const { sluice, upstream, publish } = world
  await publish(after)
  await sluice.api('POST', '/archives/refresh')
  const { pending, known } = commands(world)

  upstream.fault(/kept_2/, { kind: 'status', status: 503 })
  const down = await pending('--fetch', 'kept')
  t.equal(down.code, 1, 'what may pass ends it')
  t.match(down.stderr, /sluice: error: .*503/)
  upstream.clearFaults()

  upstream.fault(/gone_2/, { kind: 'status', status: 404 })
  const fetched = await pending('--fetch')
  t.equal(fetched.code, 3, 'one could not be had')
  t.match(fetched.stderr, /^sluice: warning: gone: .*404/m)
  const told = await known()
  t.match(told.get('huge'), { changelog: 'too large', urgency: 'unknown', cves: [] })
  t.match(told.get('long'), { changelog: 'read', cves: ['CVE-2026-0002'], entryCount: 1 })
  t.match(told.get('mixed'), {
    changelog: 'read',
    cves: ['CVE-2026-0001'],
    isOdd: true,
    entries: [{ lines: ['* By J\u00f6rg; CVE-2026-0001.'] }],
  })
  t.match(told.get('none'), { changelog: 'none' })
  t.match(told.get('gone'), { changelog: 'not here' })
  t.match(told.get('tool'), { changelog: 'read', cves: ['CVE-2026-0003'] }, 'behind a link')
  t.match(fetched.stdout, /^changelogs not here yet: 1 /m)
  t.match(fetched.stdout, /^changelogs that cannot be read: 1 /m)
  const { stdout } = await pending('huge', 'gone', 'mixed', '--details')
  t.match(stdout, /^huge .*\n.*\n.*\n {2}changelog +too large to be read$/m)
  t.match(
    stdout,
    /^gone .*\n.*\n.*\n {2}changelog +not known, as none of its packages is here yet/m,
  )
  t.match(stdout, /^mixed .*\n.*\n.*\n {2}changelog +1 new entry, .*; some of it is not UTF-8$/m)

  const changelog = await runSluice([
    '--data',
    sluice.dataDir,
    'changelog',
    'mixed',
    '--to',
    'approved',
  ])
  t.match(changelog.stdout, / \* By J\u00f6rg; /)
  t.match(changelog.stderr, /^sluice: warning: some of it is not UTF-8, and shown as Latin-1$/m)

  // Read once: the file could go.
  const { body } = await fileOf(world, 'kept', '2')
  const digest = sha256Of(body)
  await rm(join(sluice.dataDir, 'blobs', digest.slice(0, 2), digest.slice(2)))
  t.match((await known()).get('kept'), { changelog: 'read', cves: ['CVE-2026-0004'] })
})

async function fileOf({ upstream }: World, name: string, version: string) {
  const url = `${upstream.url}/pool/main/${name[0]}/${name}/${name}_${version}_amd64.deb`
  return { body: Buffer.from(await (await fetch(url)).arrayBuffer()) }
}

t.test('a package that is none is told as that', async (t) => {
  const world = await makeWideWorld(t, new Map([['odd', '1']]))
  await world.publish(new Map([['odd', '2']]))
  const { pending, known } = commands({ sluice: world.sluice() })
  t.match(await pending('--fetch'), { code: 0, stdout: /^changelogs that cannot be read: 1 /m })
  t.match((await known()).get('odd'), { changelog: 'unreadable' })
})
