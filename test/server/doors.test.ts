/** The ways in beside the port: https with a certificate, and the access log, as a real apt and logrotate meet them. */
import { once } from 'node:events'
import { readFile, rename } from 'node:fs/promises'
import { request } from 'node:http'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { createApt } from '../support/apt.ts'
import { makeAuthority } from '../support/certificates.ts'
import { startProgram } from '../support/program.ts'
import { startSluice } from '../support/sluice.ts'
import { testDir } from '../support/test-dir.ts'
import { clean, makeWorld, troubles } from '../support/world.ts'

const hello: PackageSpec = { name: 'hello', version: '1', arch: 'amd64', content: 3000 }
const certificates = testDir(t)

t.test('apt gets all over https, and the certificate can be replaced meanwhile', async (t) => {
  const authority = await makeAuthority(certificates)
  const [old, next] = [await authority.issue('old'), await authority.issue('next')]
  const flags = { 'tls-listen': '127.0.0.1:0', 'tls-cert': old.cert, 'tls-key': old.key }
  const { dir, sluice, machine } = await makeWorld(t, [hello], { start: { flags } })
  const plain = await machine('plain', 'approved')
  t.same(troubles(await plain.update()), clean, 'http goes on beside it')
  const { secureUrl = '' } = sluice.server
  t.match(secureUrl, /^https:\/\/127\.0\.0\.1:\d+$/)
  const source = `deb [signed-by=${join(plain.dir, 'sluice.asc')}] ${secureUrl}/channels/approved/nut stable main`
  const config = [`Acquire::https::CAInfo "${authority.cert}";`]
  const apt = await createApt(join(dir, 'secure'), { sources: source, config })
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('hello')), clean)
  t.same(await apt.installed(), ['hello=1'])
  const distrustful = await createApt(join(dir, 'distrustful'), { sources: source })
  t.match((await distrustful.update()).output, /certificate/)

  const port = Number(new URL(secureUrl).port)
  t.equal(await nameShown(port), 'old')
  for (const file of ['cert', 'key'] as const) await rename(next[file], old[file])
  await sluice.server.reload()
  t.equal(await nameShown(port), 'next')
  t.same(troubles(await apt.update()), clean)
  await rename(old.key, `${old.key}.gone`)
  await sluice.server.reload()
  t.equal(await nameShown(port), 'next', 'what cannot be read changes nothing')
})

async function nameShown(port: number): Promise<string | string[] | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | string[] | undefined>()
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
    resolve(socket.getPeerCertificate().subject.CN)
    socket.destroy()
  })
  socket.on('error', reject)
  return promise
}

t.test('a certificate that is none is told at the start', async (t) => {
  const authority = await makeAuthority(certificates, 'other')
  const [one, another] = [await authority.issue('one'), await authority.issue('another')]
  const listen = { 'tls-listen': '127.0.0.1:0' }
  for (const [cert, key, message] of [
    [one.cert, another.key, /tls-cert: .* are no certificate and its key/],
    [one.cert, join(certificates, 'nowhere'), /tls-key: .*nowhere cannot be read: ENOENT/],
  ] as const) {
    const flags = { ...listen, 'tls-cert': cert, 'tls-key': key }
    await t.rejects(startSluice(testDir(t), { flags }), { code: 'ERR_CONFIG', message })
  }
  await t.rejects(async () => startSluice(testDir(t), { flags: listen }), {
    message: /tls-listen, tls-cert and tls-key: there must be all three/,
  })
})

const commonFormat =
  /^(\S+) - - \[(\d\d\/[A-Z][a-z]{2}\/\d{4}(?::\d\d){3} [+-]\d{4})\] "([A-Z]+) ([^" ]+) HTTP\/1\.1" (\d{3}) (\d+|-)$/

