/**
 * Uploads that come at once by one token: dput tells no more of itself, so that they lie in one folder. Each is answered for
 * itself, and nothing of one goes with another.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { buildUpload, type UploadSpec } from '../../fixtures/uploads.ts'
import { openGpgHome } from '../debian/openpgp-judges.ts'
import { type LocalBed, makeLocalBed } from '../support/local-bed.ts'
import { testDir } from '../support/test-dir.ts'

const gpg = await openGpgHome()
t.teardown(() => gpg.close())
const alice = await gpg.makeKey('alice', ['ed25519'])
const signer = { home: gpg.dir, fingerprint: alice }
const built = testDir(t)
const spec: UploadSpec = { source: 'acme', version: '1.2-3', binaries: ['acme', 'acme-data'] }
const changes = await buildUpload(join(built, 'good'), spec, signer)
const other = await buildUpload(join(built, 'other'), { source: 'acme2', version: '2.0' }, signer)
const plain = (await gpg.run('--decrypt', join(built, 'good', changes))).stdout

/** The .changes with only those of its files whose lines these are. */
function part(architecture: string, files: RegExp): Promise<Buffer> {
  const lines = plain
    .split('\n')
    .filter((line) => !/^ [0-9a-f]{32,64} /.test(line) || files.test(line))
  const text = lines.join('\n').replace(/^Architecture: .*$/m, `Architecture: ${architecture}`)
  return gpg.clearSign(text, [alice])
}

t.test('files that two uploads have are there for both', async (t) => {
  const bed = await makePuts(t)
  const all = await part('all', /\.deb$/)
  t.match(await bed.put('acme_1.2-3_all.changes', all), { status: 202, text: /waits for 2 more/ })
  for (const file of await bed.files('good', /\.(deb|dsc|buildinfo|tar\.xz)$/))
    t.match(await bed.put(file.name, file.data), { status: Number }, file.name)
  t.match(await bed.put(changes, await readFile(join(built, 'good', changes))), {
    status: 201,
    text: /^published .*acme 1\.2-3 source\n$/,
  })
  const source = await part('source', /\.(dsc|tar\.xz)$/)
  t.match(
    await bed.put('acme_1.2-3_source.changes', source),
    { status: 201 },
    'though its files went with the first one',
  )
  t.same(await bed.left(), [])
})

t.test('an upstream tarball is taken from the sources of the same archive alone', async (t) => {
  const bed = await makePuts(t)
  const keyringBase64 = Buffer.from(await gpg.exportKeys(alice)).toString('base64')
  await bed.sluice.api('POST', '/archives', {
    ...{ name: 'aside', kind: 'local', suites: ['stable'], components: ['main'] },
    ...{ architectures: ['amd64'], keyringBase64, uploaders: [`${alice} acme*`] },
  })
  const to = async (archive: string, file: string, data: string | Buffer): Promise<object> => {
    const url = `${bed.sluice.url}/upload/${archive}/${bed.sluice.token}/${file}`
    const response = await fetch(url, { method: 'PUT', body: data })
    return { status: response.status, text: await response.text() }
  }
  const whole = [...(await bed.files('good', /./))].sort(
    (a, b) => Number(a.name.endsWith('.changes')) - Number(b.name.endsWith('.changes')),
  )
  for (const { name, data } of whole) await to('aside', name, data)
  t.match(await bed.sluice.api('GET', '/archives/aside/packages'), { length: 3 })
  const without = await part('source', /\.dsc$|\.debian\.tar\.xz$/)
  const again = async (): Promise<object> => {
    for (const { name, data } of await bed.files('good', /\.dsc$|\.debian\.tar\.xz$/))
      await to('internal', name, data)
    return to('internal', 'acme_1.2-3_source.changes', without)
  }
  t.match(await again(), {
    status: 422,
    text: /orig\.tar\.xz is neither in the upload nor in internal/,
  })
  for (const { name, data } of whole) await to('internal', name, data)
  t.match(await again(), { status: 201 })
})

