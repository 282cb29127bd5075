/**
 * What a token for uploads may: where the archive says who may upload, only what he signed; and what it published itself is all
 * that it says an end of.
 */
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { buildUpload } from '../../fixtures/uploads.ts'
import { openGpgHome } from '../debian/openpgp-judges.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'
import { runSluice } from '../support/program.ts'
import type { RunResult } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'

const gpg = await openGpgHome()
t.teardown(() => gpg.close())
const alice = await gpg.makeKey('alice', ['ed25519'])
const signer = { home: gpg.dir, fingerprint: alice }
const built = testDir(t)
const foo = { source: 'acme-foo', version: '1.0', binaries: ['acme-foo', 'acme-foo-data'] }
const signed = join(built, 'foo', await buildUpload(join(built, 'foo'), foo, signer))
const forbidden = await buildUpload(
  join(built, 'libc'),
  { source: 'libc6', version: '9.0' },
  signer,
)

t.test(
  'where it is said who may upload, a token for uploads takes signed ones alone',
  async (t) => {
    const bed = await makeRights(t)
    const deb = await bed.build({ name: 'libc6', version: '9.0', arch: 'amd64' })
    const alone = await bed.send('dev', deb)
    t.match(alone, {
      code: 5,
      stderr: /libc6_9\.0_amd64\.deb is not signed, and internal takes only/,
    })
    t.match(alone.stderr, /hint: .*--direct/)
    const raw = await fetch(
      `${bed.sluice.url}/api/v1/archives/internal/packages/libc6_9.0_amd64.deb`,
      {
        method: 'PUT',
        headers: { Authorization: `Bearer ${bed.tokens.get('dev')}` },
        body: await readFile(deb),
      },
    )
    t.equal(raw.status, 403, 'nor for who does not ask first')
    t.match(await bed.send('dev', join(built, 'libc', forbidden)), {
      code: 5,
      stderr: /may not upload the source libc6/,
    })
    const plain = join(bed.dir, 'plain')
    await cp(join(built, 'foo'), plain, { recursive: true })
    const unsigned = join(plain, signed.slice(signed.lastIndexOf('/') + 1))
    await writeFile(unsigned, (await gpg.run('--decrypt', signed)).stdout)
    t.match(await bed.send('dev', unsigned), { code: 5, stderr: /it is not signed/ })
    t.same(await bed.sluice.api('GET', '/archives/internal/packages'), [])

    t.match(await bed.send('dev', signed), { code: 0 })
    t.match(await bed.send('ci', deb), { code: 0 }, 'made for direct publishing')
    const list = await bed.type('', 'token', 'list')
    t.match(list.stdout, /^ci .* uploads to internal, unsigned too$/m)
    t.match(list.stdout, /^dev .* uploads to internal$/m)
  },
)

t.test('a token for uploads ends nothing that another one published', async (t) => {
  const bed = await makeRights(t)
  const deb = await bed.build({ name: 'acme-app', version: '1.0', arch: 'amd64' })
  t.match(await bed.send('ci', deb), { code: 0 })
  const app = { name: 'acme-app', version: '1.0', architecture: 'amd64' }
  const packages = [{ ...app, suite: 'stable', component: 'main' }]
  const end = async (name: string): Promise<{ status: number; text: string }> => {
    const endsAt = Date.now() + 3600_000
    const response = await fetch(`${bed.sluice.url}/api/v1/archives/internal/ends`, {
      method: 'PUT',
      headers: {
        Authorization: `Bearer ${bed.tokens.get(name)}`,
        'Content-Type': 'application/json',
      },
      body: JSON.stringify({ packages, endsAt }),
    })
    return { status: response.status, text: await response.text() }
  }
  t.match(await end('dev'), { status: 403, text: /was published to internal by ci, not by dev/ })
  t.match(await bed.send('dev', deb, '--expires', '1h'), { code: 5 })
  t.notMatch(await bed.sluice.api('GET', '/archives/internal/packages'), [{ endsAt: Number }])
  t.match(await end('ci'), { status: 200 })
  t.match(
    await bed.send('dev', signed, '--expires', '1h'),
    { code: 0 },
    'what it signed is its own',
  )
})

t.test('what is published already is so in this suite and component', async (t) => {
  const bed = await makeRights(t, { suites: ['stable', 'next'], components: ['main', 'extra'] })
  const deb = await bed.build({ name: 'acme-app', version: '1.0', arch: 'amd64' })
  t.match(await bed.send('ci', deb, '--suite', 'next'), { code: 0 })
  const unclear = await bed.send('ci', deb)
  t.match(unclear, { code: 2, stderr: /the suites stable, next: which one\?/ })
  t.match(await bed.send('ci', deb, '--suite', 'next', '--component', 'extra'), {
    code: 0,
    stdout: /^published/,
  })
  t.match(await bed.send('ci', deb, '--suite', 'next'), { code: 0, stdout: /^known/ })
})

t.test('a section without a component is one of the first component', async (t) => {
  const bed = await makeRights(t, { components: ['main', 'extra'] })
  const dir = join(bed.dir, 'sections')
  await cp(join(built, 'foo'), dir, { recursive: true })
  const path = join(dir, signed.slice(signed.lastIndexOf('/') + 1))
  const plain = String((await gpg.run('--decrypt', signed)).stdout)
  await writeFile(path, plain.replace(/ misc (?=\w+ acme-foo_1\.0_all\.deb)/, ' main/misc '))
  t.match(await readFile(path, 'utf8'), / main\/misc /)
  t.match(await bed.send('ci', path), { code: 0, stdout: /acme-foo 1\.0 all {2}stable main/ })
})

interface Rights extends LocalBed {
  readonly tokens: ReadonlyMap<string, string>
  /** Types a command with the token of this name; with none, as the administrator. */
  type(token: string, ...args: string[]): Promise<RunResult>
  send(token: string, ...args: string[]): Promise<RunResult>
}

/** An archive that alice may upload acme-* to; the tokens `dev`, which is for that, and `ci`, which is for direct uploads. */
async function makeRights(t: Test, settings: object = {}): Promise<Rights> {
  const bed = await makeLocalBed(t, {
    keyringBase64: Buffer.from(await gpg.exportKeys(alice)).toString('base64'),
    uploaders: [`${alice} acme*`],
    ...settings,
  })
  const type = (token: string, ...args: string[]): Promise<RunResult> => {
    const secret = tokens.get(token) ?? bed.sluice.token
    const env = { SLUICE_URL: bed.sluice.url, SLUICE_TOKEN: secret, NO_COLOR: '1' }
    return runSluice(args, { env })
  }
  const tokens = new Map<string, string>()
  for (const [name, ...more] of [['dev'], ['ci', '--direct']]) {
    const made = await type('', 'token', 'create', name ?? '', '--upload', 'internal', ...more)
    tokens.set(name ?? '', made.stdout.trim())
  }
  return {
    ...bed,
    tokens,
    type,
    send: (token, ...args) => type(token, 'publish', '--to', 'internal', '--no-wait', ...args),
  }
}
