/**
 * Mirrors of one signed archive for tests of downloads, and servers that follow them, each with an empty store.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { PackageSpec } from '../../fixtures/debs.ts'
import { makeArchive } from '../../fixtures/make-archive.ts'
import { makeSigningKey, type SigningKey } from '../../fixtures/signing-key.ts'
import { startSluice, type TestSluice } from './sluice.ts'
import { testDir } from './test-dir.ts'
import { startUpstream, type TestUpstream } from './upstream-server.ts'

export interface DownloadWorld {
  readonly dir: string
  readonly key: SigningKey
  /** Two, of the same files. */
  readonly mirrors: readonly TestUpstream[]
  /** A server with the archive `nut` from these mirrors, without faults until then, and the channel `testing`. */
  follow(
    name: string,
    mirrors: readonly TestUpstream[],
    start?: Parameters<typeof startSluice>[1],
  ): Promise<TestSluice>
}

/** Makes the archive with its suite `stable`. The caller closes what follows. */
export async function makeDownloadWorld(
  t: Test,
  packages: readonly PackageSpec[],
): Promise<DownloadWorld> {
  const dir = testDir(t)
  const key = await makeSigningKey(join(dir, 'keys'), 'Up <up@archive.example>')
  const suite = { suite: 'stable', codename: 'nut', origin: 'Nut', label: 'Nut' }
  await makeArchive(join(dir, 'archive'), {
    key,
    suites: [{ ...suite, components: ['main'], architectures: ['amd64'], packages }],
  })
  const mirrors = await Promise.all([1, 2].map(() => startUpstream(join(dir, 'archive'))))
  t.teardown(async () => {
    for (const mirror of mirrors) await mirror.close()
  })
  const keyring = await readFile(key.publicAsc, 'utf8')
  return {
    ...{ dir, key, mirrors },
    follow: async (name, some, start) => {
      for (const mirror of some) mirror.clearFaults()
      const sluice = await startSluice(join(dir, name), start)
      const names = { suites: ['stable'], components: ['main'], architectures: ['amd64'] }
      const urls = some.map(({ url }) => url)
      await sluice.api('POST', '/archives', { name: 'nut', urls, ...names, keyring })
      await sluice.api('POST', '/archives/refresh')
      await sluice.api('POST', '/channels', { name: 'testing', follow: ['nut'] })
      return sluice
    },
  }
}
