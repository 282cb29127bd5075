/** The judges of signatures: each alone refuses what is wrong, and where there is none our own verifier does. */
import { chmod, mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createLog } from '../../src/base/log.ts'
import { generateSigningKey, readSigningKey, signRelease } from '../../src/debian/openpgp-sign.ts'
import { type Case, findJudges } from '../../src/signing/judges.ts'
import { testDir } from '../support/test-dir.ts'

const log = createLog({ level: 'silent' })
const now = Math.floor(Date.now() / 1000)
const text = 'Origin: Example\nSuite: stable\nDescription: ä\n- dash\nSHA256:\n 0 1 x\n'

async function newKey(name: string) {
  return readSigningKey((await generateSigningKey({ name }, now)).armoredPrivate)
}

const [first, second, stranger] = await Promise.all(['a', 'b', 'c'].map(newKey))
if (first === undefined || second === undefined || stranger === undefined) throw new Error('keys')
const keys = [first, second].map((key) => ({
  fingerprint: key.fingerprint,
  publicKey: Buffer.from(key.publicBinary),
}))
const signed = await signRelease(text, [first, second], now - 300)
const good: Case = { what: 'approved nut stable', text, signed, keys, at: now }
const byStranger = await signRelease(text, [first, stranger], now - 300)
const byOne = await signRelease(text, [first], now - 300)
const other = await signRelease(text.replace('stable', 'evil'), [first, second], now - 300)

const wrong: Readonly<Record<string, Case>> = {
  'another text': { ...good, signed: other },
  'another InRelease': { ...good, signed: { ...signed, inRelease: other.inRelease } },
  'another Release.gpg': { ...good, signed: { ...signed, releaseGpg: other.releaseGpg } },
  'one key instead of two': { ...good, signed: byOne },
  'a key that is not the publication’s': { ...good, signed: byStranger },
}

for (const names of [['gpgv', 'sqv'], ['gpgv'], ['sqv'], []]) {
  t.test(`judged by ${names.join(' and ') || 'ourselves'}`, async (t) => {
    const dir = testDir(t)
    const bin = join(dir, 'bin')
    await mkdir(bin)
    for (const name of names) await symlink(`/usr/bin/${name}`, join(bin, name))
    let serial = 0
    const tempPath = () => join(dir, `case-${serial++}`)
    const judges = await findJudges({ environment: { PATH: bin }, tempPath, log })
    t.same(judges.names, names)
    await judges.judge(good)
    for (const [name, one] of Object.entries(wrong)) {
      await t.rejects(judges.judge(one), { code: /^ERR_(SIGNATURE_BAD|KEY_UNKNOWN)$/ }, name)
    }
    // As after a test has moved the clock.
    const later = now + 86_400
    const ahead = await signRelease(text, [first, second], later)
    await judges.judge({ ...good, signed: ahead, at: later })
    t.same(await readdir(dir), ['bin'], 'nothing is left')
  })
}

t.test('a judge that cannot be run keeps a publication back', async (t) => {
  const dir = testDir(t, { gpgv: '#!/nonexistent/interpreter\n' })
  await chmod(join(dir, 'gpgv'), 0o755)
  const judges = await findJudges({
    environment: { PATH: dir },
    tempPath: () => join(dir, 'case'),
    log,
  })
  await t.rejects(judges.judge(good), { code: 'ERR_SIGNATURE_BAD', message: /gpgv refuses it/ })
})
