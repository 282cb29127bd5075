/**
 * `sluice adopt`: what a machine or another cache already has is taken in, if a verified index names it, and nothing else.
 */
import { appendFile, copyFile, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { buildDeb, type PackageSpec } from '../../fixtures/debs.ts'
import { makeLearnedWorld } from '../support/learned-world.ts'
import { getFile, poolFiles } from '../support/pool-files.ts'
import { runSluice } from '../support/program.ts'
import { runOk } from '../support/run.ts'
import { clean, makeWorld, troubles, type World } from '../support/world.ts'

const deb = (name: string, version = '1'): PackageSpec => ({
  name,
  version,
  arch: 'amd64',
  content: 3000,
})
const packages = [deb('hello'), deb('epoch', '1:2.0'), deb('tree'), deb('late')]
const source = { name: 'hello', version: '1', binaries: ['hello'] }

async function place(world: World, from: string, to: string): Promise<string> {
  const path = join(world.dir, 'old', to)
  await mkdir(dirname(path), { recursive: true })
  await copyFile(join(world.dir, 'archive', from), path)
  return path
}

t.test('takes what an index names from the trees of others, by its bytes', async (t) => {
  const world = await makeWorld(t, packages, {
    publish: { sources: [source] },
    settings: { sources: true },
  })
  const { dir, sluice, upstream, machine } = world
  const files = await poolFiles(world)
  const pathOf = (name: string): string => files.get(name)?.path ?? ''
  const old = join(dir, 'old')
  await place(world, pathOf('hello_1'), 'archives/hello_1_amd64.deb')
  const names = [...files.keys()]
  const epoch = names.find((name) => name.startsWith('epoch')) ?? ''
  const taken = await place(world, pathOf(epoch), 'archives/epoch_1%3a2.0_amd64.deb')
  await place(world, pathOf('tree_1'), `acng/${pathOf('tree_1')}`)
  await writeFile(join(old, 'acng', `${pathOf('tree_1')}.head`), 'HTTP/1.1 200 OK\r\n')
  await place(world, pathOf('tree_1'), 'again/tree.deb')
  for (const path of [...files.values()].map((one) => one.path))
    if (/\.(dsc|tar\.\w+)$/.test(path)) await place(world, path, `pool/${path}`)
  await buildDeb(join(old, 'own_1_all.deb'), { name: 'own', version: '1', arch: 'all' })
  await writeFile(
    join(old, 'late_1_amd64.deb'),
    (await readFile(join(dir, 'archive', pathOf('late_1')))).subarray(1000),
  )
  await symlink('.', join(old, 'debian'))
  await symlink(join(dir, 'archive', pathOf('late_1')), join(old, 'outside.deb'))
  await runOk('mkfifo', [join(old, 'pipe.deb')])

  const env = { SLUICE_URL: sluice.url, SLUICE_TOKEN: sluice.token }
  const wanted = { files: 3 + (files.size - packages.length) }
  const dry = JSON.parse((await runSluice(['adopt', old, '--dry-run', '--json'], { env })).stdout)
  t.match(dry, { adopted: wanted, held: { files: 1 }, unknown: { files: 2 }, others: 1 })
  t.ok(wanted.files > 4, 'files of source packages too')

  const told = await runSluice(['adopt', old, '--reason', 'the old cache'], { env })
  t.equal(told.code, 0, told.stderr)
  t.match(told.stdout, new RegExp(`^adopted +${wanted.files} files, .*\nheld +1 file, `))
  t.match(told.stdout, /^unknown +2 files, .*: no archive here names them$/m)
  t.match(told.stdout, /^ {2}own_1_all\.deb$/m)
  t.match(told.stdout, /^1 other file passed over$/m)
  const again = JSON.parse((await runSluice(['adopt', old, '--json'], { env })).stdout)
  t.match(again, { adopted: { files: 0 }, held: { files: wanted.files + 1 } })

  await appendFile(taken, 'whoever has it writes to it')
  t.equal((await stat(join(old, 'archives/hello_1_amd64.deb'))).nlink, 1)
  t.match(await sluice.api('POST', '/verify', { deep: true }), { problems: [] })
  const apt = await machine('one', 'approved')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello', 'epoch', 'tree')), clean)
  t.equal(upstream.count(/\.deb$/), 0)
  for (const [name, file] of files) {
    const isLate = name.startsWith('late')
    t.match(await getFile(world, file), { status: 200, cache: isLate ? 'MISS' : 'HIT' }, name)
  }
  t.match(await sluice.api('GET', '/audit?what=adopt'), [
    { what: 'adopt', object: old, why: 'the old cache', detail: wanted },
  ])
})

t.test(
  'takes what archives name that nobody named, once a machine has asked for them',
  async (t) => {
    const { machine, archive, sluice, upstream } = await makeLearnedWorld(t, [deb('hello')])
    const apt = await machine('one')
    const adopt = () => sluice.api('POST', '/adopt', { dir: archive })
    t.match(await adopt(), { adopted: { files: 0 }, unknownFiles: [/hello_1_amd64.deb$/] })
    t.same(troubles(await apt.update()), clean)
    // What an index names is noted behind the machine's back.
    for (let taken = 0; taken === 0; ) taken = (await adopt()).adopted.files
    t.same(troubles(await apt.install('hello')), clean)
    t.equal(upstream.count(/\.deb$/), 0)
  },
)

t.test('is told where it cannot work', async (t) => {
  const { dir, sluice } = await makeWorld(t, [deb('hello')])
  const env = { SLUICE_URL: sluice.url, SLUICE_TOKEN: sluice.token }
  t.match(await runSluice(['adopt', join(dir, 'nowhere')], { env }), {
    code: 4,
    stderr: /nowhere is no directory of the server's machine/,
  })
  const elsewhere = await fetch(`${sluice.url}/api/v1/adopt`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${sluice.token}`,
      'Content-Type': 'application/json',
      'X-Forwarded-For': '192.0.2.7',
    },
    body: JSON.stringify({ dir }),
  })
  t.equal(elsewhere.status, 403)
  t.match(await elsewhere.text(), /directory of the server's machine/)
})
