/**
 * The watched folder: what is laid there is published, what is refused moves aside with its reason.
 */
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { buildUpload } from '../../fixtures/uploads.ts'
import { openGpgHome } from '../debian/openpgp-judges.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'
import { makeSmallDeb } from '../support/small-debs.ts'

t.test('a package that is laid there is published; a damaged one moves aside', async (t) => {
  const { sluice, folder } = await makeIncoming(t)
  const good = await makeSmallDeb('good')
  await lay(folder, good.file, good.bytes)
  const bad = await makeSmallDeb('bad')
  await lay(folder, bad.file, bad.bytes.subarray(0, 300))
  await until(async () => (await list(folder)).join() === 'rejected')
  t.same(await list(join(folder, 'rejected')), [bad.file, `${bad.file}.reason`])
  t.match(
    await readFile(join(folder, 'rejected', `${bad.file}.reason`), 'utf8'),
    /: the file ends within .*\nhint: /,
  )
  t.match(await sluice.api('GET', '/archives/internal'), { suites: [{ packages: 1 }] })
  t.match(await sluice.api('GET', '/audit?what=publish'), [{ who: 'incoming' }])
  t.same(await list(join(sluice.dataDir, 'uploads')), [])
})

t.test('where the archive knows uploaders, only what they signed is taken', async (t) => {
  const gpg = await openGpgHome()
  t.teardown(() => gpg.close())
  const alice = await gpg.makeKey('alice', ['ed25519'])
  const { sluice, folder, dir } = await makeIncoming(t, {
    keyringBase64: (await gpg.exportKeys(alice)).toString('base64'),
    uploaders: [`${alice} *`],
  })
  const lone = await makeSmallDeb('lone')
  await lay(folder, lone.file, lone.bytes)
  const spec = { source: 'acme', version: '1.0' }
  await buildUpload(join(dir, 'up'), spec, { home: gpg.dir, fingerprint: alice })
  await cp(join(dir, 'up'), folder, { recursive: true })
  await until(async () => (await sluice.api('GET', '/archives/internal')).suites[0].sources === 1)
  await until(async () => (await list(folder)).join() === 'rejected')
  t.same(await list(join(folder, 'rejected')), [lone.file, `${lone.file}.reason`])
  t.match(await readFile(join(folder, 'rejected', `${lone.file}.reason`), 'utf8'), /is not signed/)
})

async function makeIncoming(t: Test, settings = {}): Promise<LocalBed & { folder: string }> {
  const incoming = await mkdtemp(join(tmpdir(), 'sluice-incoming-'))
  t.teardown(() => rm(incoming, { recursive: true, force: true }))
  const folder = join(incoming, 'internal')
  await mkdir(folder)
  return { ...(await makeLocalBed(t, settings, { flags: { incoming } })), folder }
}

/** A file that nobody writes to any more: its time is an hour ago. */
async function lay(folder: string, file: string, bytes: Uint8Array): Promise<void> {
  const path = join(folder, `.${file}`)
  await writeFile(path, bytes)
  const before = new Date(Date.now() - 3600_000)
  await utimes(path, before, before)
  await rename(path, join(folder, file))
}

async function list(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(() => [])).sort()
}

async function until(isIt: () => Promise<boolean>): Promise<void> {
  while (!(await isIt())) await setTimeout(50)
}
