/**
 * What an operator meets who starts a server, or asks for one: each is a line that says what is wrong and what to do.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { makeImportBed, readyAt, serve } from '../support/imported.ts'
import { runSluice } from '../support/program.ts'
import { testDir } from '../support/test-dir.ts'

const dir = testDir(t)
const bed = await makeImportBed(dir)

t.test(
  'a taken port names who has it and what to do; the next start is a first one still',
  async (t) => {
    const upstream = await bed.upstream(t)
    const { env, data } = await bed.sources('port', [`${upstream.url}/nut`])
    const { port } = new URL(upstream.url)
    const busy = serve(t, data, { args: ['--listen', `127.0.0.1:${port}`], env })
    const { code, text } = await busy.ended
    t.equal(code, 1)
    t.ok(
      text.endsWith(
        `sluice: error: 127.0.0.1:${port} is taken by node (pid ${process.pid})\n` +
          `sluice: hint: stop it, or: npm start -- --listen 127.0.0.1:${Number(port) + 1}\n`,
      ),
      text,
    )
    const server = serve(t, data, { env })
    const url = await server.says(readyAt)
    t.match(server.text, /^channel {2}approved {2}generation 1 /m)
    await server.says(/^Put a machine on `approved`/m)
    t.notMatch(server.text, 'test.sources', 'a file without a source is not switched off')

    const { port: own } = new URL(url)
    const other = serve(t, join(dir, 'port/other'), { args: ['--listen', `127.0.0.1:${own}`] })
    t.match((await other.ended).text, `127.0.0.1:${own} is taken by sluice (pid ${server.pid})`)
  },
)

t.test('the next start takes a moment and says where the lines for a machine are', async (t) => {
  const { server, data, url } = await bed.serving(t, 'again')
  server.signal('SIGTERM')
  const { code, text } = await server.ended
  t.equal(code, 0)
  t.match(text, /\nstopping\nstopped\n$/)
  t.notOk((await readdir(data)).includes('server.json'))

  const again = serve(t, data, { args: ['--listen', new URL(url).host] })
  await again.says(/^lines for a machine: .*\n/m)
  t.match(again.text.split('\n'), [
    new RegExp(` in ${data}: 1 archive, 2 channels, ready after \\d+\\.\\d+ s$`),
    readyAt,
    `lines for a machine: sluice channel show approved, or the script ${url}/client/approved`,
    /^$/,
  ])
})

t.test('an archive that cannot be reached does not keep a server from serving', async (t) => {
  const upstream = await bed.upstream(t)
  const { env, data } = await bed.sources('away', [
    `${upstream.url}/nut`,
    'http://127.0.0.1:1/gone',
  ])
  const server = serve(t, data, { env })
  const url = await server.says(readyAt)
  t.match(server.text, /^failed {3}gone stable: .*127\.0\.0\.1:1.*\n {9}hint: /m)
  t.match(server.text, /^fetch {4}nut stable /m)
  t.match(server.text, /next look upstream in \d+ s;/)
  t.equal((await fetch(`${url}/channels/approved/nut/dists/stable/InRelease`)).status, 200)
  const shown = await runSluice(['--data', data, 'archive', 'show', 'gone'])
  t.match(shown, { code: 0, stdout: /^wrong: gone stable: /m })
  const refreshed = await runSluice(['--data', data, 'archive', 'refresh'])
  t.match(refreshed, { code: 3, stderr: /gone stable/ })
  server.signal('SIGINT')
  t.equal((await server.ended).code, 0)
})

t.test('an expired source is told, with what to do about it', async (t) => {
  const day = 86_400_000
  const now = Math.floor(Date.now() / 1000) * 1000
  await bed.publish('old', { date: new Date(now - 9 * day), validUntil: new Date(now - 2 * day) })
  const upstream = await bed.upstream(t)
  const { env, data } = await bed.sources(
    'expired',
    ['nut', 'old'].map((name) => `${upstream.url}/${name}`),
  )
  const server = serve(t, data, { env })
  await server.says(readyAt)
  t.match(server.text, /^failed {3}old stable: .*expired.*\n {9}hint: .*--allow-expired/m)
  t.match(server.text, /^channel {2}approved {2}generation 1 /m)
})

t.test('where no archive can be reached, the channels come with the first that can', async (t) => {
  const upstream = await bed.upstream(t)
  upstream.fault(/./, { kind: 'status', status: 503 })
  const { env, data } = await bed.sources('none', [`${upstream.url}/nut`])
  const server = serve(t, data, { env })
  await server.says(/^no channel holds anything yet: /m)
  upstream.clearFaults()
  const refreshed = await runSluice(['--data', data, 'archive', 'refresh'])
  t.match(refreshed, { code: 0, stdout: /^approved generation 1: its first one$/m })
  const { stdout } = await runSluice(['--data', data, 'channel', 'list'])
  t.match(stdout, /^testing +following +1 /m)
  t.match(stdout, /^approved +curated +1 /m)
})

t.test('a command says when no server runs, and so it does after kill -9', async (t) => {
  const home = join(dir, 'killed')
  await mkdir(home)
  const server = serve(t, './var', {
    cwd: home,
    args: ['--listen', '127.0.0.1:0', '--no-import'],
  })
  await server.says(readyAt)
  t.match(await runSluice(['channel', 'list'], { cwd: home }), { code: 0 })
  const locked = serve(t, './var', { cwd: home })
  t.same(await locked.ended, {
    code: 1,
    signal: null,
    text:
      'sluice: error: another server runs on the data directory ./var\n' +
      'sluice: hint: stop it first, or give this one its own: --data DIR\n',
  })
  t.match(await runSluice(['channel', 'list'], { cwd: home }), { code: 0 }, 'the first goes on')

  server.signal('SIGKILL')
  await server.ended
  t.ok((await readdir(join(home, 'var'))).includes('server.json'))
  t.same(await runSluice(['pending'], { cwd: home }), {
    code: 1,
    stdout: '',
    stderr: 'sluice: error: no server runs on ./var\nsluice: hint: npm start\n',
  })
  const elsewhere = await runSluice(['pending', '--json', '--data', join(home, 'nothing')])
  t.equal(elsewhere.code, 1)
  t.match(JSON.parse(elsewhere.stderr), {
    error: { code: 'ERR_NO_SERVER', hint: `sluice serve --data ${join(home, 'nothing')}` },
  })
  const again = serve(t, './var', { cwd: home })
  await again.says(readyAt)
  t.match(await runSluice(['channel', 'list'], { cwd: home }), { code: 0 })
})

t.test('a data directory of a newer Sluice is left alone', async (t) => {
  const data = join(dir, 'newer')
  const server = serve(t, data, { args: ['--listen', '127.0.0.1:0', '--no-import'] })
  await server.says(readyAt)
  server.signal('SIGTERM')
  await server.ended
  const file = new Database(join(data, 'sluice.db'))
  file.prepare('INSERT INTO migration VALUES (?, ?)').run('fleet-1', Date.now())
  file.close()
  t.same(await serve(t, data).ended, {
    code: 1,
    signal: null,
    text:
      'sluice: error: the data directory was written by a newer Sluice (fleet-1)\n' +
      'sluice: hint: start the newer version, or restore a backup made by this one\n',
  })
})

t.test('a data directory that cannot be made is told', async (t) => {
  const { code, text } = await serve(t, '/proc/sluice').ended
  t.equal(code, 1)
  t.match(
    text,
    /^sluice: error: the data directory \/proc\/sluice cannot be made: ENOENT\nsluice: hint: /,
  )
})

t.test('all that is wrong with the settings is told at once', async (t) => {
  const data = join(dir, 'settings')
  await mkdir(data)
  const settings = join(data, 'sluice.toml')
  const errorOf = async (env: Record<string, string> = {}) => {
    const { code, text } = await serve(t, data, { env, args: ['--no-import'] }).ended
    t.equal(code, 2)
    t.match(text, /^sluice: error: [^\n]+\nsluice: hint: sluice serve --help tells them\n$/)
    return text
  }
  await writeFile(settings, 'listen = "here"\nrefresh-minutes = 0\nlisten-port = 3142\n')
  const text = await errorOf({ SLUICE_CLIENTS: '192.0.2.0/33' })
  for (const part of [
    'listen: "here" is not HOST:PORT, :PORT or PORT (sluice.toml)',
    'refresh-minutes: 0 is not minutes from 1 to 10080 (sluice.toml)',
    'listen-port: no such setting (sluice.toml)',
    'clients: "192.0.2.0/33" is not a network like 192.0.2.0/24, private, or any (SLUICE_CLIENTS)',
  ])
    t.match(text, part)
  await writeFile(settings, 'refresh-minutes = 30\nlisten = = "x"\n')
  t.match(await errorOf(), /sluice\.toml: .* in line 2/)
  await writeFile(settings, Buffer.from([0, 255, 254, 1, 10, 200]))
  t.match(await errorOf(), /sluice\.toml: /)
  t.same(await readdir(data), ['sluice.toml'], 'nothing was made')
})

t.test('settings that cannot be read are told', async (t) => {
  const data = join(dir, 'unreadable')
  await mkdir(join(data, 'sluice.toml'), { recursive: true })
  const { code, text } = await serve(t, data).ended
  t.equal(code, 2)
  t.match(text, `sluice: error: ${join(data, 'sluice.toml')} cannot be read: EISDIR\n`)
})
