/**
 * An index as it is served: the same bytes wherever they are read from, and what another process measures of them.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { buildIndex } from '../../src/archives/index-build.ts'
import { openIndexText } from '../../src/archives/index-text.ts'
import { createLog } from '../../src/base/log.ts'
import { openComposite } from '../../src/channels/composite.ts'
import { describeIndex } from '../../src/channels/index-forms.ts'
import { openSigner } from '../../src/signing/signer.ts'
import { openIndexParts, packagesText } from '../support/index-parts.ts'
import { testDir } from '../support/test-dir.ts'

const packages = Array.from({ length: 3000 }, (_, at) => ({
  name: `p${String(at).padStart(4, '0')}`,
  version: `1.${at}-1`,
}))

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function readAll(
  { read }: Awaited<ReturnType<typeof openComposite>>,
  size: number,
  step: number,
): Promise<Buffer> {
  const all = Buffer.alloc(size)
  const buffer = Buffer.alloc(step)
  for (let at = 0; at < size; ) {
    const count = await read(buffer, at, Math.min(step, size - at))
    buffer.copy(all, at, 0, count)
    at += count
  }
  return all
}

t.test(
  'an index is the same from the scratch file, from the store, and as another process sees it',
  async (t) => {
    const parts = await openIndexParts(testDir(t))
    t.teardown(() => parts.close())
    const text = await openIndexText(parts.blobs.tempPath())
    await text.append(Readable.from([packagesText(packages)]))
    const { root } = await buildIndex(parts, text, { kind: 'Packages', archiveId: 1 })
    await text.close()

    const keysDir = join(t.testdirName, 'keys')
    const signer = openSigner({
      keysDir,
      log: createLog({ level: 'silent' }),
      environment: {},
      scratch: [parts.texts.fd, parts.members.fd],
    })
    t.teardown(() => signer.close())
    const beside = await describeIndex({ ...parts, signer }, root)
    await parts.db.deleteFrom('index_form' as never).execute()
    const alone = await describeIndex(parts, root)
    t.strictSame(beside, alone)

    const full = { ...parts, members: { ...parts.members, runs: async () => undefined } }
    for (const composite of [await openComposite(parts, root), await openComposite(full, root)]) {
      for (const step of [997, 65_536]) {
        const bytes = await readAll(composite, alone.gz.size, step)
        t.equal(digestOf(bytes), alone.gz.sha256)
        t.equal(digestOf(gunzipSync(bytes)), alone.plain.sha256, 'apt reads all members')
      }
    }
  },
)
