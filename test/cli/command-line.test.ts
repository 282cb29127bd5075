/** The real `sluice` against a real server, as scripts: what a person types and reads. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { playScript, type ScriptOptions } from '../support/cli-script.ts'
import { startSluice } from '../support/sluice.ts'
import { makeWorld } from '../support/world.ts'

const scripts = join(import.meta.dirname, 'scripts')
const first: PackageSpec[] = [hello('1'), { name: 'other', version: '1', arch: 'all' }]

function hello(version: string): PackageSpec {
  return { name: 'hello', version, arch: 'amd64', content: 3000 }
}

/** `hello=2` as a package, `hello=2/other=1` as one that needs just that; `other` has no architecture. */
function readPackage(word: string): PackageSpec {
  const [own = '', needed] = word.split('/')
  const [name = '', version = '1'] = own.split('=')
  const depends = needed === undefined ? {} : { depends: needed.replace(/=(.*)/, ' (= $1)') }
  const made = name === 'other' ? { name, version, arch: 'all' } : { ...hello(version), name }
  return { ...made, ...depends }
}

async function stage(t: Test): Promise<ScriptOptions> {
  const world = await makeWorld(t, first)
  const { dir, sluice, upstream, key } = world
  return {
    cwd: dir,
    env: {
      SLUICE_DATA: 'var',
      UPSTREAM: upstream.url,
      SERVER: sluice.url,
      KEY: key.publicAsc,
      BINARY_KEY: key.publicGpg,
    },
    actions: {
      publish: (...words) => world.publish(words.map(readPackage)),
      'publish-all': (...words) => {
        const packages = words.map(readPackage)
        const sources = packages.map(({ name, version }) => ({ name, version }))
        const files = { 'main/Contents-amd64': 'usr/bin/hello misc/hello\n' }
        return world.publish(packages, { translations: true, sources, files })
      },
      down: () => upstream.fault(/./, { kind: 'status', status: 500, body: 'down' }),
      break: (path = '') => upstream.fault(path, { kind: 'html' }),
      up: () => upstream.clearFaults(),
      fetch: (file = '') => fetchFromApproved(sluice.url, file),
      stop: () => sluice.close(),
      tamper: async (...words) => {
        await sluice.close()
        const file = new Database(join(sluice.dataDir, 'sluice.db'))
        file.exec(words.join(' '))
        file.close()
        const again = await startSluice(sluice.dataDir)
        t.teardown(() => again.close())
      },
    },
  }
}

/** As a machine on `approved` does: the server has the file afterwards. */
async function fetchFromApproved(url: string, file: string): Promise<void> {
  const base = `${url}/channels/approved/nut`
  const index = await fetch(`${base}/dists/stable/main/binary-amd64/Packages.gz`)
  const packages = gunzipSync(Buffer.from(await index.arrayBuffer())).toString()
  const path = packages.split('\n').find((line) => line.endsWith(`/${file}`)) ?? ''
  const response = await fetch(`${base}/${path.replace('Filename: ', '')}`)
  if (!response.ok) throw new Error(`${file}: ${response.status}`)
  await response.arrayBuffer()
}

// Each command is a process: two scripts at a time.
t.jobs = 2
for (const name of (await readdir(scripts)).filter((file) => file.endsWith('.txt'))) {
  t.test(`the script ${name.replace('.txt', '')} goes as written`, async (t) => {
    await playScript(t, join(scripts, name), await stage(t))
  })
}
