/** What lies there for a web server in front: the indexes of all heads, whole, and nothing else. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startSluice } from '../support/sluice.ts'
import { makeWorld } from '../support/world.ts'

const hello = { name: 'hello', version: '1', arch: 'amd64' } as const

t.test('each flip of a head leaves just the files that heads name', async (t) => {
  const start = { flags: { 'front-files': true } }
  const { dir, sluice, publish } = await makeWorld(t, [hello], { start })
  const front = join(sluice.dataDir, 'front/by-hash')
  /** Digests of the indexes that channels serve. */
  const named = async (url: string): Promise<string[]> => {
    const digests = new Set<string>()
    for (const channel of ['testing', 'approved']) {
      const path = `${url}/channels/${channel}/nut/dists/stable/InRelease`
      const release = await (await fetch(path)).text()
      for (const [, digest = ''] of release.matchAll(/^ ([0-9a-f]{64}) +\d+ \S+\.gz$/gm))
        digests.add(digest)
    }
    return [...digests].sort()
  }
  /** Waits until just these are there. */
  const settled = async (digests: readonly string[]): Promise<void> => {
    for (;;) {
      const names = await readdir(front).catch((): string[] => [])
      if (names.sort().join() === digests.join()) return
    }
  }
  const first = await named(sluice.url)
  await settled(first)
  for (const digest of first) {
    const path = `/channels/testing/nut/dists/stable/main/binary-amd64/by-hash/SHA256/${digest}`
    const served = await fetch(sluice.url + path)
    t.ok((await readFile(join(front, digest))).equals(Buffer.from(await served.arrayBuffer())))
    const { mtime, mode } = await stat(join(front, digest))
    t.equal(mtime.toUTCString(), served.headers.get('last-modified'))
    t.equal(mode & 0o777, 0o444)
  }
  await publish([{ ...hello, version: '2' }])
  await sluice.api('POST', '/archives/refresh')
  const both = await named(sluice.url)
  t.not(both.length, first.length)
  await settled(both)
  await sluice.api('POST', '/promotions', { from: 'testing', to: 'approved', all: true })
  await settled(await named(sluice.url))

  await sluice.close()
  const again = await startSluice(join(dir, 'var'))
  t.teardown(() => again.close())
  while ((await readdir(again.dataDir)).includes('front')) await named(again.url)
  t.pass('without the setting nothing stays')
})
