import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { AppError } from '../../src/base/errors.ts'
import { type Keyring, limitKeyring, mergeKeyrings, readKeyring } from '../../src/debian/keyring.ts'
import { readPackets } from '../../src/debian/openpgp-packets.ts'
import { verifyClearSigned } from '../../src/debian/openpgp-verify.ts'
import { runOk } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { askApt, askGpgv, openGpgHome } from './openpgp-judges.ts'

const dir = testDir(t)
const gpg = await openGpgHome()
t.teardown(() => gpg.close())

const now = (): number => Math.floor(Date.now() / 1000)
const release = 'Origin: Example\nSuite: stable\n'
const past = ['--faked-system-time', '20200101T000000!']
const later = ['--faked-system-time', '20200105T000000!']

async function ours(signed: Buffer, ring: Keyring): Promise<string> {
  try {
    await verifyClearSigned(signed, ring, now())
    return 'good'
  } catch (error) {
    if (error instanceof AppError) return error.code
    throw error
  }
}

async function save(name: string, bytes: Buffer | string): Promise<string> {
  const file = join(dir, name)
  await writeFile(file, bytes)
  return file
}

async function armored(...fingerprints: string[]): Promise<string> {
  return (await gpg.run('--armor', '--export', ...fingerprints)).stdout
}

/** Adds a signing subkey and gives its fingerprint. */
async function addSubkey(primary: string, expire: string, options: string[] = []): Promise<string> {
  await gpg.run(...options, '--quick-add-key', primary, 'ed25519', 'sign', expire)
  const { stdout } = await gpg.run('--with-colons', '--list-keys', primary)
  return [...stdout.matchAll(/^fpr:::::::::([0-9A-F]{40}):/gm)].at(-1)?.[1] ?? ''
}

t.test('lists the keys of this machine as gpg lists them', async (t) => {
  const folders = ['/usr/share/keyrings', '/etc/apt/trusted.gpg.d']
  const names = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))),
  )
  const files = names.flat().filter((name) => /debian-archive.*\.(gpg|asc)$/.test(name))
  t.not(files.length, 0, 'there are some')
  for (const file of files) {
    const { keys, skipped } = await readKeyring(await readFile(file))
    const { stdout } = await gpg.run('--with-colons', '--show-keys', file)
    const lines = stdout.split('\n').map((line) => line.split(':'))
    const primaries = lines.filter(([kind]) => kind === 'pub')
    t.same(
      keys.map((key) => [key.keyIds[0], String(key.createdAt), String(key.expiresAt ?? '')]),
      primaries.map((fields) => [fields[4], fields[5], fields[6]]),
      file,
    )
    t.same(
      keys.map((key) => key.revoked),
      primaries.map((fields) => fields[1] === 'r'),
    )
    const ids = lines.filter(([kind]) => kind === 'pub' || kind === 'sub').map((line) => line[4])
    t.same(
      keys.flatMap((key) => key.keyIds),
      ids,
      'and the subkeys',
    )
    t.same(skipped, [])
  }
})

t.test('reads keys however they are written', async (t) => {
  const a = await gpg.makeKey('way a', ['ed25519'])
  const b = await gpg.makeKey('way b', ['rsa2048'])
  const [one, two] = [await armored(a), await armored(b)]
  const deb822 = `\n${one}`.replaceAll('\n\n', '\n.\n').replaceAll('\n', '\n ')
  const forms: Record<string, Buffer | string> = {
    binary: await gpg.exportKeys(a, b),
    'one armor block': await armored(a, b),
    'two armor blocks': one + two,
    'armor blocks among comments': `# first\n${one}\nand the second:\n${two}# end\n`,
    'CRLF line ends': (one + two).replaceAll('\n', '\r\n'),
    'blanks at line ends': (one + two).replaceAll('\n', '  \n'),
    'no newline at the end': (one + two).trimEnd(),
    'as deb822 Signed-By has it': `${deb822}\n${two}`,
    'no checksum': (one + two).replaceAll(/^=....\n/gm, ''),
    'with a byte order mark': `\ufeff${one}${two}`,
    'each twice': Buffer.concat([await gpg.exportKeys(a, b), await gpg.exportKeys(b, a)]),
  }
  for (const [name, form] of Object.entries(forms)) {
    const { keys } = await readKeyring(typeof form === 'string' ? Buffer.from(form) : form)
    t.same(
      keys.map((key) => key.fingerprint),
      [a, b],
      name,
    )
  }
  t.same((await readKeyring(one)).keys[0]?.userIds, ['way a <way.a@example.org>'], 'as a string')
})

