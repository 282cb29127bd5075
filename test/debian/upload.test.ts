/** Uploads that dpkg-buildpackage built and gpg signed; and those that somebody changed on the way, or made up. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { buildUpload } from '../../fixtures/uploads.ts'
import { isAppError } from '../../src/base/errors.ts'
import { sha256Of } from '../../src/base/sha256.ts'
import { type Keyring, readKeyring } from '../../src/debian/keyring.ts'
import { missingFiles } from '../../src/debian/match-upload.ts'
import { readUpload } from '../support/read-upload.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { asDpkgReads, readWithDpkg } from './dpkg-control.ts'
import { openGpgHome } from './openpgp-judges.ts'

const gpg = await openGpgHome()
t.teardown(() => gpg.close())
const alice = await gpg.makeKey('alice', ['ed25519'])
const mallory = await gpg.makeKey('mallory', ['ed25519'])
const ring: Keyring = await readKeyring(await gpg.exportKeys(alice))
const dir = testDir(t)
const signer = { home: gpg.dir, fingerprint: alice }
const spec = { source: 'acme', version: '1:1.2-3', binaries: ['acme', 'acme-data'] }
const name = await buildUpload(join(dir, 'good'), spec, signer)
const nobody = 'nobody'
const dsc = 'acme_1.2-3.dsc'
const deb = 'acme_1.2-3_all.deb'

/** What refuses a copy of the good upload after `spoil`; its `.changes` is signed again by alice unless told. */
async function refusal(
  spoil: (dir: string, changes: string) => Promise<string | undefined>,
  by: string = alice,
): Promise<string> {
  const place = join(dir, 'bad')
  await rm(place, { recursive: true, force: true })
  await cp(join(dir, 'good'), place, { recursive: true })
  const text = await plainChanges()
  const changed = (await spoil(place, text)) ?? text
  const data = by === nobody ? changed : await gpg.clearSign(changed, [by])
  await writeFile(join(place, name), data)
  try {
    await readUpload(place, name, ring)
  } catch (error) {
    if (!isAppError(error) || error.hint === undefined) throw error
    return `${error.code} ${error.details?.reason}: ${error.message}`
  }
  return 'taken'
}

async function plainChanges(): Promise<string> {
  return (await gpg.run('--decrypt', join(dir, 'good', name))).stdout
}

t.test('a signed upload of source and binaries is taken, as dpkg reads it', async (t) => {
  const found = await readUpload(join(dir, 'good'), name, ring)
  t.same(
    found.signers.map((one) => one.fingerprint),
    [alice],
  )
  t.match(found.changes, {
    ...{ source: 'acme', sourceVersion: '1:1.2-3', version: '1:1.2-3', distribution: 'unstable' },
    ...{ architectures: ['source', 'all'], binaries: ['acme', 'acme-data'], urgency: 'medium' },
  })
  t.same(found.debs.map((one) => [one.name, one.version, one.source, one.sourceVersion]).sort(), [
    ['acme', '1:1.2-3', 'acme', '1:1.2-3'],
    ['acme-data', '1:1.2-3', 'acme', '1:1.2-3'],
  ])
  t.equal(found.dsc?.format, '3.0 (quilt)')
  t.same(
    found.dsc?.files.map((one) => one.name),
    ['acme_1.2.orig.tar.xz', 'acme_1.2-3.debian.tar.xz'],
  )
  t.same(found.absent, [])
  const plain = join(dir, 'plain.changes')
  await writeFile(plain, await plainChanges())
  const [judged] = await readWithDpkg(plain)
  const ours = [...found.changes.stanza].map(([field, value]) => [
    field.toLowerCase(),
    asDpkgReads(value),
  ])
  t.same(ours, judged)
  t.ok(
    (
      await runOk('dpkg-source', ['--no-check', '-x', dsc, join(dir, 'out')], {
        cwd: join(dir, 'good'),
      })
    ).code === 0,
  )
  const waits = missingFiles(found.changes, (file) => file === deb)
  t.equal(waits.length, found.changes.files.length - 1)
})

