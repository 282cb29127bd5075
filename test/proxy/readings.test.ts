/**
 * A suite whose upstream has no by-hash changes between a machine's InRelease and its Packages: on that connection it gets
 * those that belong together, and a new connection gets the new ones (F1). By hash all that lately was stays (F12).
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { openSocket, type RawAnswer, readAnswers } from '../support/raw-http.ts'
import { makeWorld } from '../support/world.ts'

const hello = (version: string) => ({ name: 'hello', version, arch: 'amd64' })

async function ask(socket: Socket, url: string, headers = ''): Promise<RawAnswer> {
  socket.write(`GET ${url} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n${headers}\r\n`)
  const pieces: Buffer[] = []
  for (;;) {
    pieces.push((await once(socket, 'data'))[0])
    const [answer] = readAnswers(Buffer.concat(pieces))
    if (answer?.body.length === Number(answer?.headers['content-length']))
      return answer as RawAnswer
  }
}

for (const release of [['InRelease'], ['Release']] as const) {
  t.test(`an index by its name belongs to the ${release[0]} before it`, async (t) => {
    const world = await makeWorld(t, [hello('1')], { publish: { byHash: false, release } })
    const { upstream, sluice } = world
    const suite = `${upstream.url}/dists/stable`
    const versions = (answer: RawAnswer): string[] =>
      [
        ...gunzipSync(answer.body)
          .toString()
          .matchAll(/^Version: (.*)$/gm),
      ].map(([, v]) => v ?? '')
    const index = `${suite}/main/binary-amd64/Packages.gz`
    const before = await openSocket(sluice.url)
    const first = await ask(before, `${suite}/${release[0]}`)
    await world.publish([hello('2')])
    await sluice.api('POST', '/archives/refresh')
    const after = await openSocket(sluice.url)
    const second = await ask(after, `${suite}/${release[0]}`)
    t.not(String(first.body), String(second.body))
    t.same(versions(await ask(before, index)), ['1'])
    t.same(versions(await ask(after, index)), ['2'])
    t.same(versions(await ask(before, index)), ['1'], 'whatever others were given')
    const shared = 'X-Forwarded-For: 192.0.2.1\r\n'
    t.same(versions(await ask(before, index, shared)), ['2'], 'unless many share the connection')
    await ask(before, `${suite}/${release[0]}`)
    t.same(versions(await ask(before, index)), ['2'])
    for (const socket of [before, after]) socket.destroy()
  })
}

t.test(
  'by hash an earlier index is had in each form that its Release names, verified',
  async (t) => {
    const digests = ['SHA256', 'SHA512'] as const
    const world = await makeWorld(t, [hello('1')], { publish: { digests } })
    const { upstream, sluice } = world
    const suite = `${upstream.url}/dists/stable`
    const socket = await openSocket(sluice.url)
    const text = String((await ask(socket, `${suite}/InRelease`)).body)
    await world.publish([hello('2')])
    await sluice.api('POST', '/archives/refresh')
    upstream.fault(/by-hash/, { kind: 'flip', offset: 9 }, { times: 1 })
    for (const [name, length] of [
      ['SHA256', 64],
      ['SHA512', 128],
    ] as const) {
      for (const form of ['xz', 'gz']) {
        const line = new RegExp(
          `^ ([0-9a-f]{${length}}) +\\d+ main/binary-amd64/Packages\\.${form}$`,
          'm',
        )
        const digest = line.exec(text)?.[1] ?? ''
        const url = `${suite}/main/binary-amd64/by-hash/${name}/${digest}`
        const { status, body } = await ask(socket, url)
        t.equal(status, 200, `${name} ${form}`)
        const found = createHash(name.toLowerCase()).update(body).digest('hex')
        t.equal(found, digest, `${name} ${form}`)
      }
    }
    socket.destroy()
  },
)
