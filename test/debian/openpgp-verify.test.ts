import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { AppError } from '../../src/base/errors.ts'
import { type Keyring, readKeyring } from '../../src/debian/keyring.ts'
import { verifyClearSigned, verifyDetached } from '../../src/debian/openpgp-verify.ts'
import { run } from '../support/run.ts'
import { testDir } from '../support/test-dir.ts'
import { askApt, askGpgv, askSqv, openGpgHome } from './openpgp-judges.ts'

const dir = testDir(t)
const gpg = await openGpgHome()
t.teardown(() => gpg.close())

const now = (): number => Math.floor(Date.now() / 1000)
const release = 'Origin: Example\nSuite: stable\n\n- dash\n-----\nSHA256:\n 00 1 ä\n'

const good = await gpg.makeKey('good', ['ed25519'])
const other = await gpg.makeKey('other', ['rsa2048'])
const stranger = await gpg.makeKey('stranger', ['ed25519'])

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

async function ringFile(name: string, ...fingerprints: string[]): Promise<[string, Keyring]> {
  const bytes = await gpg.exportKeys(...fingerprints)
  const file = join(dir, `${name}.gpg`)
  await writeFile(file, bytes)
  return [file, await readKeyring(bytes)]
}

t.test('agrees with apt on the frame of an InRelease', async (t) => {
  const [file, ring] = await ringFile('frame', good)
  const plain = (await gpg.clearSign(release, [good])).toString()
  const edit = (from: RegExp | string, to: string): string => {
    const edited = plain.replace(from, to)
    t.not(edited, plain, `the edit ${from} changes something`)
    return edited
  }
  const block = plain.slice(plain.indexOf('-----BEGIN PGP SIGNATURE'))
  const half = plain.slice(0, -block.length + 80)
  const table: [name: string, text: string, verdict: string][] = [
    ['as signed', plain, 'good'],
    ['with CRLF line ends', plain.replaceAll('\n', '\r\n'), 'good'],
    ['with blanks at the end of a line', edit('stable\n', 'stable \t\n'), 'good'],
    ['without the last newline', plain.trimEnd(), 'good'],
    ['without the Hash header', edit(/^Hash.*\n/m, ''), 'good'],
    ['with the wrong Hash header', edit(/^Hash.*$/m, 'Hash: SHA1'), 'good'],
    ['with a blank after the BEGIN line', edit('MESSAGE-----', 'MESSAGE----- '), 'good'],
    ['with altered text', edit('stable', 'stabIe'), 'ERR_SIGNATURE_BAD'],
    ['with altered case', edit('Origin', 'origin'), 'ERR_SIGNATURE_BAD'],
    ['with a blank inside a line', edit('Suite: ', 'Suite:  '), 'ERR_SIGNATURE_BAD'],
    ['with a blank before a line', edit('Suite: ', ' Suite: '), 'ERR_SIGNATURE_BAD'],
    ['with an empty line more', edit('Suite: ', '\nSuite: '), 'ERR_SIGNATURE_BAD'],
    ['with an empty line more at its end', edit(/ä\n/, 'ä\n\n'), 'ERR_SIGNATURE_BAD'],
    ['with a line less', edit('Suite: stable\n', ''), 'ERR_SIGNATURE_BAD'],
    ['with the first dash escape gone', edit('- - dash', '- dash'), 'ERR_SIGNATURE_BAD'],
    ['with a dash that is not escaped', edit('- -----\n', '-----\n'), 'ERR_SIGNATURE_BAD'],
    ['with text before', `Origin: Evil\n${plain}`, 'ERR_SIGNATURE_BAD'],
    ['with an empty line before', `\n${plain}`, 'ERR_SIGNATURE_BAD'],
    ['with text after', `${plain}Origin: Evil\n`, 'ERR_SIGNATURE_BAD'],
    ['with an empty line after', `${plain}\n`, 'ERR_SIGNATURE_BAD'],
    ['with blanks after', `${plain}  `, 'ERR_SIGNATURE_BAD'],
    ['twice', `${plain}${plain}`, 'ERR_SIGNATURE_BAD'],
    ['with its signature block twice', plain + block, 'good'],
    ['with an empty line between two blocks', `${plain}\n${block}`, 'ERR_SIGNATURE_BAD'],
    ['cut off in its signature', half, 'ERR_SIGNATURE_BAD'],
    ['without its END line', edit(/^-----END.*\n/m, ''), 'ERR_SIGNATURE_BAD'],
    ['with a wrong checksum', edit(/^=....$/m, '=AAAA'), 'ERR_SIGNATURE_BAD'],
    [
      'with an empty signature',
      edit(/SIGNATURE-----\n[^-]*/, 'SIGNATURE-----\n\n'),
      'ERR_SIGNATURE_BAD',
    ],
    ['cut off in its text', plain.slice(0, plain.indexOf('SHA256:')), 'ERR_SIGNATURE_MISSING'],
    ['unsigned', release, 'ERR_SIGNATURE_MISSING'],
    ['empty', '', 'ERR_SIGNATURE_MISSING'],
    ['a web page', '<!DOCTYPE html>\n<html><body>Log in</body></html>\n', 'ERR_SIGNATURE_MISSING'],
    ['only the BEGIN line', '-----BEGIN PGP SIGNED MESSAGE-----\n', 'ERR_SIGNATURE_MISSING'],
  ]
  const questions = []
  for (const [i, [, text]] of table.entries()) {
    const path = join(dir, `frame-${i}`)
    await writeFile(path, text)
    questions.push({ keyring: file, signature: path, file: path })
  }
  const apt = await askApt(questions)
  for (const [i, [name, text, verdict]] of table.entries()) {
    t.equal(await ours(verifyClearSigned(Buffer.from(text), ring, now())), verdict, name)
    t.equal(apt[i], verdict === 'good', `apt agrees on an InRelease ${name}`)
  }
})

