/**
 * A full disk: clients are told, the server goes on, nothing half done is kept, and all is well when there is room again.
 *
 * The data directory lies on a small file system of the server's own mount namespace, seen from here through /proc.
 */
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeImportBed } from '../support/imported.ts'
import { runSluice } from '../support/program.ts'

const DISK_BYTES = 12_000_000

const dir = t.testdir()
const bed = await makeImportBed(dir, [
  { name: 'big', version: '1', arch: 'amd64', content: DISK_BYTES },
  { name: 'small', version: '1', arch: 'amd64', content: 1000 },
])
const data = join(dir, 'one/var')
await mkdir(data, { recursive: true })
const { upstream, server, url, deb } = await bed.serving(t, 'one', {
  wrapper: [
    ...['unshare', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])],
    ...['sh', '-c', `mount -t tmpfs -o size=${DISK_BYTES} none "$0" && exec "$@"`, data],
  ],
})
/** The data directory as the server sees it. */
const disk = join(`/proc/${server.pid}/root`, data)
const token = (await readFile(join(disk, 'token'), 'utf8')).trim()
const sluice = (...args: string[]) =>
  runSluice(args, { env: { SLUICE_URL: url, SLUICE_TOKEN: token } })
const urls = { hello: await deb('hello'), big: await deb('big'), small: await deb('small') }

/** Nothing is wrong with what is stored, and nothing is left of what was not. */
async function isWhole(): Promise<boolean> {
  const { problems } = JSON.parse((await sluice('verify', '--deep', '--json')).stdout)
  const temporary = await readdir(join(disk, 'tmp'))
  return problems.length === 0 && temporary.length === 0
}

t.test('a file that has no room is refused before it is asked for', async (t) => {
  const refused = await fetch(urls.big)
  t.equal(refused.status, 503)
  t.match(await refused.text(), /^sluice: no room on the disk for .*big.*\nhint: make room/)
  t.equal(upstream.count(/big_1/), 0)
  t.equal((await fetch(urls.hello)).status, 200, 'others are served')
  t.ok(await isWhole())
  const shown = await sluice('archive', 'show', 'nut')
  t.match(shown.stdout, /^wrong: no room on the disk for .*big/m)
})

t.test('a disk without any room stops what would write, and nothing else', async (t) => {
  const filler = join(disk, 'filler')
  await fill(filler)
  const refused = await fetch(urls.small)
  t.equal(refused.status, 503)
  t.match(await refused.text(), /^sluice: no room on the disk/)
  const index = await fetch(`${url}/channels/approved/nut/dists/stable/InRelease`)
  t.equal(index.status, 200)
  t.match(await index.text(), '-----BEGIN PGP SIGNATURE-----')
  t.equal((await fetch(urls.hello)).headers.get('x-cache'), 'HIT')
  for (const command of ['token create lab', 'channel create web --from approved'])
    t.match(await sluice(...command.split(' ')), {
      code: 1,
      stderr: /^sluice: error: no room on the disk of the data directory\nsluice: hint: make room/,
    })

  await rm(filler)
  t.equal((await fetch(urls.small)).status, 200, 'it needs no other start')
  t.match(await sluice('token', 'create', 'lab'), { code: 0 })
  t.match(await sluice('channel', 'create', 'web', '--from', 'approved'), { code: 0 })
  t.ok(await isWhole())
})

/** Writes until there is no room at all. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (;;) await file.write(Buffer.alloc(4096))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  } finally {
    await file.close()
  }
}