t.test('a .changes that is refused takes nothing of another upload along', async (t) => {
  const bed = await makePuts(t)
  for (const file of await bed.files('good', /\.(deb|dsc|buildinfo|tar\.xz)$/))
    t.match(await bed.put(file.name, file.data), { status: 202 })
  t.match(await bed.put('broken_1_all.changes', 'no .changes at all\n'), { status: 403 })
  const signed = await readFile(join(built, 'good', changes), 'utf8')
  const sizes = plain.replace(/^( [0-9a-f]{32,64} )\d+/gm, '$11')
  t.match(await bed.put('sizes_1_all.changes', sizes), { status: 403 })
  t.match(await bed.put(changes, signed), { status: 201 })
  t.same(await bed.left(), [])
})

t.test('what is wrong with an upload is told to nobody else', async (t) => {
  const bed = await makePuts(t)
  t.match(await bed.put(other, await readFile(join(built, 'other', other))), { status: 202 })
  await bed.sluice.api('PATCH', '/archives/internal', {
    uploaders: [`${alice} acme`],
  })
  for (const file of await bed.files('good', /\.(deb|dsc|buildinfo|tar\.xz)$/))
    t.match(await bed.put(file.name, file.data), { status: 202 }, file.name)
  const signed = await readFile(join(built, 'good', changes))
  t.match(await bed.put(changes, signed), { status: 201 })
  const [mine] = await bed.files('other', /\.deb$/)
  t.match(await bed.put(mine?.name ?? '', mine?.data ?? ''), { status: 403, text: /acme2/ })
})

t.test('many at once are all published', async (t) => {
  const bed = await makePuts(t)
  const folders = ['good', 'other']
  const answers = await Promise.all(
    [...folders, ...folders].map(async (folder) => {
      const files = await bed.files(folder, /\.(deb|dsc|buildinfo|tar\.xz)$/)
      const sent = await Promise.all(files.map((file) => bed.put(file.name, file.data)))
      const [last] = await bed.files(folder, /\.changes$/)
      return [...sent, await bed.put(last?.name ?? '', last?.data ?? '')]
    }),
  )
  for (const { status, text } of answers.flat()) t.ok([201, 202].includes(status), text)
  const rows = await bed.sluice.api('GET', '/archives/internal/packages')
  const names = rows.map((row: { name: string; architecture: string }) => row.name)
  t.same(names.sort(), ['acme', 'acme', 'acme-data', 'acme2', 'acme2'])
})

t.test(
  'one .deb that is sent several times at once is published once, and never damaged',
  async (t) => {
    const bed = await makePuts(t)
    for (const version of ['1', '2']) {
      const spec = { name: 'acme-big', version, arch: 'amd64', content: 3_000_000 }
      const path = await bed.build(spec)
      const data = await readFile(path)
      const digest = createHash('sha256').update(data).digest('hex')
      const send = async () => {
        const url = `${bed.sluice.url}/api/v1/archives/internal/packages/${basename(path)}?sha256=${digest}`
        const headers = { Authorization: `Bearer ${bed.sluice.token}` }
        const response = await fetch(url, { method: 'PUT', headers, body: data })
        return { status: response.status, text: await response.text() }
      }
      const all = await Promise.all(Array.from({ length: 6 }, send))
      for (const { status, text } of all) t.ok([200, 409].includes(status), text)
      t.equal(all.filter(({ text }) => text.includes('"outcome":"published"')).length, 1)
    }
  },
)

interface Puts extends LocalBed {
  put(file: string, data: string | Buffer): Promise<{ status: number; text: string }>
  files(folder: string, names: RegExp): Promise<{ name: string; data: Buffer }[]>
  /** What is in `uploads/` of the data directory. */
  left(): Promise<string[]>
}

async function makePuts(t: Test): Promise<Puts> {
  const keyring = await gpg.exportKeys(alice)
  const bed = await makeLocalBed(t, {
    keyringBase64: Buffer.from(keyring).toString('base64'),
    uploaders: [`${alice} acme*`],
  })
  const { token } = await bed.sluice.api('POST', '/tokens', { name: 'ci', uploads: ['internal'] })
  return {
    ...bed,
    put: async (file, data) => {
      const url = `${bed.sluice.url}/upload/internal/${token}/${file}`
      const response = await fetch(url, { method: 'PUT', body: data })
      return { status: response.status, text: await response.text() }
    },
    files: async (folder, names) => {
      const found = (await readdir(join(built, folder))).filter((name) => names.test(name))
      return Promise.all(
        found.map(async (name) => ({ name, data: await readFile(join(built, folder, name)) })),
      )
    },
    left: async () => readdir(join(bed.sluice.dataDir, 'uploads')).catch(() => []),
  }
}