t.test('refuses header lines that are not Hash, which gpg refuses', async (t) => {
  const [file, ring] = await ringFile('header', good)
  const plain = (await gpg.clearSign(release, [good])).toString()
  for (const header of ['NotDashEscaped: yes', 'Origin: Evil', 'Charset: UTF-8']) {
    const text = plain.replace(/^Hash.*$/m, `$&\n${header}`)
    t.equal(await ours(verifyClearSigned(Buffer.from(text), ring, now())), 'ERR_SIGNATURE_BAD')
    await writeFile(join(dir, 'header'), text)
    t.not((await askGpgv(file, join(dir, 'header')))[0], 'GOODSIG', `nor does gpgv take ${header}`)
  }
})

t.test('never takes what apt refuses after any one byte of text or frame changed', async (t) => {
  const [file, ring] = await ringFile('bytes', good)
  const text = 'A: b\n- c\n'
  const plain = await gpg.clearSign(text, [good])
  const end = plain.indexOf('-----BEGIN PGP SIGNATURE') + 28
  const changed = Array.from({ length: end }, (_, at) => {
    const copy = Buffer.from(plain)
    copy.write(at % 2 === 0 ? ' ' : '\n', at)
    return copy
  })
  const questions = []
  for (const [i, bytes] of changed.entries()) {
    const path = join(dir, `bytes-${i}`)
    await writeFile(path, bytes)
    questions.push({ keyring: file, signature: path, file: path })
  }
  const apt = await askApt(questions)
  const headers = plain.indexOf('\n\n')
  for (const [i, bytes] of changed.entries()) {
    const verdict = await ours(verifyClearSigned(bytes, ring, now()))
    if (verdict === 'good') {
      t.ok(apt[i], `apt takes ${JSON.stringify(bytes.toString())} too`)
      t.equal((await verifyClearSigned(bytes, ring, now())).text, text, 'and it says the same')
    } else if (apt[i]) {
      t.ok(i <= headers, 'apt takes any header line, nothing else that is refused here')
    }
  }
})

t.test('takes several signature blocks one right after the other, as apt does', async (t) => {
  const plain = (await gpg.clearSign(release, [good])).toString()
  const second = (await gpg.clearSign(release, [other])).toString()
  const both = plain + second.slice(second.indexOf('-----BEGIN PGP SIGNATURE'))
  const path = join(dir, 'blocks')
  await writeFile(path, both)
  for (const key of [good, other]) {
    const [keyring, ring] = await ringFile('blocks', key)
    const { signers } = await verifyClearSigned(Buffer.from(both), ring, now())
    t.equal(signers[0]?.fingerprint, key)
    t.same(await askApt([{ keyring, signature: path, file: path }]), [true])
  }
})