t.test(
  'binaries alone, source alone, and source without its upstream tarball are taken',
  async (t) => {
    const binary = join(dir, 'binary')
    const found = await readUpload(
      binary,
      await buildUpload(binary, { ...spec, build: 'binary' }, signer),
      ring,
    )
    t.equal(found.dsc, undefined)
    t.equal(found.debs.length, 2)
    const later = { ...spec, version: '1:1.2-4', build: 'source', withOrig: false } as const
    const source = join(dir, 'source')
    const more = await readUpload(source, await buildUpload(source, later, signer), ring)
    t.same(more.debs, [])
    t.same(
      more.absent.map((one) => one.name),
      ['acme_1.2.orig.tar.xz'],
      'the archive must have it',
    )
    const native = join(dir, 'native')
    const own = await buildUpload(native, { source: 'tool', version: '2.0~rc1' })
    t.equal(
      (await readUpload(native, own)).dsc?.format,
      '3.0 (native)',
      'unsigned, where that is allowed',
    )
  },
)

t.test('without a good signature of an uploader nothing is taken', async (t) => {
  const same = async (): Promise<undefined> => undefined
  t.equal(await refusal(same), 'taken')
  t.match(
    await refusal(same, nobody),
    /^ERR_REFUSED ERR_SIGNATURE_MISSING: acme_.*changes: it is not signed/,
  )
  t.match(
    await refusal(same, mallory),
    new RegExp(`^ERR_REFUSED ERR_KEY_UNKNOWN: .*${mallory.slice(-16)}, which may not`),
  )
  const altered = async (_dir: string): Promise<string> => {
    const text = await readFile(join(dir, 'good', name), 'utf8')
    return text.replace('Distribution: unstable', 'Distribution: stable')
  }
  t.match(await refusal(altered, nobody), /^ERR_REFUSED ERR_SIGNATURE_BAD/)
  const wrapped = async (): Promise<string> =>
    `Source: evil\n\n${await readFile(join(dir, 'good', name))}`
  t.match(await refusal(wrapped, nobody), /^ERR_REFUSED ERR_SIGNATURE_/)
  const cut = async (): Promise<string> =>
    (await readFile(join(dir, 'good', name), 'utf8')).slice(0, -60)
  t.match(await refusal(cut, nobody), /^ERR_REFUSED ERR_SIGNATURE_/)
})

t.test('files that are not those listed are refused', async (t) => {
  const spoiled =
    (file: string, how: (data: Buffer) => Buffer | undefined) => async (place: string) => {
      const data = how(await readFile(join(place, file)))
      if (data === undefined) await rm(join(place, file))
      else await writeFile(join(place, file), data)
      return undefined
    }
  const other = spoiled('acme_1.2.orig.tar.xz', (data) => Buffer.from(data.map((byte) => byte ^ 1)))
  t.match(await refusal(other), /^ERR_PACKAGE file-differs: .*orig.tar.xz has the SHA-256/)
  const longer = spoiled('acme_1.2.orig.tar.xz', (data) => Buffer.concat([data, data]))
  t.match(await refusal(longer), /file-differs: .* bytes, \d+ are listed/)
  const gone = spoiled(deb, () => undefined)
  t.match(await refusal(gone), /file-missing: .*acme_1.2-3_all.deb did not come/)
  const torn = spoiled(deb, (data) => data.subarray(0, data.length - 100))
  t.match(await refusal(torn), /ar-cut-off/)
})

