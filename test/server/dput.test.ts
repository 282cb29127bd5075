/**
 * dput, as Debian has it, uploads what dpkg-buildpackage built and signed; and what is wrong with an upload is told by it, and
 * leaves nothing behind.
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { buildUpload, type UploadSpec } from '../../fixtures/uploads.ts'
import { type GpgHome, openGpgHome } from '../debian/openpgp-judges.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'
import { type RunResult, run } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { clean, troubles } from '../support/world.ts'

const gpg: GpgHome = await openGpgHome()
t.teardown(() => gpg.close())
const alice = await gpg.makeKey('alice', ['ed25519'])
const mallory = await gpg.makeKey('mallory', ['ed25519'])
const signer = { home: gpg.dir, fingerprint: alice }
const built = testDir(t)
const spec: UploadSpec = { source: 'acme', version: '1.2-3', binaries: ['acme', 'acme-data'] }
const changes = await buildUpload(join(built, 'good'), spec, signer)

t.test('a signed upload of source and binaries appears, and apt-get source gets it', async (t) => {
  const bed = await makeUploads(t)
  const sent = await bed.dput(join(built, 'good'), changes)
  t.equal(sent.code, 0, sent.stdout + sent.stderr)
  t.match(sent.stdout, /Successfully uploaded packages/)
  t.same(await bed.settle(), [{ channel: 'testing', serial: 2 }])
  t.same(await bed.left(), [], 'nothing waits')
  const apt = await bed.machine('testing')
  t.same(troubles(await apt.update()), clean)
  t.same(troubles(await apt.install('acme', 'acme-data')), clean)
  t.same(await apt.installed(), ['acme-data=1.2-3', 'acme=1.2-3'])
  const source = await apt.run('sh', [
    '-c',
    `cd ${bed.dir}/testing && apt-get source --download-only acme && dpkg-source --no-check -x acme_1.2-3.dsc tree && cat tree/about`,
  ])
  t.equal(source.code, 0, source.stderr)
  t.match(source.stdout, /^acme 1\.2$/m)
  t.match(await bed.sluice.api('GET', '/audit?what=publish'), [
    { what: 'publish', who: `ci, key ${alice}`, object: 'archive internal suite stable' },
  ])
  const again = await bed.dput(join(built, 'good'), changes)
  t.equal(again.code, 0, 'the same again is no error')
  t.same(await bed.left(), [])
})

t.test('what is wrong with an upload is told by dput, and nothing of it stays', async (t) => {
  const bed = await makeUploads(t)
  const good = await readFile(join(built, 'good', changes), 'utf8')
  const plain = (await gpg.run('--decrypt', join(built, 'good', changes))).stdout
  const cases: [string, (dir: string) => Promise<void>, RegExp][] = [
    [
      'unsigned',
      (dir) => writeFile(join(dir, changes), plain),
      /403 acme_1\.2-3_\w+\.changes: it is not signed/,
    ],
    [
      'signed by a stranger',
      async (dir) => writeFile(join(dir, changes), await gpg.clearSign(plain, [mallory])),
      /403 .* which may not upload here/,
    ],
    [
      'changed after it was signed',
      (dir) => writeFile(join(dir, changes), good.replace('urgency=medium', 'urgency=low')),
      /403 .*its signature is not good/,
    ],
    [
      'with a wrong checksum',
      // dput looks at the MD5 sums alone.
      async (dir) => {
        const wrong = plain.replace(
          /^ [0-9a-f]{64}(?= \d+ acme_1\.2-3_all\.deb$)/m,
          ` ${'0'.repeat(64)}`,
        )
        await writeFile(join(dir, changes), await gpg.clearSign(wrong, [alice]))
      },
      /422 .*acme_1\.2-3_all\.deb has the SHA-256/,
    ],
    [
      'without its upstream tarball',
      async (dir) => {
        await rm(dir, { recursive: true })
        await buildUpload(dir, { ...spec, withOrig: false, build: 'source' }, signer)
        await rm(join(dir, 'acme_1.2.orig.tar.xz'))
      },
      /422 .*acme_1\.2\.orig\.tar\.xz is neither in the upload nor in internal/,
    ],
    [
      'of a source that its key may not upload',
      async (dir) => {
        await rm(dir, { recursive: true })
        await buildUpload(dir, { source: 'other', version: '1.0' }, signer)
      },
      /403 .*may not upload the source other/,
    ],
  ]
  for (const [name, spoil, said] of cases) {
    const dir = join(bed.dir, 'bad')
    await rm(dir, { recursive: true, force: true })
    await cp(join(built, 'good'), dir, { recursive: true })
    await spoil(dir)
    const file = (await readdir(dir)).find((one) => one.endsWith('.changes')) ?? ''
    const sent = await bed.dput(dir, file)
    t.not(sent.code, 0, name)
    t.match(sent.stdout + sent.stderr, said, name)
    t.same(await bed.left(), [], `${name}: nothing left behind`)
  }
  t.match(await bed.sluice.api('GET', '/archives/internal'), { suites: [{ packages: 0 }] })
  t.same(await bed.settle(), [], 'no channel has another generation')
})

t.test('the token is asked for, and is good for its own archive alone', async (t) => {
  const bed = await makeUploads(t)
  const ask = async (token: string): Promise<RunResult> =>
    bed.dput(join(built, 'good'), changes, { token, isTyped: true })
  t.match((await ask('wrong-token-wrong-token')).stdout, /Upload failed as unauthorized/)
  await bed.sluice.api('POST', '/archives', {
    ...{ name: 'other', kind: 'local', suites: ['s'], components: ['c'], architectures: ['amd64'] },
  })
  const other = await bed.sluice.api('POST', '/tokens', { name: 'others', uploads: ['other'] })
  t.match((await ask(other.token)).stdout, /403 the token others is for uploads to other alone/)
  const status = await fetch(`${bed.sluice.url}/api/v1/status`, {
    headers: { Authorization: `Bearer ${bed.token}` },
  })
  t.equal(status.status, 403, 'and for nothing but uploads')
  const typed = await ask(bed.token)
  t.equal(typed.code, 0, typed.stdout)
  t.equal((await bed.settle()).length, 1)
})

interface Uploads extends LocalBed {
  readonly token: string
  dput(
    dir: string,
    changes: string,
    how?: { readonly token: string; readonly isTyped: boolean },
  ): Promise<RunResult>
  /** What is in `uploads/` of the data directory. */
  left(): Promise<string[]>
}

