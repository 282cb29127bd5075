import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { AppError } from '../../src/base/errors.ts'
import { readKeyring } from '../../src/debian/keyring.ts'
import { verifyClearSigned, verifyDetached } from '../../src/debian/openpgp-verify.ts'
import { testDir } from '../support/test-dir.ts'
import { askApt, askGpgv, askSqv, openGpgHome } from './openpgp-judges.ts'

const dir = testDir(t)
const gpg = await openGpgHome()
t.teardown(() => gpg.close())

const now = (): number => Math.floor(Date.now() / 1000)
const release = 'Origin: Example\nSuite: stable\n'
const past = ['--faked-system-time', '20200101T000000!']
const later = ['--faked-system-time', '20200105T000000!']
const future = ['--faked-system-time', '20990101T000000!']

/** Our verdict: `good`, or the code of the error. */
async function ours(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'good'
  } catch (error) {
    if (error instanceof AppError) return error.code
    throw error
  }
}

async function save(name: string, bytes: Buffer | string): Promise<string> {
  const file = join(dir, name.replaceAll(' ', '-'))
  await writeFile(file, bytes)
  return file
}

/** The first word of gpgv for the clear-signed bytes, with the exported keys. */
async function gpgvSays(keyring: Buffer, signed: Buffer): Promise<string> {
  const ring = await save('ring.gpg', keyring)
  return (await askGpgv(ring, await save('signed', signed)))[0] ?? 'nothing'
}

async function revoke(fingerprint: string): Promise<void> {
  const file = join(gpg.dir, 'openpgp-revocs.d', `${fingerprint}.rev`)
  const certificate = (await readFile(file, 'utf8')).replace(':-----BEGIN', '-----BEGIN')
  await gpg.run('--import', await save('revoke', certificate))
}

t.test('tells what is wrong with a key or signature, and gpgv agrees', async (t) => {
  const fine = await gpg.makeKey('fine', ['rsa2048'], past)
  const revoked = await gpg.makeKey('revoked', ['ed25519'])
  const byRevoked = await gpg.clearSign(release, [revoked])
  await revoke(revoked)
  const expired = await gpg.makeKey('expired', ['ed25519', 'sign', '30d'], past)
  const by = (options: readonly string[]): Promise<Buffer> =>
    gpg.clearSign(release, [fine], options)
  const table: [name: string, key: string, signed: Buffer, ours: string, gpgv: string][] = [
    ['good', fine, await by([]), 'good', 'GOODSIG'],
    ['SHA-224', fine, await by(['--digest-algo', 'SHA224']), 'good', 'GOODSIG'],
    ['SHA-384', fine, await by(['--digest-algo', 'SHA384']), 'good', 'GOODSIG'],
    ['revoked key', revoked, byRevoked, 'ERR_KEY_REVOKED', 'REVKEYSIG'],
    [
      'expired key',
      expired,
      await gpg.clearSign(release, [expired], later),
      'ERR_KEY_EXPIRED',
      'EXPKEYSIG',
    ],
    ['unknown key', expired, await by([]), 'ERR_KEY_UNKNOWN', 'ERRSIG'],
    [
      'expired signature',
      fine,
      await by(['--default-sig-expire', '1d', ...later]),
      'ERR_SIGNATURE_BAD',
      'EXPSIG',
    ],
  ]
  for (const [name, key, signed, code, word] of table) {
    const keyring = await gpg.exportKeys(key)
    t.equal(await ours(verifyClearSigned(signed, await readKeyring(keyring), now())), code, name)
    t.equal(await gpgvSays(keyring, signed), word, `gpgv on ${name}`)
  }
  const ring = await readKeyring(await gpg.exportKeys(expired))
  const signed = await gpg.clearSign(release, [expired], later)
  await t.rejects(verifyClearSigned(signed, ring, now()), { message: /expired on 2020-01-31/ })
  const inTime = Date.UTC(2020, 0, 6) / 1000
  t.equal(await ours(verifyClearSigned(signed, ring, inTime)), 'good', 'before it expired')
})

t.test('refuses digests that apt counts for nothing, and an altered text first', async (t) => {
  const key = await gpg.makeKey('digests', ['rsa2048'])
  const ring = await readKeyring(await gpg.exportKeys(key))
  const keyring = await save('digests.gpg', await gpg.exportKeys(key))
  for (const digest of ['SHA1', 'RIPEMD160']) {
    const signed = await gpg.clearSign(release, [key], ['--digest-algo', digest])
    t.equal(await ours(verifyClearSigned(signed, ring, now())), 'ERR_KEY_WEAK', digest)
    const file = await save(`digest-${digest}`, signed)
    t.same(await askApt([{ keyring, signature: file, file }]), [false], `apt refuses ${digest}`)
    const altered = Buffer.from(signed.toString().replace('stable', 'stabIe'))
    t.equal(await ours(verifyClearSigned(altered, ring, now())), 'ERR_SIGNATURE_BAD')
  }
  const old = await gpg.clearSign(release, [key], ['--digest-algo', 'SHA224'])
  t.match((await verifyClearSigned(old, ring, now())).warnings, [/SHA-224/])
})

