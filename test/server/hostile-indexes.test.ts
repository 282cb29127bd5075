/**
 * An upstream whose indexes are not what its signed Release names: what a refresh meets, with real apt behind it.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { clearSign } from '../../fixtures/signing-key.ts'
import type { Fault } from '../support/upstream-server.ts'
import type { World } from '../support/world.ts'
import { type Attack, makeSiege, packages, withstand } from './hostile.ts'

const index = /\/Packages|\/binary-amd64\/by-hash\//

let news = 0

function publishNews(world: World): Promise<void> {
  news += 1
  return world.publish([...packages, { name: 'news', version: String(news), arch: 'all' }])
}

/** Publishes something new, whose indexes (in all forms, by name and by hash) suffer this fault. */
function spoilIndexes(fault: Fault): Attack['begin'] {
  return async (world) => {
    await publishNews(world)
    world.upstream.fault(index, fault)
  }
}

const indexAttacks: Attack[] = [
  {
    title: 'flips a bit of its indexes',
    begin: spoilIndexes({ kind: 'flip', offset: 60 }),
    code: 'ERR_DIGEST_MISMATCH',
    says: /stable main\/binary-amd64\/Packages.*not those that the signed index names/,
  },
  {
    title: 'cuts its indexes short',
    begin: spoilIndexes({ kind: 'wrong-size', by: -7 }),
    code: 'ERR_SIZE_MISMATCH',
    says: /Packages\.\w+ has \d+ bytes, the signed index names \d+/,
  },
  {
    title: 'ends its indexes early without saying how long they are',
    begin: async (world) => {
      await spoilIndexes({ kind: 'wrong-size', by: -7 })(world)
      world.upstream.fault(index, { kind: 'chunked' })
    },
    code: 'ERR_SIZE_MISMATCH',
    says: /ended after \d+ bytes, the signed index names \d+/,
  },
  {
    title: 'has pages in place of indexes',
    begin: spoilIndexes({ kind: 'html' }),
    code: 'ERR_SIZE_MISMATCH',
    says: /the signed index names/,
  },
  {
    title: 'has lost its indexes',
    begin: spoilIndexes({ kind: 'status', status: 404 }),
    code: 'ERR_UPSTREAM_STATUS',
    says: /Packages\.\w+.*answered 404/,
  },
  {
    title: 'signs an index whose text is not what it signed',
    begin: async (world) => {
      await publishNews(world)
      const good = await readFile(join(world.dir, 'archive/dists/nut/Release'), 'utf8')
      const lie = (digest: string): string =>
        digest.replace(/^ ./, (two) => (two === ' 0' ? ' 1' : ' 0'))
      const bad = good.replace(/^ [0-9a-f]{64} +\d+ main\/binary-amd64\/Packages$/m, lie)
      const body = await clearSign(bad, [world.key])
      world.upstream.fault('/dists/stable/InRelease', { kind: 'status', status: 200, body })
    },
    code: 'ERR_DIGEST_MISMATCH',
    says: /Packages.*its text is not what Release names/,
  },
]

t.test('nothing comes of it when an upstream', async (t) => {
  const siege = await makeSiege(t)
  for (const attack of indexAttacks) {
    await t.test(attack.title, (t) => withstand(t, siege, attack))
  }
})
