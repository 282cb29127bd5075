/**
 * `kill -9` while packages come in: what was answered is in the archive, what was not is uploaded again, and channels have all of
 * it after the next start.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeLocalBed } from '../support/local-bed.ts'
import { type SluiceProcess, startProcess } from '../support/sluice-process.ts'
import { makeSmallDeb, type SmallDeb } from '../support/small-debs.ts'

const points = [
  'blob: linked, directory not synced',
  'local: before the commit',
  'local: states written',
  'upload: before the channels follow',
] as const

for (const point of points) {
  t.test(`a server killed at "${point}" loses no package that it had answered for`, async (t) => {
    const dataDir = await prepare(t)
    const debs = await Promise.all(['a1', 'a2'].map((name) => makeSmallDeb(name)))
    const begun = await startProcess(t, dataDir, `kill-at:${point}`)
    const answered: SmallDeb[] = []
    if ('url' in begun) {
      for (const deb of debs) if (await put(begun, dataDir, deb)) answered.push(deb)
      // One that was not killed yet is so when channels follow.
      await begun.api('POST', '/archives/internal/follow').catch(() => undefined)
    }
    t.match(await ('ended' in begun ? begun.ended : begun), { signal: 'SIGKILL' })
    await checkAll(t, dataDir, debs, answered)
  })
}

t.test('a server killed while eight upload at once has all that it answered for', async (t) => {
  const dataDir = await prepare(t)
  const names = Array.from({ length: 40 }, (_, at) => `b${at}`)
  const debs = await Promise.all(names.map((name) => makeSmallDeb(name)))
  const begun = await started(t, dataDir)
  const answered: SmallDeb[] = []
  const queue = [...debs]
  const lane = async (): Promise<void> => {
    for (let deb = queue.shift(); deb !== undefined; deb = queue.shift()) {
      if (!(await put(begun, dataDir, deb))) return
      answered.push(deb)
      if (answered.length === 12) await begun.stop('SIGKILL')
    }
  }
  await Promise.all(Array.from({ length: 8 }, lane))
  t.ok(answered.length >= 12)
  await checkAll(t, dataDir, debs, answered)
})

/** The data of a server with an empty local archive that a channel follows. */
async function prepare(t: Test): Promise<string> {
  const { sluice } = await makeLocalBed(t)
  await sluice.close()
  return sluice.dataDir
}

async function started(t: Test, dataDir: string): Promise<SluiceProcess> {
  const process = await startProcess(t, dataDir)
  if (!('url' in process)) throw new Error(process.text)
  return process
}

/** Whether the package was answered for. */
async function put({ url }: SluiceProcess, dataDir: string, deb: SmallDeb): Promise<boolean> {
  const token = (await readFile(join(dataDir, 'token'), 'utf8')).trim()
  const at = `${url}/api/v1/archives/internal/packages/${deb.file}?sha256=${deb.sha256}`
  const headers = { Authorization: `Bearer ${token}` }
  try {
    const { status } = await fetch(at, { method: 'PUT', headers, body: deb.bytes })
    return status === 200
  } catch {
    return false
  }
}

async function checkAll(
  t: Test,
  dataDir: string,
  debs: readonly SmallDeb[],
  answered: readonly SmallDeb[],
): Promise<void> {
  const again = await started(t, dataDir)
  for (const { file, sha256 } of answered) {
    const path = `/archives/internal/packages/${file}?sha256=${sha256}`
    t.match(await again.api('GET', path), { published: [{ sha256 }] }, `${file} is there`)
  }
  for (const deb of debs) t.ok(await put(again, dataDir, deb), `${deb.file} is taken again`)
  await again.api('POST', '/archives/internal/follow')
  t.match(await again.api('GET', '/archives/internal'), { suites: [{ packages: debs.length }] })
  t.match(await again.api('GET', '/channels/testing'), { packages: debs.length })
  t.same((await again.api('POST', '/verify', {})).problems, [])
  t.same(await readdir(join(dataDir, 'uploads')).catch(() => []), [])
  await again.stop()
}