t.test('every answer is a line in common log format, without what opens doors', async (t) => {
  const path = join(testDir(t), 'access.log')
  const { sluice, upstream, machine, proxied } = await makeWorld(t, [hello], {
    start: { flags: { 'access-log': path } },
  })
  const apt = await machine('one', 'approved')
  await apt.update()
  await apt.download('hello')
  const other = await proxied('other')
  await other.update()
  const { host } = new URL(upstream.url)
  await ask(sluice.url, `http://joe:secret@${host}/dists/stable/InRelease?token=hidden`)
  await connectTo(sluice.url, 'outside.example:443')
  await ask(sluice.url, `/none/"quoted"?key=hidden`)
  await ask(sluice.url, '/channels/approved/nut/dists/stable/InRelease', 'HEAD')
  const size = (await (await fetch(`${sluice.url}/channels/approved/key.asc`)).text()).length
  await sluice.server.reload()
  const text = await readFile(path, 'utf8')
  const lines = text.trimEnd().split('\n')
  for (const line of lines) t.match(line, commonFormat)
  t.notMatch(text, /secret|hidden|joe/)
  const has = (...what: string[]): void => {
    t.ok(
      lines.some((line) => what.every((one) => line.includes(one))),
      what.join(' '),
    )
  }
  has('"GET /channels/approved/nut/pool/', '/hello_1_amd64.deb HTTP/1.1" 200 ')
  has(`"GET http://${host}/dists/stable/InRelease HTTP/1.1" 200 `)
  has(`"GET http://${host}/dists/stable/InRelease?redacted HTTP/1.1" `)
  has('"GET /none/\\x22quoted\\x22?redacted HTTP/1.1" 404 ')
  has('"HEAD /channels/approved/nut/dists/stable/InRelease HTTP/1.1" 200 -')
  has(`"GET /channels/approved/key.asc HTTP/1.1" 200 ${size}`)
  has('"CONNECT outside.example:443 HTTP/1.1" 403 ')
  has('"POST /api/v1/channels HTTP/1.1" 200 ')
})

/** Asks for a tunnel, and waits for the end of the connection. */
async function connectTo(url: string, target: string): Promise<void> {
  const { hostname, port } = new URL(url)
  const socket = connectPlain(Number(port), hostname)
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
  await once(socket.resume(), 'close')
}

async function ask(url: string, path: string, method = 'GET'): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const { hostname, port } = new URL(url)
  const sent = request({ hostname, port, path, method }, (answer) => {
    answer.resume().once('close', resolve)
  })
  sent.once('error', reject)
  sent.end()
  await promise
}

t.test('after a SIGHUP the access log is a new file', async (t) => {
  const dir = testDir(t)
  const path = join(dir, 'access.log')
  const args = ['serve', '--data', join(dir, 'var'), '--listen', '127.0.0.1:0', '--no-import']
  const program = startProgram(t, [...args, '--access-log', path])
  const url = await program.says(/ready +(http:\S+)/)
  await (await fetch(`${url}/healthz?first`)).text()
  await rename(path, `${path}.1`)
  program.signal('SIGHUP')
  // A log that was opened anew is there before anything is written to it.
  for (;;) {
    if ((await readFile(path, 'utf8').catch(() => undefined)) !== undefined) break
    await (await fetch(`${url}/healthz`)).text()
  }
  await (await fetch(`${url}/client/second`)).text()
  program.signal('SIGTERM')
  t.equal((await program.ended).code, 0)
  t.match(await readFile(`${path}.1`, 'utf8'), /^127\.0\.0\.1 .*"GET \/healthz\?redacted HTTP/)
  t.match(await readFile(path, 'utf8'), /"GET \/client\/second HTTP\/1.1" 404 /)
})

t.test('a log that cannot be written is told at the start', async (t) => {
  const flags = { 'access-log': join(testDir(t), 'no', 'such', 'folder') }
  await t.rejects(startSluice(join(testDir(t), 'var'), { flags }), {
    code: 'ERR_CONFIG',
    message: /access-log: .* cannot be opened: ENOENT/,
  })
})