t.test('refuses short RSA, DSA and curves that apt gives up', async (t) => {
  for (const algorithm of ['rsa1024', 'dsa2048', 'brainpoolP256r1', 'secp256k1']) {
    const key = await gpg.makeKey(`weak ${algorithm}`, [algorithm])
    const keyring = await gpg.exportKeys(key)
    const ring = await readKeyring(keyring)
    t.match(ring.keys, [{ algorithm: algorithm.toLowerCase(), fingerprint: key, revoked: false }])
    const signature = await gpg.detachSign(release, [key])
    const verdict = await ours(verifyDetached(Buffer.from(release), signature, ring, now()))
    t.equal(verdict, 'ERR_KEY_WEAK', algorithm)
    if (algorithm !== 'rsa1024') continue
    const files = [await save('weak.sig', signature), await save('weak', release)] as const
    t.notOk(await askSqv(await save('weak.gpg', keyring), ...files), `sqv refuses ${algorithm}`)
  }
})

t.test('refuses a signature dated in the future, as sqv does, but ten seconds', async (t) => {
  const key = await gpg.makeKey('clock', ['ed25519'])
  const keyring = await gpg.exportKeys(key)
  const ring = await readKeyring(keyring)
  const signature = await gpg.detachSign(release, [key], future)
  const bytes = Buffer.from(release)
  await t.rejects(verifyDetached(bytes, signature, ring, now()), {
    code: 'ERR_SIGNATURE_BAD',
    message: /signed in the future, at 2099-01-01T00:00:00Z/,
    hint: /clock/,
  })
  const files = [await save('clock.sig', signature), await save('clock', release)] as const
  t.notOk(await askSqv(await save('clock.gpg', keyring), ...files))
  const made = Date.UTC(2099, 0, 1) / 1000
  t.equal(await ours(verifyDetached(bytes, signature, ring, made - 10)), 'good')
  t.equal(await ours(verifyDetached(bytes, signature, ring, made - 11)), 'ERR_SIGNATURE_BAD')
})

t.test('refuses a signature older than its key, as gpgv does', async (t) => {
  const key = await gpg.makeKey('born', ['ed25519'])
  const keyring = await gpg.exportKeys(key)
  const signed = await gpg.clearSign(release, [key], [...past, '--ignore-time-conflict'])
  const verdict = await ours(verifyClearSigned(signed, await readKeyring(keyring), now()))
  t.equal(verdict, 'ERR_SIGNATURE_BAD')
  t.not(await gpgvSays(keyring, signed), 'GOODSIG')
})

t.test('takes a key certified over SHA-1 only with a warning; gpgv takes it too', async (t) => {
  const key = await gpg.makeKey('sha1 self', ['rsa2048'], ['--cert-digest-algo', 'SHA1'])
  const keyring = await gpg.exportKeys(key)
  const signed = await gpg.clearSign(release, [key])
  const { warnings } = await verifyClearSigned(signed, await readKeyring(keyring), now())
  t.match(warnings, [new RegExp(`${key} is certified over SHA-1`)])
  t.equal(await gpgvSays(keyring, signed), 'GOODSIG')
  const signature = await gpg.detachSign(release, [key])
  const files = [await save('sha1.sig', signature), await save('sha1', release)] as const
  t.notOk(await askSqv(await save('sha1.gpg', keyring), ...files), 'what the warning is about')
})

t.test('takes RSA, Ed25519 and the NIST curves', async (t) => {
  const kinds = 'rsa2048 rsa4096 ed25519 nistp256 nistp384 nistp521'
  for (const algorithm of kinds.split(' ')) {
    const key = await gpg.makeKey(`kind ${algorithm}`, [algorithm])
    const keyring = await gpg.exportKeys(key)
    const ring = await readKeyring(keyring)
    t.equal(ring.keys[0]?.algorithm, algorithm.toLowerCase())
    const signed = await gpg.clearSign(release, [key])
    const { signers, warnings } = await verifyClearSigned(signed, ring, now())
    t.equal(signers[0]?.fingerprint, key, algorithm)
    t.same(warnings, [])
    t.equal(await gpgvSays(keyring, signed), 'GOODSIG')
  }
})