t.test('is content with one good signature among others', async (t) => {
  const [, ring] = await ringFile('one', good)
  const both = await gpg.clearSign(release, [stranger, good])
  const { signers, text, warnings } = await verifyClearSigned(both, ring, now())
  t.match(signers, [{ fingerprint: good, userId: 'good <good@example.org>' }])
  t.equal(signers.length, 1)
  t.equal(text, release)
  t.same(warnings, [])
  const [, all] = await ringFile('all', good, stranger)
  const twice = await verifyClearSigned(both, all, now())
  t.same(new Set(twice.signers.map((signer) => signer.fingerprint)), new Set([good, stranger]))
})

t.test('names the unknown keys and the command that brings them', async (t) => {
  const [, ring] = await ringFile('named', good)
  const signed = await gpg.clearSign(release, [stranger, other])
  const error = await verifyClearSigned(signed, ring, now()).catch((thrown: unknown) => thrown)
  t.match(error, {
    code: 'ERR_KEY_UNKNOWN',
    message: new RegExp(`InRelease is signed by .*${stranger}`),
    hint: /sluice archive set NAME --keyring FILE/,
    details: { keyIds: { length: 2 } },
  })
  t.match(error, { message: new RegExp(other) })
})

t.test('says that a web page is a web page', async (t) => {
  const [, ring] = await ringFile('page', good)
  const page = Buffer.from('\n<html><head><title>Sign in</title>')
  await t.rejects(verifyClearSigned(page, ring, now()), { message: /looks like a web page/ })
  await t.rejects(verifyDetached(Buffer.from(release), page, ring, now()), {
    code: 'ERR_SIGNATURE_MISSING',
    message: /Release.gpg is not signed: it looks like a web page/,
  })
  await t.rejects(verifyClearSigned(Buffer.from(release), ring, now()), { message: /not signed/ })
})

t.test('refuses more than it needs to read', async (t) => {
  const [, ring] = await ringFile('large', good)
  const huge = Buffer.alloc(10 * 1024 * 1024 + 1, 'a')
  t.equal(await ours(verifyClearSigned(huge, ring, now())), 'ERR_TOO_LARGE')
  t.equal(await ours(verifyDetached(huge, Buffer.from('x'), ring, now())), 'ERR_TOO_LARGE')
  const block = (await gpg.detachSign(release, [good])).toString()
  const many = Buffer.from(block.repeat(33))
  t.equal(await ours(verifyDetached(Buffer.from(release), many, ring, now())), 'ERR_SIGNATURE_BAD')
})