t.test('a .changes that is signed, but wrong, is refused by field', async (t) => {
  const edits: readonly [what: RegExp, edit: (text: string) => string][] = [
    [
      /no-sha256: .*Checksums-Sha256: it is not there/,
      (text) => text.replace(/^Checksums-Sha256:\n( .*\n)+/m, ''),
    ],
    [/lists-differ: .*Files: .*not in it/, (text) => text.replace(/(Files:\n) .*\n/, '$1')],
    [
      /lists-differ: .*Checksums-Sha1: .*another size/,
      (text) => text.replace(/(Sha1:\n [0-9a-f]+) /, '$1 9'),
    ],
    [
      /file-differs: .*SHA-1/,
      (text) => text.replace(/(Sha1:\n )[0-9a-f]{40}/, `$1${'0'.repeat(40)}`),
    ],
    [
      /file-differs: .*MD5/,
      (text) => text.replace(/(Files:\n )[0-9a-f]{32}/, `$1${'0'.repeat(32)}`),
    ],
    [/file-twice: /, (text) => text.replace(/(Sha256:\n)( .*\n)/, '$1$2$2')],
    [/unsafe-name: .*"\.\.\/acme_1.2-3.dsc"/, (text) => text.replaceAll(` ${dsc}`, ` ../${dsc}`)],
    [/unsafe-name: .*"\.hidden"/, (text) => text.replaceAll(` ${dsc}`, ' .hidden')],
    [/file-list: /, (text) => text.replace(/(Sha256:\n )[0-9a-f]{64}/, '$1abc')],
    [/syntax: .*second time/, (text) => `${text.trimEnd()}\nSource: other\n`],
    [/syntax: .*one stanza/, (text) => `${text}\nSource: other\n`],
    [/field-source: /, (text) => text.replace('Source: acme', 'Source: Acme')],
    [/field-version: /, (text) => text.replace('Version: 1:1.2-3', 'Version: x')],
    [/field-distribution: /, (text) => text.replace('unstable', '../x')],
    [/field-architecture: .*not there/, (text) => text.replace(/^Architecture:.*\n/m, '')],
    [/field-format: /, (text) => text.replace('Format: 1.8', 'Format: 2.0')],
    [
      /other-source: .*acme(-data)?_1.2-3_all.deb is of the source acme 1:1.2-3, not libc6/,
      (text) => text.replace('Source: acme', 'Source: libc6'),
    ],
    [
      /architecture: .*does not name all/,
      (text) => text.replace('Architecture: source all', 'Architecture: source'),
    ],
    [
      /binary: .*does not name acme-data/,
      (text) => text.replace('Binary: acme acme-data', 'Binary: acme'),
    ],
    [
      /dsc: a .dsc, but no source|dsc: .*a .dsc, but no source/,
      (text) => text.replace('Architecture: source all', 'Architecture: all'),
    ],
  ]
  for (const [what, edit] of edits)
    t.match(await refusal(async (_dir, text) => edit(text)), what, String(what))
})

t.test('a .dsc that names other files than came with it is refused', async (t) => {
  const resealed = (edit: (text: string) => string) => async (place: string, text: string) => {
    const data = edit(await readFile(join(place, dsc), 'utf8'))
    await writeFile(join(place, dsc), data)
    const listed = text.split('\n').filter((line) => !/^ [0-9a-f]{40} |^ [0-9a-f]{32} /.test(line))
    return listed
      .filter((line) => !/^(Checksums-Sha1|Files):/.test(line))
      .map((line) =>
        line.endsWith(` ${dsc}`) ? ` ${sha256Of(data)} ${Buffer.byteLength(data)} ${dsc}` : line,
      )
      .join('\n')
  }
  const sum = /(Sha256:\n )[0-9a-f]{64}/
  const cases: readonly [what: RegExp, edit: (text: string) => string][] = [
    [/taken/, (text) => text],
    [
      /dsc-differs: .*orig.tar.xz is another file/,
      (text) => text.replace(sum, `$1${'0'.repeat(64)}`),
    ],
    [
      /dsc-files: .*"other_1.tar.xz" is no part/,
      (text) => text.replaceAll('acme_1.2.orig.tar.xz', 'other_1.tar.xz'),
    ],
    [/unsafe-name: /, (text) => text.replaceAll('acme_1.2.orig.tar.xz', '../../x.tar.xz')],
    [
      /dsc-version: .*must be named acme_1.3-1.dsc/,
      (text) => text.replace('Version: 1:1.2-3', 'Version: 1:1.3-1'),
    ],
    [/dsc-format: /, (text) => text.replace('3.0 (quilt)', '4.0')],
    [/signed-frame: /, (text) => text.slice(0, -60)],
  ]
  for (const [what, edit] of cases) t.match(await refusal(resealed(edit)), what, String(what))
})