async function makeUploads(t: Test): Promise<Uploads> {
  const keyring = await gpg.exportKeys(alice)
  const bed = await makeLocalBed(t, {
    keyringBase64: Buffer.from(keyring).toString('base64'),
    uploaders: [`${alice} acme*`],
  })
  const { token } = await bed.sluice.api('POST', '/tokens', { name: 'ci', uploads: ['internal'] })
  return {
    ...bed,
    token,
    dput: async (dir, file, how = { token, isTyped: false }) => {
      const home = join(bed.dir, 'home')
      await mkdir(home, { recursive: true })
      const { host } = new URL(bed.sluice.url)
      const incoming = how.isTyped ? '/upload/internal' : `/upload/internal/${how.token}`
      const config = ['[internal]', 'method = http', `fqdn = ${host}`, `incoming = ${incoming}`]
      await writeFile(
        join(home, 'dput.cf'),
        [...config, 'allow_unsigned_uploads = 1', ''].join('\n'),
      )
      // A session of its own: dput asks the terminal where there is one.
      const script = `cd "$1" && printf '%s\\n' "$3" | setsid --wait dput --force --config "$HOME/dput.cf" internal "$2"`
      const env = { HOME: home, GNUPGHOME: gpg.dir }
      return run('sh', ['-c', script, 'dput', dir, file, how.token], { env })
    },
    left: async () => readdir(join(bed.sluice.dataDir, 'uploads')).catch(() => []),
  }
}