t.test('agrees with apt, gpgv and sqv on Release with Release.gpg', async (t) => {
  const [keyring, ring] = await ringFile('detached', good, other)
  const armored = (await gpg.detachSign(release, [good])).toString()
  const byOther = (await gpg.detachSign(release, [other])).toString()
  const asText = (await gpg.detachSign(release, [good], ['--textmode'])).toString()
  const dos = release.replaceAll('\n', '\r\n')
  const table: [name: string, text: string, signature: string, verdict: string][] = [
    ['as signed', release, armored, 'good'],
    ['two blocks', release, armored + byOther, 'good'],
    ['two signatures', release, (await gpg.detachSign(release, [good, other])).toString(), 'good'],
    ['signed as text', release, asText, 'good'],
    ['signed as text, with CRLF', dos, asText, 'good'],
    ['signed as bytes, with CRLF', dos, armored, 'ERR_SIGNATURE_BAD'],
    ['a blank more', release.replace('stable', 'stable '), armored, 'ERR_SIGNATURE_BAD'],
    ['altered', release.replace('stable', 'stabIe'), armored, 'ERR_SIGNATURE_BAD'],
    ['a newline less', release.trimEnd(), armored, 'ERR_SIGNATURE_BAD'],
    [
      'an unknown key',
      release,
      (await gpg.detachSign(release, [stranger])).toString(),
      'ERR_KEY_UNKNOWN',
    ],
    ['cut off', release, armored.slice(0, 120), 'ERR_SIGNATURE_BAD'],
    ['empty', release, '', 'ERR_SIGNATURE_MISSING'],
    ['no signature', release, 'not found\n', 'ERR_SIGNATURE_MISSING'],
    ['a web page', release, '<html></html>\n', 'ERR_SIGNATURE_MISSING'],
    ['lines after', release, `${armored}hello\n`, 'ERR_SIGNATURE_BAD'],
    ['an empty line after', release, `${armored}\n`, 'ERR_SIGNATURE_BAD'],
  ]
  const questions = []
  for (const [i, [name, text, armor, verdict]] of table.entries()) {
    const [file, signature] = [join(dir, `detached-${i}`), join(dir, `detached-${i}.gpg`)]
    await writeFile(file, text)
    await writeFile(signature, armor)
    questions.push({ keyring, signature, file })
    const [bytes, packets] = [Buffer.from(text), Buffer.from(armor)]
    t.equal(await ours(verifyDetached(bytes, packets, ring, now())), verdict, name)
    if (verdict !== 'good') continue
    t.match((await askGpgv(keyring, signature, file)).join(), /^GOODSIG/, `gpgv takes ${name}`)
    t.ok(await askSqv(keyring, signature, file), `sqv takes ${name}`)
  }
  const apt = await askApt(questions)
  for (const [i, [name, , , verdict]] of table.entries()) t.equal(apt[i], verdict === 'good', name)
})

t.test('refuses a signature block with other packets among the signatures', async (t) => {
  const [, ring] = await ringFile('packets', good)
  const signature = await gpg.detachSign(release, [good], ['--no-armor'])
  const [text, marker] = [Buffer.from(release), Buffer.from('ca03504750', 'hex')]
  const marked = Buffer.concat([marker, signature])
  t.equal(await ours(verifyDetached(text, marked, ring, now())), 'good', 'a marker is nothing')
  const literal = Buffer.from('cb0762000000000061', 'hex')
  for (const packets of [Buffer.concat([signature, literal]), literal]) {
    t.equal(await ours(verifyDetached(text, packets, ring, now())), 'ERR_SIGNATURE_BAD')
  }
})

t.test('takes a binary Release.gpg and reads CRLF as LF', async (t) => {
  const [, ring] = await ringFile('binary', good)
  const dos = Buffer.from(release.replaceAll('\n', '\r\n').trimEnd())
  const signature = await gpg.detachSign(dos.toString(), [good], ['--no-armor'])
  t.equal((signature[0] ?? 0) & 0x80, 0x80, 'gpg wrote it binary')
  t.equal((await verifyDetached(dos, signature, ring, now())).text, release)
  const cut = signature.subarray(0, -3)
  t.equal(await ours(verifyDetached(dos, cut, ring, now())), 'ERR_SIGNATURE_BAD')
})

t.test('verifies the Debian InRelease files of this machine within 300 ms', async (t) => {
  const lists = '/var/lib/apt/lists'
  const isDebian = (name: string): boolean => /_debian(-security)?_dists_.*_InRelease$/.test(name)
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
  let names = (await readdir(lists)).filter(isDebian)
  if (names.length === 0) await run('apt-get', ['update'], { timeoutMs: 900_000 })
  names = (await readdir(lists)).filter(isDebian)
  t.not(names.length, 0, 'apt-get update brought some')
  const ring = await readKeyring(await readFile(keyring))
  for (const name of names) {
    const path = join(lists, name)
    const bytes = await readFile(path)
    const { signers, text } = await verifyClearSigned(bytes, ring, now())
    const start = performance.now()
    await verifyClearSigned(bytes, ring, now())
    const took = performance.now() - start
    t.ok(took < 300, `${name}: ${took.toFixed(1)} ms`)
    const words = await askGpgv(keyring, path)
    t.equal(
      signers.length,
      words.filter((word) => word === 'GOODSIG').length,
      'gpgv counts as many',
    )
    const { stdout } = await run('gpgv', ['-o', '-', '--keyring', keyring, path])
    t.equal(text.trimEnd(), stdout.trimEnd(), 'gpgv reads the same text')
  }
})
