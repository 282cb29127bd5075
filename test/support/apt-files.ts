/**
 * Sources of apt in a root directory of their own, read by Sluice and judged by the real apt: with empty lists, `apt-get
 * update --print-uris` names the index of every URI, suite, component and architecture that it would fetch.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import type { AptSource } from '../../src/archives/apt-source.ts'
import { type AptReadOptions, type AptSetup, readAptSetup } from '../../src/archives/apt-sources.ts'
import { run } from './run.ts'
import { testDir } from './test-dir.ts'

/** By path below `etc/apt`. */
export type Files = Readonly<Record<string, string>>

/** A root directory with these files, and amd64 with i386 unless a file says otherwise. */
export async function makeRoot(t: Test, files: Files): Promise<string> {
  const root = testDir(t, { etc: { apt: {} }, var: { lib: { apt: { lists: {} } } } })
  const all = {
    'apt.conf.d/00arch': 'APT::Architecture "amd64"; APT::Architectures { "amd64"; "i386"; };',
  }
  for (const [name, text] of Object.entries({ ...all, ...files })) {
    const path = join(root, 'etc/apt', name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
  await mkdir(join(root, 'var/lib/dpkg'), { recursive: true })
  await writeFile(join(root, 'var/lib/dpkg/status'), '')
  return root
}

/** What Sluice reads of such a root. */
export async function readFiles(
  t: Test,
  files: Files,
  options?: AptReadOptions,
): Promise<AptSetup> {
  return readAptSetup(await makeRoot(t, files), options)
}

/** The URL of the directory of every index. */
function indexesOf(sources: readonly AptSource[]): string[] {
  const all = sources.flatMap(({ uri, suite, components, architectures }) =>
    suite.endsWith('/')
      ? [`${uri}/${suite}`.replace(/\/+$/, '')]
      : components.flatMap((component) =>
          architectures.map((arch) => `${uri}/dists/${suite}/${component}/binary-${arch}`),
        ),
  )
  return [...new Set(all)].sort()
}

/** The same from apt itself; those of architecture all and those of other than http are none of ours. */
async function indexesOfApt(root: string): Promise<string[]> {
  const conf = join(root, 'apt.conf')
  await writeFile(conf, `Dir "${root}/"; Dir::State::status "${root}/var/lib/dpkg/status";`)
  const env = { APT_CONFIG: conf }
  const { code, stdout, stderr } = await run('apt-get', ['update', '--print-uris'], { env })
  if (code !== 0) throw new Error(stderr)
  const found = [...stdout.matchAll(/^'(https?:\S+)\/Packages\.xz'/gm)].map((match) =>
    (match[1] ?? '').replace(/(?:\/\.?)+$/, ''),
  )
  return [...new Set(found.filter((url) => !url.endsWith('/binary-all')))].sort()
}

/** What Sluice reads; a test that apt reads the same, and more than nothing. */
export async function agrees(t: Test, files: Files): Promise<AptSetup> {
  return agreesOn(t, await makeRoot(t, files))
}

/** As `agrees`, on a root that is there. */
export async function agreesOn(t: Test, root: string): Promise<AptSetup> {
  const setup = await readAptSetup(root)
  const apt = await indexesOfApt(root)
  t.same(indexesOf(setup.sources), apt)
  t.not(apt.length, 0)
  return setup
}
