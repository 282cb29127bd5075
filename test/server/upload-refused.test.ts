/**
 * Uploads that are refused are told so, to who sends all of a file before he looks for an answer; and what a file may be called.
 */
import { once } from 'node:events'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { buildDeb } from '../../fixtures/debs.ts'
import { makeLocalBed } from '../support/local-bed.ts'
import { openSocket, type RawAnswer, readAnswers } from '../support/raw-http.ts'
import type { TestSluice } from '../support/sluice.ts'

const SIZE = 40 * 1024 * 1024

t.test('who sends all before he reads hears why it was refused', async (t) => {
  const { sluice } = await makeLocalBed(t)
  const digest = '0'.repeat(64)
  const at = '/api/v1/archives/internal'
  const cases: [string, string, string, number][] = [
    ['at an offset', `${at}/packages/a_1_all.deb?sha256=${digest}&offset=7`, sluice.token, 409],
    ['without the right', `${at}/packages/a_1_all.deb`, 'x'.repeat(43), 401],
    ['by no name of a file', `${at}/uploads/${digest}/a.exe`, sluice.token, 400],
    ['that is no package', `${at}/packages/a_1_all.deb`, sluice.token, 422],
    ['for no archive', '/upload/none/a_1_all.deb', sluice.token, 404],
  ]
  for (const [name, path, token, status] of cases)
    t.match(await sendAll(t, sluice, path, token), { status }, name)
})

/** One request on a connection that ends with it. */
async function sendAll(
  t: Test,
  sluice: TestSluice,
  path: string,
  token: string,
): Promise<RawAnswer | undefined> {
  const socket = await openSocket(sluice.url)
  t.teardown(() => socket.destroy())
  const head = [
    ...[`PUT ${path} HTTP/1.1`, `Host: ${new URL(sluice.url).host}`, 'Connection: close'],
    ...[`Authorization: Bearer ${token}`, `Content-Length: ${SIZE}`],
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  const piece = Buffer.alloc(1024 * 1024)
  for (let sent = 0; sent < SIZE; sent += piece.length)
    if (!socket.write(piece)) await once(socket, 'drain')
  const pieces: Buffer[] = []
  for await (const one of socket) pieces.push(one)
  return readAnswers(Buffer.concat(pieces))[0]
}

t.test('nobody begins uploads without end', async (t) => {
  const { sluice } = await makeLocalBed(t)
  const begin = async (session: string): Promise<number> => {
    const url = `${sluice.url}/api/v1/archives/internal/uploads/${session}/a_1.dsc`
    const headers = { Authorization: `Bearer ${sluice.token}` }
    return (await fetch(url, { method: 'PUT', headers, body: 'half' })).status
  }
  t.equal(await begin('a'.repeat(32)), 200)
  const uploads = join(sluice.dataDir, 'uploads')
  const [first = ''] = await readdir(uploads)
  const owner = first.slice(0, first.indexOf('-'))
  for (let at = 1; at < 1000; at += 1) await mkdir(join(uploads, `${owner}-${at}`))
  t.equal(await begin('b'.repeat(32)), 413)
  t.equal(await begin('a'.repeat(32)), 200, 'what was begun goes on')
})

t.test('names are as long as files may have', async (t) => {
  const { sluice, dir } = await makeLocalBed(t)
  const version = `1.0+${'git20261121.'.repeat(10)}1`
  const file = `acme-app-with-a-name_${version}_all.deb`
  const path = join(dir, 'long', file)
  await buildDeb(path, { name: 'acme-app-with-a-name', version, arch: 'all' })
  const url = `${sluice.url}/api/v1/archives/internal/packages/${encodeURIComponent(file)}`
  const headers = { Authorization: `Bearer ${sluice.token}` }
  const put = await fetch(url, { method: 'PUT', headers, body: await readFile(path) })
  t.equal(put.status, 200)
  t.match(await put.json(), { published: { version } })
  const { token } = await sluice.api('POST', '/tokens', { name: 'ci', uploads: ['internal'] })
  const source = `${sluice.url}/upload/internal/${token}/acme_${version}.dsc`
  t.equal((await fetch(source, { method: 'PUT', body: 'half' })).status, 202)
  const longer = `${sluice.url}/upload/internal/${token}/${'x'.repeat(1500)}.dsc`
  const unknown = await fetch(longer, { method: 'PUT', body: 'half' })
  t.equal(unknown.status, 400)
  t.notOk((await unknown.text()).includes(token), 'a token is told to nobody')
})
