/**
 * The first who asks for a package after something changed, by a connection as apt has it: he gets what Node's http server, by
 * a connection that it has from its begin on, would send.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { poolPath } from '../../fixtures/debs.ts'
import { debOf, hello, other } from '../support/hot-packages.ts'
import { ask, askPlain, type RawAnswer } from '../support/raw-http.ts'
import { makeWorld } from '../support/world.ts'

t.test('packages that are here, revoked, behind a login, of nobody', async (t) => {
  const world = await makeWorld(t, [hello('1'), other])
  const { sluice, upstream } = world
  const host = new URL(upstream.url).host
  const ofChannel = await debOf(world, hello('1'))
  const ofOther = await debOf(world, other)
  const paths = [
    ofChannel.path,
    `/${host}/${poolPath(hello('1'))}`,
    `http://${host}/${poolPath(hello('1'))}`,
    `/${host}/${poolPath(other)}`,
    `/${host}/pool/main/n/none/none_1_all.deb`,
    '/channels/testing/nut/pool/main/n/none/none_1_all.deb',
    '/channels/none/nut/pool/main/n/none/none_1_all.deb',
    '/none.example/pool/main/n/none/none_1_all.deb',
    `${ofChannel.path}?a`,
    // None of these is a way to write a host.
    `/joe@${host}/${poolPath(hello('1'))}`,
    `/127%2e0.0.1:${new URL(upstream.url).port}/${poolPath(hello('1'))}`,
    `/\\${host}/${poolPath(hello('1'))}`,
    `/${host}\\/${poolPath(hello('1'))}`,
  ]
  for (const path of [ofChannel.path, ofOther.path]) await askPlain(sluice.url, path)
  const plain = ({ status, headers, body }: RawAnswer): object => ({
    status,
    type: headers['content-type'],
    cache: headers['x-cache'],
    body: body.toString('latin1'),
  })
  const statuses = async (): Promise<number[]> => {
    const found: number[] = []
    for (const path of paths) {
      const first = await askPlain(sluice.url, path)
      t.same(plain(first), plain(await ask(sluice.url, `GET ${path} HTTP/1.1`)), path)
      found.push(first.status)
    }
    return found
  }
  const none = [404, 404, 404, 404]
  upstream.clearRequests()
  t.same(await statuses(), [200, 200, 200, 200, 404, 404, 404, 403, 200, ...none])
  t.equal(upstream.count(/(hello|other)_/), 0)
  await sluice.api('POST', '/revocations', { name: 'hello', version: '1', reason: 'it eats disks' })
  t.same(await statuses(), [410, 410, 410, 200, 404, 404, 404, 403, 410, ...none])
  const withLogin = upstream.url.replace('://', '://joe:secret@')
  await sluice.api('PATCH', '/archives/nut', { urls: [withLogin] })
  t.same(await statuses(), [410, 401, 401, 401, 401, 404, 404, 403, 410, ...none])
})

t.test('a package that is revoked and cannot be put aside', async (t) => {
  const world = await makeWorld(t, [hello('1'), other])
  const { sluice, upstream } = world
  const path = `/${new URL(upstream.url).host}/${poolPath(hello('1'))}`
  for (let times = 0; times < 3; times++) await askPlain(sluice.url, path)
  await writeFile(join(sluice.dataDir, 'revoked'), 'in its way')
  await sluice.api('POST', '/revocations', { name: 'hello', version: '1', reason: 'bad' })
  t.equal((await askPlain(sluice.url, path)).status, 410)
  t.equal((await ask(sluice.url, `GET ${path} HTTP/1.1`)).status, 410)
})
