/**
 * A full disk: clients get what they ask for, though it is not kept; what would write is told; nothing half done is left,
 * and all is well when there is room again.
 *
 * The data directory lies on a small file system of the server's own mount namespace, seen from here through /proc.
 */
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { makeImportBed } from '../support/imported.ts'
import { runSluice } from '../support/program.ts'
import { scratchFiles } from '../support/scratch-files.ts'
import { testDir } from '../support/test-dir.ts'

const DISK_BYTES = 12_000_000
const RESERVE_BYTES = 2_000_000

const dir = testDir(t)
const bed = await makeImportBed(dir, [
  { name: 'big', version: '1', arch: 'amd64', content: DISK_BYTES },
  { name: 'half', version: '1', arch: 'amd64', content: DISK_BYTES / 4 },
  { name: 'small', version: '1', arch: 'amd64', content: 1000 },
])
const data = join(dir, 'one/var')
await mkdir(data, { recursive: true })
const settings = `echo 'disk-reserve = ${RESERVE_BYTES}' > "$0/sluice.toml"`
const { upstream, server, url, deb } = await bed.serving(t, 'one', {
  wrapper: [
    ...['unshare', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])],
    ...['sh', '-c'],
    `mount -t tmpfs -o size=${DISK_BYTES} none "$0" && ${settings} && exec "$@"`,
    data,
  ],
})
/** The data directory as the server sees it. */
const disk = join(`/proc/${server.pid}/root`, data)
const token = (await readFile(join(disk, 'token'), 'utf8')).trim()
const sluice = (...args: string[]) =>
  runSluice(args, { env: { SLUICE_URL: url, SLUICE_TOKEN: token } })
const urls = {
  hello: await deb('hello'),
  big: await deb('big'),
  half: await deb('half'),
  small: await deb('small'),
}
const nothing = { problems: [], temporary: [] }
const files = join(dir, 'files/nut/pool/main')

/** What a client got: `HIT`, `MISS`, or how it was let down; the bytes are those of upstream. */
async function get(name: keyof typeof urls): Promise<string | null> {
  const response = await fetch(urls[name])
  if (response.status !== 200) return `${response.status} ${await response.text()}`
  const body = await response.arrayBuffer().catch(() => undefined)
  if (body === undefined) return 'cut off'
  const whole = await readFile(join(files, name.charAt(0), name, `${name}_1_amd64.deb`))
  t.ok(whole.equals(Buffer.from(body)), `${name} is what upstream has`)
  return response.headers.get('x-cache')
}

/** What is wrong with what is stored, and what is left of what was not. */
async function left(): Promise<{ problems: unknown[]; temporary: string[] }> {
  const { problems } = JSON.parse((await sluice('verify', '--json')).stdout)
  const temporary = await scratchFiles(disk)
  return { problems, temporary }
}

t.test('a file that has no room is handed on, and not kept', async (t) => {
  t.equal(await get('big'), 'MISS')
  t.equal(await get('big'), 'MISS')
  t.equal(upstream.count(/big_1/), 2)
  t.same([await get('hello'), await get('hello')], ['MISS', 'HIT'], 'others are kept')
  t.same(await left(), nothing)
  const ranged = await fetch(urls.big, { headers: { Range: 'bytes=11000000-11000999' } })
  t.equal(ranged.status, 206)
  t.equal((await ranged.arrayBuffer()).byteLength, 1000)
  const head = await fetch(urls.big, { method: 'HEAD' })
  t.ok(Number(head.headers.get('content-length')) > DISK_BYTES)
})

t.test('what is handed on is what the index names, or cut off before its end', async (t) => {
  upstream.fault(/big_1/, { kind: 'flip', offset: 100 })
  t.equal(await get('big'), 'cut off')
  upstream.clearFaults()
  t.equal(await get('big'), 'MISS')
  upstream.fault(/big_1/, { kind: 'status', status: 404 })
  t.match(await get('big'), /^404 sluice: .*big_1/)
  upstream.clearFaults()
  t.same(await left(), nothing)
})

t.test('a disk without any room stops what would write, and nothing else', async (t) => {
  const filler = join(disk, 'filler')
  await fill(filler)
  t.equal(await get('small'), 'MISS')
  t.equal(await get('half'), 'MISS')
  const index = await fetch(`${url}/channels/approved/nut/dists/stable/InRelease`)
  t.equal(index.status, 200)
  t.match(await index.text(), '-----BEGIN PGP SIGNATURE-----')
  t.equal(await get('hello'), 'HIT')
  t.match(await sluice('token', 'create', 'lab'), {
    code: 1,
    stderr: /^sluice: error: no room on the disk of the data directory\nsluice: hint: make room/,
  })
  t.match(await sluice('channel', 'create', 'web', '--from', 'approved'), {
    code: 1,
    stderr: /^sluice: error: nothing is published while 0 MB of the disk are free: 1 MB are needed/,
  })
  t.match(await sluice('stats'), { code: 0, stderr: /^sluice: warning: 0 MB of the disk are free/ })

  await rm(filler)
  t.same([await get('small'), await get('small')], ['MISS', 'HIT'], 'it needs no other start')
  t.match(await sluice('token', 'create', 'lab'), { code: 0 })
  t.match(await sluice('channel', 'create', 'web', '--from', 'approved'), { code: 0 })
  t.same(await left(), nothing)
})

t.test('a disk that becomes full under a download ends it, and the next try gets it', async (t) => {
  upstream.fault(/half_1/, { kind: 'rate', bytesPerSecond: 1_500_000 })
  const first = get('half')
  const before = upstream.bytes(/half_1/)
  while (upstream.bytes(/half_1/) < before + 500_000) await readdir(join(disk, 'tmp'))
  const filler = join(disk, 'filler')
  await fill(filler)
  upstream.clearFaults()
  t.match(await first, /^(cut off|MISS)$/)
  t.equal(await get('half'), 'MISS', 'as apt asks again')
  t.equal(await get('hello'), 'HIT')
  await rm(filler)
  t.same([await get('half'), await get('half')], ['MISS', 'HIT'])
  t.same(await left(), nothing)
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