t.test('leaves out what it cannot read, names it, and keeps the rest', async (t) => {
  const key = await gpg.makeKey('kept', ['ed25519'])
  const good = await gpg.exportKeys(key)
  const v3 = Buffer.from('99000b0300000000001e010008ff0008ff', 'hex').subarray(0, 14)
  const unknownKey = Buffer.from('980804000000006300aa', 'hex')
  const marker = Buffer.from('ca03504750', 'hex')
  const odd = Buffer.from('fd03616263', 'hex')
  const all = Buffer.concat([marker, v3, good, odd, unknownKey])
  const { keys, skipped } = await readKeyring(all)
  t.same(
    keys.map((each) => each.fingerprint),
    [key],
  )
  t.match(skipped, [/version 3/, /^key [0-9A-F]{40}: /])
  const broken = (await armored(key)).replace(/^.{20}/m, '').replace(/^m/m, '!')
  const partly = await readKeyring(`${broken}\n${await armored(key)}`)
  t.same(
    partly.keys.map((each) => each.fingerprint),
    [key],
  )
  const secret = (await gpg.run('--armor', '--export-secret-keys', key)).stdout
  t.match((await readKeyring(secret + (await armored(key)))).skipped, [/a private key/])
})

t.test('says why a file is no keyring, and what was expected', async (t) => {
  const key = await gpg.makeKey('no ring', ['ed25519'])
  const table: [data: Buffer | string, message: RegExp][] = [
    ['', /it is empty/],
    ['<html>404</html>', /web page/],
    ['hello\n', /no OpenPGP key/],
    [await readFile(join(gpg.dir, 'pubring.kbx')), /keybox/],
    [(await gpg.run('--armor', '--export-secret-keys', key)).stdout, /a private key/],
    [(await armored(key)).slice(0, 200), /ends before its END line/],
    [(await gpg.exportKeys(key)).subarray(0, 60), /ends in the middle of a packet/],
    [await gpg.clearSign(release, [key]), /no OpenPGP key/],
  ]
  for (const [data, message] of table) {
    await t.rejects(readKeyring(data), { code: 'ERR_KEYRING', message, hint: /public keys/ })
  }
})

t.test('takes signing subkeys for their primary key, and gpgv agrees on their state', async (t) => {
  const primary = await gpg.makeKey('master', ['ed25519', 'cert'], past)
  const subkey = await addSubkey(primary, 'never')
  const dead = await addSubkey(primary, '30d', past)
  const revoked = await addSubkey(primary, 'never')
  const bySubkey = await gpg.clearSign(release, [`${subkey}!`])
  const byDead = await gpg.clearSign(release, [`${dead}!`], later)
  const byRevoked = await gpg.clearSign(release, [`${revoked}!`])
  const edit = [
    '--homedir',
    gpg.dir,
    '--quiet',
    '--no-tty',
    '--command-fd',
    '0',
    '--yes',
    '--pinentry-mode',
  ]
  await runOk('gpg', [...edit, 'loopback', '--passphrase', '', '--edit-key', primary], {
    input: 'key 3\nrevkey\ny\n0\n\ny\nsave\n',
  })
  const bytes = await gpg.exportKeys(primary)
  const [ring, file] = [await readKeyring(bytes), await save('master.gpg', bytes)]
  const { signers } = await verifyClearSigned(bySubkey, ring, now())
  t.match(signers, [{ fingerprint: primary, keyId: subkey.slice(-16) }])
  t.equal(await ours(byDead, ring), 'ERR_KEY_EXPIRED')
  t.equal(await ours(byRevoked, ring), 'ERR_KEY_REVOKED')
  for (const [signed, word] of [
    [bySubkey, 'GOODSIG'],
    [byDead, 'EXPKEYSIG'],
    [byRevoked, 'REVKEYSIG'],
  ] as const) {
    t.equal((await askGpgv(file, await save('by-subkey', signed)))[0], word)
  }
})

