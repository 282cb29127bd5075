/**
 * `kill -9` between the steps of a revocation: the next start finishes it in all channels, before it serves one file.
 */
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { caughtUp } from '../support/based.ts'
import { startProcess } from '../support/sluice-process.ts'
import { testDir } from '../support/test-dir.ts'
import { makeWorld } from '../support/world.ts'

const pack = (name: string, version: string): PackageSpec => ({ name, version, arch: 'amd64' })
const bad = { name: 'hello', version: '2', reason: 'it eats disks' }
const points = [
  'revoke: written',
  'withdraw: file put aside, row left',
  'revoke: files withdrawn',
  'publish: before the commit',
  'publish: written, not yet served',
  'revoke: out of all channels',
] as const

async function textOf(url: string, path: string): Promise<string> {
  const answer = await fetch(`${url}${path}/dists/stable/main/binary-amd64/Packages.gz`)
  return gunzipSync(await answer.arrayBuffer()).toString()
}

t.test('a server that is killed in a revocation goes on with it', async (t) => {
  const { dataDir, file } = await prepare(t)
  for (const point of points) {
    t.test(`at "${point}"`, async (t) => {
      const run = join(testDir(t), 'var')
      await cp(dataDir, run, { recursive: true })
      const begun = await startProcess(t, run, `kill-at:${point}`)
      if (!('url' in begun)) throw new Error(begun.text)
      await t.rejects(begun.api('POST', '/revocations', bad))
      t.match(await begun.ended, { signal: 'SIGKILL' })
      const again = await startProcess(t, run)
      if (!('url' in again)) throw new Error(again.text)
      for (const channel of ['testing', 'approved', 'web']) {
        t.notMatch(
          await textOf(again.url, `/channels/${channel}/nut`),
          /^Package: hello$/m,
          channel,
        )
        const answer = await fetch(`${again.url}/channels/${channel}/nut/${file}`)
        t.equal(answer.status, 410)
        t.match(await answer.text(), /hello 2 was revoked: it eats disks/)
      }
      t.match(await again.api('GET', '/revocations'), [{ name: 'hello', doneAt: Number, files: 1 }])
      const audit: { object: string }[] = await again.api('GET', '/audit?what=revoke')
      // What is based on a channel may have followed it by itself before.
      t.same(
        audit
          .map(({ object }) => object.replace(/ \d+$/, ''))
          .filter((object) => !object.includes('web'))
          .sort(),
        ['channel approved generation', 'channel testing generation', 'hello'],
      )
      t.same((await again.api('POST', '/verify', { deep: true })).problems, [])
      await again.stop()
    })
  }
})

/** The data of a stopped server with a version that is to be revoked, and the path of its file. */
async function prepare(t: Test): Promise<{ dataDir: string; file: string | undefined }> {
  const world = await makeWorld(t, [pack('hello', '1'), pack('other', '1')])
  const { sluice, publish } = world
  const { api } = sluice
  await api('POST', '/channels', { name: 'web', base: 'approved' })
  await publish([pack('hello', '2'), pack('other', '1')])
  await api('POST', '/archives/refresh')
  await api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  await caughtUp(sluice, 'web')
  const text = await textOf(sluice.url, '/channels/approved/nut')
  const file = /^Filename: (.*hello_2_amd64.deb)$/m.exec(text)?.[1]
  await sluice.close()
  return { dataDir: sluice.dataDir, file }
}

t.test('a server killed while it takes one back gives the files back, or revokes on', async (t) => {
  const world = await makeWorld(t, [pack('hello', '2'), pack('other', '1')])
  const { sluice } = world
  const text = await textOf(sluice.url, '/channels/approved/nut')
  const file = /^Filename: (.*hello_2_amd64.deb)$/m.exec(text)?.[1]
  await sluice.api('POST', '/revocations', bad)
  await sluice.close()
  const begun = await startProcess(t, sluice.dataDir, 'kill-at:revoke: files given back')
  if (!('url' in begun)) throw new Error(begun.text)
  await t.rejects(begun.api('DELETE', '/revocations', bad))
  t.match(await begun.ended, { signal: 'SIGKILL' })
  const again = await startProcess(t, sluice.dataDir)
  if (!('url' in again)) throw new Error(again.text)
  const path = `${again.url}/channels/approved/nut/${file}`
  t.equal((await fetch(path)).status, 410)
  await again.api('DELETE', '/revocations', bad)
  t.equal((await fetch(path)).status, 200)
  t.match(await textOf(again.url, '/channels/testing/nut'), /^Package: hello$/m)
  await again.stop()
})
