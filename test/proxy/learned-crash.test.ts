/**
 * `kill -9` while a file that nothing verifies is kept, or an archive is learned: the next start serves whole files only,
 * leaves nothing behind, and machines do not notice.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { type PackageSpec, poolPath } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { makeLearnedWorld } from '../support/learned-world.ts'
import { ask } from '../support/raw-http.ts'
import { type SluiceProcess, startProcess } from '../support/sluice-process.ts'
import { clean, troubles } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 100_000 }
const some = ['web: file durable, no row', 'learning: state written']
const others = ['web: bytes written', 'web: row written', 'learning: table made, not named']
const points = process.env.SOAK === undefined ? some : [...some, ...others]
const paths = [
  'dists/stable/InRelease',
  'project/trace/master',
  'dists/stable/main/binary-amd64/Packages.xz',
  poolPath(hello),
]

t.test('a server that is killed while it learns goes on as if it had not been', async (t) => {
  const { archive, upstream, sluice, key, dir } = await makeLearnedWorld(t, [hello])
  await sluice.close()
  const trace = 'today\n'.repeat(50_000)
  await mkdir(join(archive, 'project/trace'), { recursive: true })
  await writeFile(join(archive, 'project/trace/master'), trace)
  for (const [at, point] of points.entries()) {
    const data = join(dir, `data-${at}`)
    await mkdir(data)
    const host = new URL(upstream.url).host
    await writeFile(join(data, 'sluice.toml'), `learn-hosts = ["${host}"]\n`)
    const begun = await startProcess(t, data, `kill-at:${point}`)
    if (!('url' in begun)) throw new Error(begun.text)
    for (const path of paths) await get(begun, `${upstream.url}/${path}`).catch(() => undefined)
    t.match(await begun.ended, { signal: 'SIGKILL' }, point)

    const again = await startProcess(t, data)
    if (!('url' in again)) throw new Error(again.text)
    t.same(await strays(data), [], 'nothing is left that has no row')
    const apt = await createApt(join(dir, `apt-${at}`), {
      sources: `deb [signed-by=${key.publicAsc}] ${upstream.url} stable main`,
      proxy: again.url,
    })
    t.same(troubles(await apt.update()), clean)
    t.same(troubles(await apt.install('hello')), clean)
    const { body } = await get(again, `${upstream.url}/project/trace/master`)
    t.ok(body.equals(Buffer.from(trace)))
    t.same((await again.api('POST', '/verify', {})).problems, [])
    await again.stop()
  }
})

function get(server: SluiceProcess, uri: string) {
  return ask(server.url, `GET ${uri} HTTP/1.1`)
}

/** Files of the cache by HTTP rules that no row names. */
async function strays(data: string): Promise<string[]> {
  const database = new Database(join(data, 'sluice.db'), { readonly: true })
  const rows = database.prepare<[], { file: string }>('SELECT file FROM web_file').all()
  database.close()
  const known = new Set(rows.map(({ file }) => file))
  const entries = await readdir(join(data, 'web'), { recursive: true, withFileTypes: true })
  const files = entries.filter((one) => one.isFile())
  return files
    .map((one) => `${one.parentPath.slice(-2)}${one.name}`)
    .filter((name) => !known.has(name))
}