t.test('refuses a subkey that does not sign back, as gpgv does', async (t) => {
  const primary = await gpg.makeKey('victim', ['ed25519', 'cert'])
  const subkey = await addSubkey(primary, 'never')
  const signed = await gpg.clearSign(release, [`${subkey}!`])
  const bytes = await gpg.exportKeys(primary)
  const packets = readPackets(bytes)
  const binding = packets.at(-1)
  if (binding === undefined) throw new Error('gpg exported no subkey')
  // Without its unhashed part, where gpg puts the subkey's own signature.
  const hashedEnd = 6 + binding.body.readUInt16BE(4)
  const unhashedEnd = hashedEnd + 2 + binding.body.readUInt16BE(hashedEnd)
  const issuer = Buffer.from(`000a0910${primary.slice(-16)}`, 'hex')
  const { body } = binding
  const bare = [body.subarray(0, hashedEnd), issuer, body.subarray(unhashedEnd)]
  const stripped = Buffer.concat(bare)
  const head = Buffer.from([0x88, stripped.length])
  const rest = packets.slice(0, -1).map((packet) => packet.bytes)
  const stolen = Buffer.concat([...rest, head, stripped])
  t.equal(await ours(signed, await readKeyring(bytes)), 'good')
  t.equal(await ours(signed, await readKeyring(stolen)), 'ERR_SIGNATURE_BAD')
  const words = await askGpgv(await save('stolen.gpg', stolen), await save('stolen', signed))
  t.notOk(words.includes('GOODSIG'), 'gpgv refuses it too')
})

t.test('limits a ring to fingerprints as apt does with Signed-By', async (t) => {
  const primary = await gpg.makeKey('limited', ['ed25519', 'sign'])
  const subkey = await addSubkey(primary, 'never')
  const stranger = await gpg.makeKey('unlisted', ['ed25519'])
  const parts = join(dir, 'parts')
  await mkdir(parts)
  const bytes = await gpg.exportKeys(primary, stranger)
  await writeFile(join(parts, 'all.gpg'), bytes)
  const ring = await readKeyring(bytes)
  const files: [string, Buffer][] = [
    [join(dir, 'by-primary'), await gpg.clearSign(release, [`${primary}!`])],
    [join(dir, 'by-sub'), await gpg.clearSign(release, [`${subkey}!`])],
  ]
  for (const [file, signed] of files) await writeFile(file, signed)
  const limits = [[primary], [`${primary}!`], [subkey], [`${subkey}!`], [stranger]]
  for (const limit of [...limits, [stranger, primary], [`${stranger}!`, `${subkey}!`]]) {
    const questions = files.map(([file]) => ({ keyring: limit.join(','), signature: file, file }))
    const apt = await askApt(questions, parts)
    for (const [i, [file, signed]] of files.entries()) {
      const verdict = await ours(signed, limitKeyring(ring, limit))
      t.equal(verdict, apt[i] ? 'good' : 'ERR_KEY_UNKNOWN', `${limit} for ${file}`)
    }
  }
  const spaced = `0x${primary.toLowerCase().replaceAll(/(.{4})/g, '$1 ')}`
  t.same(
    limitKeyring(ring, [spaced]).keys.map((key) => key.fingerprint),
    [primary],
  )
  t.same(limitKeyring(ring, []).keys, [])
  t.throws(() => limitKeyring(ring, [primary.slice(-8)]), { code: 'ERR_KEYRING' })
})

t.test('merges rings: a revocation anywhere counts, and so does the longer life', async (t) => {
  const key = await gpg.makeKey('merged', ['ed25519', 'sign', '30d'], past)
  const signed = await gpg.clearSign(release, [key], later)
  const expired = await readKeyring(await gpg.exportKeys(key))
  await gpg.run('--faked-system-time', '20200102T000000!', '--quick-set-expire', key, '0')
  const extended = await readKeyring(await gpg.exportKeys(key))
  await gpg.run('--faked-system-time', '20200103T000000!', '--quick-set-expire', key, '60d')
  const longer = await readKeyring(await gpg.exportKeys(key))
  t.equal(mergeKeyrings([longer, expired]).keys[0]?.expiresAt, Date.UTC(2020, 2, 3) / 1000)
  const rev = await readFile(join(gpg.dir, 'openpgp-revocs.d', `${key}.rev`), 'utf8')
  await gpg.run('--import', await save('merged.rev', rev.replace(':-----BEGIN', '-----BEGIN')))
  const revoked = await readKeyring(await gpg.exportKeys(key))
  t.equal(await ours(signed, expired), 'ERR_KEY_EXPIRED')
  for (const rings of [
    [expired, extended],
    [extended, expired, extended],
  ]) {
    const merged = mergeKeyrings(rings)
    t.equal(await ours(signed, merged), 'good')
    t.equal(merged.keys.length, 1)
    t.equal(merged.keys[0]?.expiresAt, undefined)
  }
  const merged = mergeKeyrings([extended, revoked, expired])
  t.equal(await ours(signed, merged), 'ERR_KEY_REVOKED')
  t.match(merged.keys, [{ fingerprint: key, revoked: true }])
  t.equal(await ours(signed, mergeKeyrings([])), 'ERR_KEY_UNKNOWN')
})
